# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands inside the lab root, in namespaces that take their mounts and processes with them when they end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.errors import LabError, NotPermittedError
from tests.lab.progress import run_step

ENTER = Path(__file__).with_name("enter")
PRIVATE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
)
"""Put before a command: its mounts are its own, and it dies with whoever started it."""


def need_root() -> None:
    """Raise NotPermittedError unless run by root."""
    if os.geteuid() != 0:
        raise NotPermittedError(
            "the lab needs root (it makes a Debian root and mounts file systems): run it with sudo"
        )


@dataclass(frozen=True)
class Chroot:
    """The lab root and the directories that a group of commands sees in it, each at /mnt/NAME."""

    root: Path
    binds: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, command: Sequence[str], cwd: str) -> list[str]:
        """The host command that runs `command` inside, in the directory `cwd` of the inside."""
        need_root()
        binds = [f"{name}={path}" for name, path in self.binds.items()]
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["env", f"--chdir={cwd}", *settings, *command]
        return [*PRIVATE, "sh", str(ENTER), str(self.root), *binds, "--", *inside]

    def step(self, command: Sequence[str], *, cwd: str, label: str, log: Path) -> None:
        """A long command, with progress; raises LabError when it fails."""
        run_step(self.argv(command, cwd), label=label, log=log)

    def output(self, command: Sequence[str], *, cwd: str) -> str:
        """What a short command prints; raises LabError with what it printed when it fails."""
        done = self.attempt(command, cwd=cwd)
        if done.returncode:
            raise LabError(
                f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}".rstrip()
            )
        return done.stdout

    def attempt(self, command: Sequence[str], *, cwd: str) -> subprocess.CompletedProcess[str]:
        """A short command, its output and its status."""
        return subprocess.run(
            self.argv(command, cwd),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
