# SPDX-License-Identifier: GPL-2.0-or-later
"""A trace of the kernel's own: when work for BPF programs was queued, and when a page was reclaimed after that."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reclaimd.bench.unavailable import UnavailableError

TRACEFS = Path("/sys/kernel/tracing")
INSTANCE = "reclaimd-bench"
BUFFER_KIB = 8192
"""For each CPU: more than a workload of the reaction's fills."""
QUEUED, RECLAIMED = "workqueue:workqueue_queue_work", "filemap:mm_filemap_delete_from_page_cache"
BATCH_DONE = "vmscan:mm_vmscan_lru_shrink_inactive"
WORKER = "kworker/"
_LINE = re.compile(
    r"^ *(?P<task>.+)-\d+ +\[\d+\] +\S+ +(?P<seconds>\d+)\.(?P<us>\d{6}): (?P<event>\w+): (?P<told>.*)$"
)


@dataclass(slots=True)
class Trace:
    """What was traced, filled in at the end."""

    lines: Sequence[str] = ()


@contextmanager
def tracing(task: str, tracefs: Path = TRACEFS) -> Iterator[Trace]:
    """Trace what follows upon work that *task* queues while the context lasts.

    Raises:
        UnavailableError: this kernel cannot.
    """
    instance, trace = tracefs / "instances" / INSTANCE, Trace()
    try:
        instance.mkdir()
    except OSError as error:
        raise UnavailableError(f"no trace can be made in {tracefs}: {error.strerror}") from error
    try:
        _start(instance, task)
        yield trace
        (instance / "tracing_on").write_text("0")
        trace.lines = (instance / "trace").read_text(errors="replace").splitlines()
    finally:
        instance.rmdir()


def _start(instance: Path, task: str) -> None:
    (instance / "buffer_size_kb").write_text(str(BUFFER_KIB))
    (instance / "trace_clock").write_text("mono")
    # Of the pages only those of the first batch that has any, after work was queued: to trace all would take long.
    by_task = f'comm == "{task}"'
    _write(instance, BATCH_DONE, "trigger", f"disable_event:{RECLAIMED} if nr_reclaimed > 0")
    _write(instance, QUEUED, "trigger", f"enable_event:{RECLAIMED} if {by_task}")
    _write(instance, QUEUED, "filter", by_task)
    _write(instance, QUEUED, "enable", "1")


def _write(instance: Path, event: str, name: str, text: str) -> None:
    try:
        (instance / "events" / event.replace(":", "/") / name).write_text(text)
    except OSError as error:
        raise UnavailableError(f"the kernel does not trace {event}: {error.strerror}") from error


def reactions_us(lines: Iterable[str], task: str) -> Iterator[int]:
    """Yield the times from a charge by *task* that queues work until a worker takes a first page out of the page cache.

    Work that a worker queues is an episode's going on, and work after which no page was reclaimed has no such time.
    """
    queued_us: int | None = None
    for match in map(_LINE.match, lines):
        if match is None:
            continue
        at_us = int(match["seconds"]) * 1_000_000 + int(match["us"])
        event = match["event"]
        if QUEUED.endswith(f":{event}"):
            if match["task"] == task and "function=bpf_wq_work" in match["told"]:
                queued_us = at_us
        elif RECLAIMED.endswith(f":{event}") and match["task"].startswith(WORKER) and queued_us is not None:
            yield at_us - queued_us
            queued_us = None
