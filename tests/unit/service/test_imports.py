# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon does not load."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["rich", "pygments", "jsonschema"])
def test_the_daemon_is_not_burdened_with(module: str) -> None:
    program = f"import sys, reclaimd.service.lifecycle; print({module!r} in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_rich_can_be_loaded_afterwards() -> None:
    program = "import sys, reclaimd.service; print('rich' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n", "not even as a module that is known to be missing"
