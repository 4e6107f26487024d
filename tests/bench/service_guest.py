# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-service`'s side in the VM: measures the real daemon, a line to the host for each number of cgroups.

Standard library only: the host's packages are not here.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.bench.service_report import SIZES, Point

ROOT = Path("/sys/fs/cgroup")
GOVERNED = ROOT / "governed"
DAEMON = ROOT / "daemon"
CHECKOUT = Path(__file__).parents[2]
INSTALLED = Path("/tmp/installed")  # noqa: S108  of the guest, which nobody shares
PORT = 19765
CONFIG = f"""\
policies:
  - name: bench
    match: /governed/*
    reclaim: {{start: 75%, stop: 70%}}
    back_pressure: {{start: 90%, max_delay: 100ms}}
metrics: {{listen: 127.0.0.1:{PORT}}}
"""
LIMIT_BYTES = 32 << 20
SCRAPES = 5
IDLE_S = 20.0
SETTLE_S = 1.0


def main() -> int:
    """Measure; return the exit status."""
    for parent in (GOVERNED, DAEMON):
        parent.mkdir()
    (GOVERNED / "cgroup.subtree_control").write_text("+memory")
    _install()
    made = 0
    # Not reported: the first start of all compiles every file.
    _measure(0)
    with os.fdopen(int(os.environ["RECLAIMD_LAB_REPORT_FD"]), "w") as report:
        for size in SIZES:
            for number in range(made, size):
                cgroup = GOVERNED / f"container-{number:04}.scope"
                cgroup.mkdir()
                (cgroup / "memory.max").write_text(str(LIMIT_BYTES))
            made = size
            print(_measure(size).to_line(), file=report, flush=True)
    return 0


def _install() -> None:
    """Put the daemon on a file system of the guest's own, as on a real host, as a wheel has it."""
    shutil.copytree(
        CHECKOUT / "daemon/reclaimd", INSTALLED / "reclaimd", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(CHECKOUT / "build/bpf/reclaimd.bpf.o", INSTALLED / "reclaimd")


def _measure(cgroups: int) -> Point:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "reclaimd.yaml"
        config.write_text(CONFIG)
        began_s = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "reclaimd", "run", "--config", config],
            cwd=INSTALLED,
            env={**os.environ, "PYTHONPATH": str(INSTALLED)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_enter_cgroup,  # noqa: PLW1509  there are no threads here
        )
        try:
            _wait_until_in_force(process, cgroups)
            ready_s = time.monotonic() - began_s
            scrape_s = statistics.median(_scrape(cgroups) for _ in range(SCRAPES))
            return Point(cgroups, _rss_bytes(process), _idle_cpu_percent(), ready_s, scrape_s)
        finally:
            process.terminate()
            _, rest = process.communicate()
            if process.returncode:
                print(rest, file=sys.stderr)


def _enter_cgroup() -> None:
    (DAEMON / "cgroup.procs").write_text(str(os.getpid()))


def _wait_until_in_force(process: subprocess.Popen[str], cgroups: int) -> None:
    assert process.stderr
    for line in process.stderr:
        record = json.loads(line)
        if record["event"] == "in force":
            assert record["rules"] == cgroups, line
            return
        print(line, end="", file=sys.stderr)
    raise RuntimeError(f"reclaimd ended with {process.wait()}")


def _scrape(cgroups: int) -> float:
    began_s = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
        text = answer.read()
    took_s = time.monotonic() - began_s
    assert text.count(b"\nreclaimd_usage_bytes{") == cgroups
    return took_s


def _rss_bytes(process: subprocess.Popen[str]) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the daemon has no memory")


def _idle_cpu_percent() -> float:
    time.sleep(SETTLE_S)
    began_s, before_us = time.monotonic(), _cpu_us()
    time.sleep(IDLE_S)
    return (_cpu_us() - before_us) / 1e6 / (time.monotonic() - began_s) * 100


def _cpu_us() -> int:
    stat = (DAEMON / "cpu.stat").read_text().split()
    return int(stat[stat.index("usage_usec") + 1])


if __name__ == "__main__":
    sys.exit(main())
