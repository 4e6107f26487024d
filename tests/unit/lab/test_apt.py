# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab takes over from the machine's apt."""

import shutil

import pytest

from tests.lab.apt import fetch_options

pytestmark = pytest.mark.skipif(not shutil.which("apt-config"), reason="this machine has no apt")


def test_how_to_fetch_is_passed_on_and_what_to_fetch_is_not(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path_factory.mktemp("apt") / "apt.conf"
    settings.write_text(
        'Acquire::Check-Date "false";\nAcquire::Retries "3";\nAcquire::Languages "none";\n'
        'Acquire::IndexTargets::deb::Packages::Optional "0";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    options = fetch_options()
    assert {'Acquire::Check-Date "false";', 'Acquire::Retries "3";'} <= set(options)
    assert not [line for line in options if "IndexTargets" in line or "Languages" in line]
