# SPDX-License-Identifier: GPL-2.0-or-later
"""The threads that reclaim: a write to memory.reclaim blocks, and takes the CPU time of the thread that makes it."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from reclaimd.backend.base import StopReason
from reclaimd.backend.memory_reclaim import deadline
from reclaimd.backend.memory_reclaim.episode import Done, Pass
from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.measure import measure
from reclaimd.backend.memory_reclaim.outbox import Outbox
from reclaimd.backend.memory_reclaim.swap import Swap
from reclaimd.policy.rule import SWAPPINESS_ANON_ONLY

MAX_WORKERS = 32
#: More than CPUs, as passes wait for disks.
WORKERS_PER_CPU = 2
MIN_WORKERS = 4
#: How long a cgroup's room for anonymous memory is not looked up again.
SWAP_VALID_NS = 100_000_000
JOIN_S = 2.0

#: Called with a cgroup that the workers are through with, and when it is to be looked at.
Hand = Callable[[Governed, int], None]


class Workers:
    """A pool that takes the next step of one episode after the other; no cgroup has more than one at a time.

    Args:
        roster: whose cgroups they are.
        swap: where anonymous memory can go.
        outbox: is told what ends a thread.
        takes_swappiness: memory.reclaim has the argument.
    """

    def __init__(self, roster: Roster, swap: Swap, outbox: Outbox, *, takes_swappiness: bool) -> None:
        self.hand_back: Hand = lambda _governed, _due_ns: None
        self._roster = roster
        self._swap = swap
        self._outbox = outbox
        self._takes_swappiness = takes_swappiness
        self._waiting: deque[Governed] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._most = min(max(WORKERS_PER_CPU * (os.cpu_count() or 1), MIN_WORKERS), MAX_WORKERS)

    def start_if_due(
        self, governed: Governed, usage_pages: int, now_ns: int, *, charged: bool = False
    ) -> bool:
        """Begin an episode of a cgroup that is governed if its start holds; see Course.start_if_due()."""
        if usage_pages < governed.course.plan.wake_pages:
            return False
        with self._roster.lock:
            started = not governed.removed and governed.course.start_if_due(
                usage_pages, now_ns, charged=charged
            )
        if started:
            self.put(governed)
        return started

    def put(self, governed: Governed) -> None:
        """Have the next step of its episode taken, unless that is about to happen."""
        with self._changed:
            if governed.stepping or self._closed:
                return
            governed.stepping = True
            self._waiting.append(governed)
            if len(self._waiting) > self._idle and len(self._threads) < self._most:
                self._start()
            self._changed.notify()

    def close(self) -> None:
        """End all threads, each after the write that it is in."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"reclaim-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # Where there is no room for one more thread, those that there are do it.
            if not self._threads:
                self._outbox.fail(error)
            return
        self._threads.append(thread)

    def _run(self) -> None:
        try:
            deadline.prepare_thread()
            while self._serve():
                pass
            deadline.release_thread()
        except BaseException as error:  # noqa: BLE001  without its threads the backend does nothing: the service is to know
            self._outbox.fail(error)

    def _serve(self) -> bool:
        """Wait for a cgroup and take one step in it, keeping no reference to it; whether to go on."""
        governed = self._take()
        if governed is None:
            return False
        self._finish(governed, self._step(governed))
        return True

    def _take(self) -> Governed | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return None if self._closed else self._waiting.popleft()

    def _finish(self, governed: Governed, wait_ns: int | None) -> None:
        """Go on with an episode, or give the cgroup back; others that wait have their turn first."""
        with self._changed:
            if wait_ns == 0 and not self._closed:
                self._waiting.append(governed)
                return
            governed.stepping = False
        if not governed.removed:
            self.hand_back(governed, 0 if wait_ns is None else time.monotonic_ns() + wait_ns)

    def _step(self, governed: Governed) -> int | None:
        """Take one step; return how long to wait for the next one, None if the episode is over."""
        began_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        course = governed.course
        try:
            usage_pages = measure(governed, self._roster, self._swap, began_ns)
            with self._roster.lock:
                step = course.next_step(usage_pages, began_ns)
            if not isinstance(step, Pass):
                return step
            before_pages = usage_pages
            complete, swapless = self._reclaim(governed, step, began_ns)
            usage_pages = governed.files.usage_pages()
            reclaimed_pages = _brought(governed, step.pages, before_pages - usage_pages, complete=complete)
        except OSError:
            if governed.files.exists():
                self._give_up(governed)
            else:
                self._roster.gone(governed)
            return None
        took_ns, cpu_ns = time.monotonic_ns() - began_ns, time.thread_time_ns() - cpu_ns
        done = Done(step.pages, reclaimed_pages, began_ns, took_ns, cpu_ns, swapless)
        with self._roster.lock:
            episode = course.episode
            course.count(done, usage_pages)
            if course.episode is not None:
                return 0
        if episode is not None:
            charged_pages = usage_pages - episode.usage_pages + episode.pages_reclaimed
            governed.pace.grew(charged_pages, done.ended_ns - episode.started_ns)
        return None

    def _give_up(self, governed: Governed) -> None:
        """End an episode that memory.reclaim has refused to go on with."""
        with self._roster.lock:
            governed.course.end(StopReason.NO_PROGRESS, 0, 0, time.monotonic_ns())

    def _reclaim(self, governed: Governed, step: Pass, now_ns: int) -> tuple[bool | None, bool]:
        """Reclaim; return whether it was all of it, None if nothing was tried, and whether it was without swap."""
        files, swappiness = governed.files, step.swappiness
        swapless = swappiness != 0 and not self._has_swap(governed, now_ns)
        if swapless and swappiness == SWAPPINESS_ANON_ONLY:
            return None, True
        if swapless and self._takes_swappiness:
            swappiness = 0
        if step.is_first:
            governed.stolen.begin(files, now_ns)
        return files.reclaim(step.pages, swappiness), swapless

    def _has_swap(self, governed: Governed, now_ns: int) -> bool:
        checked_ns = governed.swap_checked_ns
        if checked_ns is None or now_ns - checked_ns >= SWAP_VALID_NS:
            governed.has_swap = self._swap.has_room(governed.path, now_ns)
            governed.swap_checked_ns = now_ns
        return governed.has_swap


def _brought(governed: Governed, asked_pages: int, fallen_pages: int, *, complete: bool | None) -> int:
    """Return what a write has brought, after which usage had fallen by so much."""
    if complete is None:
        return 0
    files, now_ns = governed.files, time.monotonic_ns()
    if complete:
        return governed.stolen.all_of(files, asked_pages, fallen_pages, now_ns)
    return governed.stolen.part_of(files, asked_pages, now_ns)
