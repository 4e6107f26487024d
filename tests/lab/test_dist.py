# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the daemon, as far as they show what they are without being installed on a system."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reclaimd import __version__
from tests.lab import dist
from tests.lab.dist import DEB, RPM, WHEEL

EXAMPLE = "config/examples/server.yaml"


def _lines(kind: dist.Dist, *command: str) -> list[str]:
    return kind.inside().output(["sh", "-euc", " ".join(command)], cwd="/mnt/build").splitlines()


@pytest.fixture(scope="module")
def deb_files() -> list[str]:
    DEB.package()
    return [line.split()[5].lstrip(".") for line in _lines(DEB, "dpkg-deb --contents", DEB.pattern)]


@pytest.fixture(scope="module")
def rpm_files() -> list[str]:
    RPM.package()
    return _lines(RPM, "rpm -qpl", RPM.pattern, "2>/dev/null")


def test_lintian_finds_neither_error_nor_warning() -> None:
    assert dist.lintian() == ""


def test_deb_depends_on_the_versions_that_the_daemon_needs() -> None:
    DEB.package()
    (line,) = _lines(DEB, "dpkg-deb --field", DEB.pattern, "Depends")
    depends = line.split(", ")
    assert {"libbpf1", "python3-pydantic (>= 2.10)", "python3-structlog (>= 25.3)"} <= set(depends)
    assert all(re.match(r"libbpf1|libc6|python3|systemd", name) for name in depends)


@pytest.mark.parametrize("kind", ["deb", "rpm"])
@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/reclaimd",
        "/usr/bin/reclaimctl",
        "/usr/bin/reclaimd-bench",
        "/usr/lib/reclaimd/bench/workload",
        "/usr/lib/reclaimd/reclaimd.bpf.o",
        "/usr/lib/systemd/system/reclaimd.service",
        "/usr/lib/sysusers.d/reclaimd.conf",
        "/usr/share/reclaimd/reclaimd.schema.json",
        "/usr/share/bash-completion/completions/reclaimctl",
        "/usr/share/bash-completion/completions/reclaimd-bench",
        "/usr/share/fish/vendor_completions.d/reclaimctl.fish",
        "/etc/reclaimd/reclaimd.yaml",
    ],
)
def test_what_a_host_needs_is_at_its_place(kind: str, path: str, request: pytest.FixtureRequest) -> None:
    assert path in request.getfixturevalue(f"{kind}_files")


@pytest.mark.parametrize("kind", ["deb", "rpm"])
@pytest.mark.parametrize(
    "page", ["man1/reclaimctl.1", "man5/reclaimd.yaml.5", "man8/reclaimd.8", "man8/reclaimd-bench.8"]
)
def test_manual_pages_are_there(kind: str, page: str, request: pytest.FixtureRequest) -> None:
    pages = [path.removesuffix(".gz") for path in request.getfixturevalue(f"{kind}_files")]
    assert f"/usr/share/man/{page}" in pages


def test_configuration_is_the_administrators_in_deb_and_rpm(rpm_files: list[str]) -> None:
    assert rpm_files
    assert _lines(RPM, "rpm -qpc", RPM.pattern, "2>/dev/null") == ["/etc/reclaimd/reclaimd.yaml"]
    DEB.package()
    assert _lines(DEB, "dpkg-deb --info", DEB.pattern, "conffiles") == ["/etc/reclaimd/reclaimd.yaml"]


def test_deb_and_rpm_have_the_same_files_on_a_host(deb_files: list[str], rpm_files: list[str]) -> None:
    # Except for what each system has its own place for, and what its installer makes of it.
    own = re.compile(r".*(__pycache__|dist-info|\.pyc|/usr/share/(doc|licenses|lintian|man|zsh)).*")
    deb = {path for path in deb_files if not path.endswith("/") and not own.match(path)}
    directories = {str(parent) for path in rpm_files for parent in Path(path).parents}
    rpm = {path for path in rpm_files if path not in directories and not own.match(path)}
    assert deb == {path for path in rpm if not path.endswith("policy.d")}


def test_commands_of_the_rpm_run(rpm_files: list[str]) -> None:
    assert rpm_files
    unpack = "mkdir /tmp/rpm; cd /tmp/rpm; rpm2cpio /mnt/build/*.rpm | cpio --quiet -idm;"
    run = "export PYTHONPATH=/tmp/rpm/usr/lib/python3/dist-packages; usr/bin/reclaimd --version;"
    examples = "usr/share/doc/reclaimd-*/examples/server.yaml"
    said = _lines(RPM, unpack, run, f"usr/bin/reclaimd check {examples} >/tmp/said || [ $? = 78 ]; echo done")
    assert said == [f"reclaimd {__version__}", "done"]


@pytest.fixture(scope="module")
def venv_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new virtual environment that pip has installed the wheel into."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(WHEEL.package())], check=True)
    return venv / "bin"


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["reclaimd", "reclaimctl", "reclaimd-bench"])
def test_commands_of_the_wheel_say_their_version(venv_bin: Path, name: str) -> None:
    assert __version__ in _run(venv_bin / name, "--version").stdout


def test_commands_of_the_wheel_check_a_configuration(venv_bin: Path, tmp_path: Path) -> None:
    config = tmp_path / "f.yaml"
    config.write_text("policies: []\nmetric: {}\n")
    done = _run(venv_bin / "reclaimd", "check", config)
    assert done.returncode == 78
    assert f"{config}:2:1: unknown key 'metric'" in done.stderr


def test_wheel_brings_the_bpf_object_and_the_daemon_finds_it(venv_bin: Path) -> None:
    where = "from reclaimd.backend.bpf.programs import object_path; print(object_path())"
    found = Path(_run(venv_bin / "python", "-I", "-c", where).stdout.strip())
    assert found.is_relative_to(venv_bin.parent)
    assert found.read_bytes().startswith(b"\x7fELF")
