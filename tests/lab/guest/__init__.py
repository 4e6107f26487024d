# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs inside the VM, on Debian trixie's own Python."""
