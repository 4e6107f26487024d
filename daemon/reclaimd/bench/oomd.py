# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's oomd with its senpai plugin, which keeps memory.high between two bounds by the pressure it sees."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reclaimd.bench.unavailable import UnavailableError

INTERVAL_S = 1
"""The shortest that it knows."""
TAKES_HOLD_LIMIT_S = 60.0
POLL_S = 0.05
STOP_LIMIT_S = 30.0


def configuration(cgroups: Sequence[str], least_bytes: int, most_bytes: int) -> str:
    """Return oomd's configuration for *cgroups* (paths below the cgroup2 root)."""
    senpai = {
        "cgroup": ",".join(cgroup.lstrip("/") for cgroup in cgroups),
        "limit_min_bytes": str(least_bytes),
        "limit_max_bytes": str(most_bytes),
        "interval": str(INTERVAL_S),
        "immediate_backoff": "false",
    }
    ruleset = {
        "name": "bench",
        "detectors": [["always", {"name": "continue", "args": {}}]],
        "actions": [{"name": "senpai", "args": senpai}],
    }
    return json.dumps({"rulesets": [ruleset]})


@contextmanager
def running(root: Path, cgroups: Sequence[str], least_bytes: int, most_bytes: int) -> Iterator[int]:
    """Run oomd until the context ends; yields its pid once it has taken hold of all *cgroups* below *root*.

    Raises:
        UnavailableError: there is no oomd, or it does nothing to a cgroup.
    """
    program = shutil.which("oomd")
    if program is None:
        raise UnavailableError("there is no oomd here (Debian: apt-get install oomd)")
    with tempfile.TemporaryDirectory() as directory:
        config, log = Path(directory) / "oomd.json", Path(directory) / "log"
        config.write_text(configuration(cgroups, least_bytes, most_bytes))
        command: list[str | Path] = [program, "--config", config, "--interval", str(INTERVAL_S)]
        with log.open("wb") as output:
            process = subprocess.Popen([*command, "--cgroup-fs", root], stdout=output, stderr=output)
        try:
            _wait_until_it_holds(process, [root / cgroup.lstrip("/") for cgroup in cgroups], log)
            yield process.pid
        finally:
            _end(process)


def _wait_until_it_holds(process: "subprocess.Popen[bytes]", cgroups: Sequence[Path], log: Path) -> None:
    files = [cgroup / "memory.high" for cgroup in cgroups]
    deadline_s = time.monotonic() + TAKES_HOLD_LIMIT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            break
        if all(file.read_text() != "max\n" for file in files):
            return
        time.sleep(POLL_S)
    tail = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise UnavailableError(f"oomd has not set memory.high after {TAKES_HOLD_LIMIT_S:g} s; it says: {tail}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
