# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaching, removing, detaching and charging at the same time.

What such a race does wrong shows in the kernel log, and surely so only on the debug kernel, whose
KASAN sees the use of freed memory. RECLAIMD_STRESS_SECONDS changes how long the long ones are.
"""

import os
import subprocess
import time
from pathlib import Path
from threading import Thread

import pytest

from reclaimd.kernel.link import fill_struct_ops
from tests.kernel.cgroups import CHECKOUT, Cgroup, Charger, until
from tests.kernel.hooks import Hook, Hooks
from tests.kernel.objects import loaded

ATTACH_RACE = CHECKOUT / "build/bin/attach_race"
SHORT_S = 6
LONG_S = int(os.environ.get("RECLAIMD_STRESS_SECONDS", "60"))
#: Time in each hook for everything else to happen.
DAWDLE_US = 500
#: Long enough for removing, detaching and freeing all.
LONG_DAWDLE_US = 20_000

short_and_long = pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SHORT_S, id="short"),
        pytest.param(LONG_S, id="long", marks=pytest.mark.debug_kernel),
    ],
)


def race(hooks: Hooks, cgroup: Cgroup, seconds: int) -> dict[str, int]:
    """Run the helper attach_race.c; what happened how often."""
    cgroup.enable_memory()
    maps = [hooks.object.map(ops) for ops in ("first", "second")]
    for struct_ops in maps:
        fill_struct_ops(struct_ops)
    fds = [struct_ops.fileno() for struct_ops in maps]
    done = subprocess.run(
        [ATTACH_RACE, cgroup.path, str(seconds), *map(str, fds)],
        pass_fds=fds,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: int(count) for name, count in (line.split() for line in done.stdout.splitlines())}


@short_and_long
def test_attaching_races_with_removal_and_charges(hooks: Hooks, cgroup: Cgroup, seconds: int) -> None:
    counts = race(hooks, cgroup, seconds)
    assert all(counts.values()), counts
    assert hooks.cgroups_called_for(Hook.CHARGED)
    assert hooks.ops_of(cgroup.child("afterwards")) is None


@short_and_long
def test_attaching_races_with_removal_and_charges_while_hooks_dawdle(
    hooks: Hooks, cgroup: Cgroup, seconds: int
) -> None:
    hooks.configure("dawdle_us", DAWDLE_US)
    counts = race(hooks, cgroup, seconds)
    hooks.configure("dawdle_us", 0)
    assert all(counts.values()), counts
    assert hooks.ops_of(cgroup.child("afterwards")) is None


@short_and_long
def test_ops_go_while_descendants_uncharge(cgroup: Cgroup, disk: Path, seconds: int) -> None:
    """The attached cgroup is removed, then link, map and programs, all while page cache is uncharged."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        with loaded("hooks") as obj:
            hooks = Hooks(obj)
            parent = cgroup.child("parent")
            leaf = parent.child("leaf")
            link = hooks.attach("first", parent)
            with Charger(leaf) as charger:
                charger.file(disk / "cache", 2048)
            hooks.forget()
            hooks.configure("dawdle_us", LONG_DAWDLE_US)
            uncharging = Thread(target=(disk / "cache").unlink)
            uncharging.start()
            for _ in until():
                if hooks.calls(Hook.UNCHARGED, leaf):
                    break
            parent.remove()
            link.close()
        uncharging.join()
