# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel that reclaimd needs: a patch series for Linux 7.3, and the builder that applies, builds, checks and packages it.

`python3 -m kernel_patches.build --help` lists what the builder does.
"""
