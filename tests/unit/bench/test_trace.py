# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench.trace import reactions_us, tracing
from reclaimd.bench.unavailable import UnavailableError

QUEUED = "workqueue_queue_work: work struct=0000000012 function=bpf_wq_work workqueue=events_unbound req_cpu=8192 cpu=-1"
RECLAIMED = "mm_filemap_delete_from_page_cache: dev 254:0 ino c pfn=0x1f ofs=4096 order=0"


def line(task: str, seconds: str, told: str) -> str:
    return f"  {task:>16}-88      [001] d..1.  {seconds}: {told}"


def found(*lines: str) -> list[int]:
    return list(reactions_us(["# tracer: nop", "#", *lines], "workload"))


def test_a_reaction_lasts_from_the_charge_to_the_first_page_of_a_worker() -> None:
    assert found(
        line("workload", "12.000100", QUEUED),
        line("kworker/u8:2", "12.000350", RECLAIMED),
        line("kworker/u8:2", "12.000450", RECLAIMED),
    ) == [250]


def test_what_a_worker_queues_is_no_charge() -> None:
    assert not found(line("kworker/u8:2", "1.000000", QUEUED), line("kworker/u8:2", "1.000010", RECLAIMED))


def test_other_work_and_other_tasks_do_not_count() -> None:
    other = QUEUED.replace("bpf_wq_work", "wb_workfn")
    assert not found(
        line("workload", "1.000000", other),
        line("sh", "1.000000", QUEUED),
        line("kworker/0:1", "1.000010", RECLAIMED),
    )


def test_what_the_workload_reclaims_itself_is_no_reaction() -> None:
    assert found(
        line("workload", "1.999999", QUEUED),
        line("workload", "2.000000", RECLAIMED),
        line("kworker/0:1", "2.000009", RECLAIMED),
    ) == [10]


def test_work_without_a_page_has_no_reaction() -> None:
    assert found(
        line("workload", "1.000000", QUEUED),
        line("workload", "2.000000", QUEUED),
        line("kworker/0:1", "2.000009", RECLAIMED),
    ) == [9]


def test_a_kernel_without_tracefs_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no trace can be made"), tracing("workload", tmp_path):
        pass
