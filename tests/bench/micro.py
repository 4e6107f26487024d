# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patches and the daemon cost where nothing is reclaimed: a page in four settings, in time and instructions.

Three VMs take turns: one of an unpatched kernel, one of the lab's, and one of the lab's where the daemon runs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reclaimd.bench.measure import RUN_LIMIT_S
from reclaimd.bench.micro_report import ACTIONS, Clock, Setting
from tests.bench.vm_runs import PROGRAMS, SETUP_LIMIT_S, report_lines
from tests.lab.accel import Accel
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.qemu import Machine
from tests.lab.vm import Vm, run_directory

CONFIG = Path(__file__).with_name("micro.yaml")
PARENT = "/sys/fs/cgroup/micro"
PAGES = 8192
"""For each fault and write of a turn: 32 MiB, far below the threshold."""
MEMORY_MIB = 1024
PREPARE = f"""
mkdir {PARENT}
echo +memory >{PARENT}/cgroup.subtree_control
for cgroup in attached beside; do
	mkdir {PARENT}/$cgroup
	echo 512M >{PARENT}/$cgroup/memory.max
done
"""
START_DAEMON = """
python3 -m reclaimd run --config "$1" </dev/null >/dev/null 2>/run/reclaimd.log &
until grep -q '"in force"' /run/reclaimd.log; do
	kill -0 $!
	sleep 0.2
done
"""
# The report's number may have two digits, which sh does not take for a redirection.
REPORTED = 'exec "$@" >/dev/fd/$RECLAIMD_LAB_REPORT_FD'
Show = Callable[[str], None]


def measure_micro(turns: int, show: Show) -> dict[str, Any]:
    """Measure in all settings, in turns, by both clocks; *show* is told of each turn.

    Raises:
        LabError: it could not be done, or a kernel complained.
    """
    measured = {str(clock): _measure(clock, turns, show) for clock in Clock}
    return {"pages": PAGES, "turns": turns, **measured}


def _measure(clock: Clock, turns: int, show: Show) -> dict[str, dict[str, list[float]]]:
    told: dict[str, dict[str, list[float]]] = {one: {action: [] for action in ACTIONS} for one in Setting}
    settings = list(Setting)
    with _booted(clock) as vms:
        for turn in range(turns + 1):
            first = turn % len(settings)
            for setting in (*settings[first:], *settings[:first]):
                got = _turn(vms[setting], setting)
                if turn:  # the first pays for a new disk image, and for QEMU translating the kernel
                    for action in ACTIONS:
                        told[setting][action].append(got[f"{action}_ns"] / PAGES)
            if turn:
                show(f"micro, {clock}: turn {turn} of {turns}")
    return told


def _turn(vm: Vm, setting: Setting) -> dict[str, int]:
    cgroup = "beside" if setting is Setting.BESIDE else "attached"
    command = ["sh", "-c", REPORTED, "sh", str(PROGRAMS / "micro"), "--pages", str(PAGES)]
    command += ["--path", f"/mnt/disk/{setting}", "--cgroup", f"{PARENT}/{cgroup}"]
    (line,) = report_lines(vm, command, RUN_LIMIT_S)
    got: dict[str, int] = json.loads(line)
    return got


@contextmanager
def _booted(clock: Clock) -> Iterator[Mapping[Setting, Vm]]:
    """Boot the VMs, and start the daemon in its one."""
    with ExitStack() as stack:
        unpatched, patched, governed = (
            _boot(stack, _counted(machine(name, memory_mib=MEMORY_MIB), clock))
            for name in (KernelName.UNPATCHED, KernelName.LAB, KernelName.LAB)
        )
        for vm in (unpatched, patched, governed):
            _shell(vm, PREPARE)
        _shell(governed, START_DAEMON, str(CONFIG))
        yield {
            Setting.UNPATCHED: unpatched,
            Setting.NOTHING_ATTACHED: patched,
            Setting.ATTACHED: governed,
            Setting.BESIDE: governed,
        }


def _boot(stack: ExitStack, made: Machine) -> Vm:
    return stack.enter_context(Vm(made, stack.enter_context(run_directory())))


def _counted(made: Machine, clock: Clock) -> Machine:
    """Return a machine whose clock is *clock*."""
    return replace(made, accel=Accel.ICOUNT, cpus=1) if clock is Clock.INSTRUCTIONS else made


def _shell(vm: Vm, script: str, *arguments: str) -> None:
    list(report_lines(vm, ["sh", "-euc", script, "sh", *arguments], SETUP_LIMIT_S))
