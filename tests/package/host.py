# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest as its administrator handles it: dpkg, systemctl, the configuration, the journal."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.kernel.cgroups import CHECKOUT, until
from tests.system.daemon import PATIENCE_S, Metrics

UNIT = "reclaimd.service"
CONFIG = Path("/etc/reclaimd/reclaimd.yaml")
DROP_INS = Path("/etc/systemd/system/reclaimd.service.d")
PINS = Path("/sys/fs/bpf/reclaimd")
METRICS_URL = "http://127.0.0.1:19765/metrics"
#: The cgroup of BATCH that there is a load in, and what says how much was reclaimed from it.
LOAD = "/batch.slice/load.service"
RECLAIMED = "reclaimd_reclaimed_bytes_total"
BATCH = """\
policies:
  - name: batch
    match: /batch.slice/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
"""


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program as an administrator's shell would, which knows nothing of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        env={**environment, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def systemctl(*arguments: str) -> str:
    """Have systemctl do something; what it prints."""
    return run("systemctl", *arguments).stdout.strip()


def show(name: str) -> str:
    """One property of the unit."""
    return systemctl("show", "--property", name, "--value", UNIT)


def wait_for(name: str, value: str) -> None:
    """Until a property of the unit begins with a value."""
    for _ in until(PATIENCE_S):
        if show(name).startswith(value):
            return


def deb() -> Path:
    """The package that the lab has built."""
    (path,) = (CHECKOUT / "build/deb").glob("*.deb")
    return path


def is_installed() -> bool:
    """Whether dpkg has the package, whole."""
    done = run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "reclaimd", check=False)
    return done.stdout == "installed"


def install(package: Path) -> None:
    """Install or upgrade it as unattended-upgrades has it done; what it depends on has to be there."""
    # The lab's root has no documentation, by dpkg's configuration; a host has.
    run("dpkg", "--path-include=/usr/share/*", "--force-confold", "--install", str(package))


def journal(**fields: str) -> list[dict[str, Any]]:
    """The unit's entries with these fields, oldest first."""
    run("journalctl", "--sync")
    matches = [f"{name}={value}" for name, value in fields.items()]
    return [
        json.loads(line)
        for line in run("journalctl", "--output=json", "--unit", UNIT, *matches).stdout.splitlines()
    ]


def scrape() -> Metrics:
    """The daemon's metrics."""
    with urllib.request.urlopen(METRICS_URL, timeout=PATIENCE_S) as answer:
        return Metrics(answer.read().decode())


def with_settings(*lines: str) -> None:
    """Have the unit run with these settings on top, from its next start on; without any, as it was shipped."""
    file = DROP_INS / "test.conf"
    if lines:
        DROP_INS.mkdir(exist_ok=True)
        file.write_text("\n".join(["[Service]", *lines, ""]))
        systemctl("daemon-reload")
    elif file.exists():
        file.unlink()
        DROP_INS.rmdir()
        systemctl("daemon-reload")
        run("systemctl", "restart", UNIT, check=False)
