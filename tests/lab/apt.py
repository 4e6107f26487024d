# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's own apt: where it gets Debian from, how it is told to fetch, and packages that are missing."""

import importlib.util
import re
import shutil
import subprocess

from tests.lab.cache import cache_dir
from tests.lab.chroot import need_root
from tests.lab.errors import HostError, LabError
from tests.lab.progress import run_step, say

HOST_PACKAGES = {
    # The first bookworm did not know trixie's signing keys yet.
    "mmdebstrap": ("mmdebstrap", "debian-archive-keyring"),
    "qemu-system-x86_64": ("qemu-system-x86",),
    "openssl": ("openssl",),
}
"""Commands that the lab runs on the host, and the packages to install for them."""

NOT_ABOUT_FETCHING = re.compile(
    r"^Acquire::(IndexTargets|Changelogs|cdrom|CompressionTypes|Languages|GzipIndexes)\b"
)


def _ask(*argv: str) -> list[str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise HostError(f"{argv[0]} is missing: the lab runs on Debian bookworm or trixie") from error
    if done.returncode:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout.splitlines()


def _update() -> None:
    need_root()
    say("apt-get update")
    if subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL, check=False).returncode:
        raise LabError(
            "apt-get update failed: the lab needs the package archive that this machine is set up for"
        )


def mirror() -> str:
    """The URI of the Debian archive that this machine is set up to use; raises HostError when it has none."""
    question = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian", "Created-By: Packages")
    uris = _ask(*question)
    if not uris:
        _update()  # apt knows a repository's label only after it has fetched its Release file
        uris = _ask(*question)
    if not uris:
        raise HostError(
            "apt is set up for no Debian archive on this machine: add one to /etc/apt/sources.list.d"
        )
    return uris[0]


def fetch_options() -> list[str]:
    """The machine's Acquire:: settings (proxies, retries, date checks), each as a line of apt configuration."""
    settings = _ask("apt-config", "dump", "--no-empty", "--format", '%f "%v";%n', "Acquire")
    return [line for line in settings if not NOT_ABOUT_FETCHING.match(line)]


def install_missing() -> None:
    """Install Debian's packages of what the lab and the virtual environment need on the host."""
    missing = [
        package
        for command, packages in HOST_PACKAGES.items()
        if not shutil.which(command)
        for package in packages
    ]
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        missing.append("python3-venv")
    if not missing:
        return
    _update()
    run_step(
        [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            *missing,
        ],
        label=f"apt-get install {' '.join(missing)}",
        log=cache_dir() / "apt.log",
    )
