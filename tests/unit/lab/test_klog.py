# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of a kernel log end a run, and what is shown of them."""

import pytest

from tests.lab.klog import EXCERPT_LINES, Excerpts, console_complaints, is_bad


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: mm/memcontrol.c:2711 at try_charge_memcg+0x1f/0x30, CPU#0: sh/71",
        "WARNING: possible circular locking dependency detected",
        "WARNING: suspicious RCU usage",
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: KASAN: slab-use-after-free in memcg_bpf_ops_detach+0x1/0x2",
        "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591",
        "kernel BUG at mm/slub.c:553!",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:88]",
        "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP",
        "Kernel panic - not syncing: Fatal exception",
        "INFO: task umount:93 blocked for more than 120 seconds.",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "INFO: rcu_tasks detected stalls on tasks:",
        "INFO: trying to register non-static key.",
        "UBSAN: array-index-out-of-bounds in mm/vmscan.c:12:3",
        "ODEBUG: free active (active state 0) object: 00000000 object type: work_struct",
        "refcount_t: underflow; use-after-free.",
        "list_del corruption. prev->next should be ffff8880, but was 0",
    ],
)
def test_signs_of_a_defect_are_bad(line: str) -> None:
    assert is_bad(line)


@pytest.mark.parametrize(
    "line",
    [
        "Memory cgroup out of memory: Killed process 71 (python3) total-vm:4kB",
        "workload invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "ACPI: [Firmware Bug]: BIOS _OSI(Linux) query ignored",
        "systemd[1]: Mounting debug.mount - Kernel DEBUG File System...",
        "rcu: Hierarchical SRCU implementation.",
        "EXT4-fs (vda): mounted filesystem r/w with ordered data mode.",
        "clocksource: Watchdog remote CPU 1 read timed out",
        "tests: no WARNING: at the beginning",
    ],
)
def test_what_a_healthy_kernel_says_is_not_bad(line: str) -> None:
    assert not is_bad(line)


def test_complaint_holds_the_trace_up_to_its_end_mark() -> None:
    excerpts = Excerpts()
    lines = ["before", "WARNING: a", "Call Trace:", " f+0x1", "---[ end trace 0 ]---", "after"]
    for sequence, line in enumerate(lines, start=100):
        excerpts.feed(sequence, line)
    (complaint,) = excerpts.take()
    assert complaint.sequence == 101
    assert complaint.text.splitlines() == lines[1:5]


def test_endless_trace_is_cut() -> None:
    excerpts = Excerpts()
    for sequence in range(2 * EXCERPT_LINES):
        excerpts.feed(sequence, "BUG: first" if sequence == 0 else "more")
    (complaint,) = excerpts.take()
    assert len(complaint.text.splitlines()) == EXCERPT_LINES


def test_complaints_are_taken_once() -> None:
    excerpts = Excerpts()
    excerpts.feed(1, "WARNING: a")
    assert len(excerpts.take()) == 1
    assert excerpts.take() == []


def test_console_counts_the_kernels_lines_only() -> None:
    console = (
        "[    1.000000] fine\nWARNING: printed by a program\n[   10.000001][ T71] WARNING: by the kernel\n"
    )
    assert [complaint.title for complaint in console_complaints(console)] == ["WARNING: by the kernel"]
