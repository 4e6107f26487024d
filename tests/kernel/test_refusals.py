# SPDX-License-Identifier: GPL-2.0-or-later
"""refuse_charge: what tasks can do without, an extension of the interface."""

from pathlib import Path

import pytest

from reclaimd.kernel.btf import KERNEL_BTF, Btf
from reclaimd.kernel.link import attach_struct_ops, leave_out_unknown
from reclaimd.kernel.object import BpfObject, BpfObjectError
from tests.kernel.cgroups import CHARGE_BATCH_PAGES, PAGE_BYTES, Cgroup, Charger, uncached_file
from tests.kernel.hooks import Hook, Hooks
from tests.kernel.objects import object_path

HUGE_PAGES = 4
PAGES_PER_HUGE = 512
FILE_PAGES = 1024


@pytest.fixture
def refusing(hooks: Hooks, cgroup: Cgroup) -> None:
    """Whatever of the cgroup's charges can be refused is."""
    hooks.configure("refused_cgroup_id", cgroup.cgroup_id)


@pytest.mark.usefixtures("refusing")
def test_a_fault_gets_small_pages_instead_of_a_huge_one(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        charger.huge(HUGE_PAGES)
        stat = cgroup.keyed("memory.stat")
        assert stat["thp_fault_alloc"] == stat["anon_thp"] == 0
        assert 0 < cgroup.usage_pages < PAGES_PER_HUGE
        assert hooks.calls(Hook.REFUSE, cgroup) >= HUGE_PAGES
        assert cgroup.keyed("memory.events")["max"] == 0


@pytest.mark.usefixtures("refusing")
def test_so_it_does_if_the_charge_may_sleep(hooks: Hooks, cgroup: Cgroup, huge_pages: Path) -> None:
    (huge_pages / "defrag").write_text("always")
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        charger.huge(HUGE_PAGES)
        assert cgroup.keyed("memory.stat")["anon_thp"] == 0


@pytest.mark.usefixtures("refusing")
def test_so_it_does_if_the_task_has_asked_for_huge_pages(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        charger.wanted(HUGE_PAGES)
        assert cgroup.keyed("memory.stat")["anon_thp"] == 0
        assert hooks.calls(Hook.REFUSE, cgroup) >= HUGE_PAGES


@pytest.mark.usefixtures("refusing")
def test_readahead_ends_and_what_is_needed_is_read(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        file = uncached_file(disk / "file", FILE_PAGES)
        before = hooks.calls(Hook.REFUSE, cgroup)
        charger.read(file, FILE_PAGES)
        assert hooks.calls(Hook.REFUSE, cgroup) > before
        assert cgroup.keyed("memory.stat")["file"] >= FILE_PAGES * PAGE_BYTES
        assert cgroup.keyed("memory.events")["max"] == 0


@pytest.mark.usefixtures("refusing")
def test_what_is_needed_is_charged_without_a_stock_for_later(
    hooks: Hooks, cgroup: Cgroup, huge_pages: Path
) -> None:
    (huge_pages / "enabled").write_text("never")
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        charger.anon(PAGES_PER_HUGE)
        # Each page by itself, and none that nobody asked for.
        assert hooks.calls(Hook.CHARGED, cgroup) >= PAGES_PER_HUGE
        assert cgroup.usage_pages < PAGES_PER_HUGE + CHARGE_BATCH_PAGES
        assert hooks.calls(Hook.REFUSE, cgroup) >= PAGES_PER_HUGE


def test_nothing_is_refused_where_the_program_does_not_say_so(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup), Charger(cgroup) as charger:
        charger.huge(HUGE_PAGES)
        assert cgroup.keyed("memory.stat")["thp_fault_alloc"] == HUGE_PAGES
        assert hooks.calls(Hook.REFUSE, cgroup) >= HUGE_PAGES


def test_programs_for_what_this_kernel_does_not_ask_can_be_left_out(cgroup: Cgroup) -> None:
    with BpfObject.open(object_path("unknown_hook")) as obj, pytest.raises(BpfObjectError):
        obj.load()
    with BpfObject.open(object_path("unknown_hook")) as obj, cgroup.opened() as fd:
        leave_out_unknown(obj.map("unknown"), "memcg_bpf_ops", obj.btf(), Btf.parse(KERNEL_BTF))
        obj.load()
        attach_struct_ops(obj.map("unknown"), fd).close()
