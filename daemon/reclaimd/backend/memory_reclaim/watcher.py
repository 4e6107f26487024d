# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that looks at cgroups: when it is time to, or when the kernel says that something has happened."""

import heapq
import itertools
import random
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from weakref import ref

from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.measure import measure
from reclaimd.backend.memory_reclaim.notices import Notices
from reclaimd.backend.memory_reclaim.outbox import Outbox
from reclaimd.backend.memory_reclaim.pace import MAX_NS, NS_PER_S, Allowance
from reclaimd.backend.memory_reclaim.still import STILL_NS, Still
from reclaimd.backend.memory_reclaim.swap import Swap
from reclaimd.backend.memory_reclaim.workers import Workers
from reclaimd.errors import HostError

#: Those that nothing happens in are looked at together: so the thread is seldom woken.
TOGETHER_NS = 125_000_000
LONGEST_PAUSE_NS = 50_000_000
JOIN_S = 2.0


class Watcher:
    """Looks at each governed cgroup as often as it takes to see its start in time, and hands it over to the workers.

    Args:
        roster: whose cgroups they are.
        notices: what the kernel tells by itself.
        workers: carry episodes out.
        swap: where anonymous memory can go.
        outbox: is told what ends the thread.
    """

    def __init__(
        self, roster: Roster, notices: Notices, workers: Workers, swap: Swap, outbox: Outbox
    ) -> None:
        self._roster = roster
        self._notices = notices
        self._workers = workers
        self._swap = swap
        self._outbox = outbox
        self._handed: deque[tuple[Governed, int]] = deque()
        #: Files of a cgroup that is governed no more are not to stay open until it would have been due.
        self._heap: list[tuple[int, int, ref[Governed]]] = []
        #: So that no two in the heap are equal.
        self._numbers = itertools.count()
        self._allowance = Allowance()
        self._still = Still()
        #: Until when the thread sleeps; 0: it does not.
        self._asleep_until_ns = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def postponed(self) -> int:
        """How often looks had to wait because looking had taken too much CPU time."""
        return self._allowance.postponed

    def start(self) -> None:
        """Start the thread, if it has not been yet.

        Raises:
            HostError: there is no room for it.
        """
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="watch", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise HostError(f"cannot watch cgroups: {error}", hint="raise the limit on tasks") from error
            self._thread = thread

    def hand(self, governed: Governed, due_ns: int) -> None:
        """Have a cgroup looked at when it is time to."""
        self._handed.append((governed, due_ns))
        if due_ns < self._asleep_until_ns:
            self._notices.wake()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._notices.wake()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        # The files of cgroups are closed with the last reference to them.
        self._heap.clear()
        self._handed.clear()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            while not self._closed:
                self._round()
        except BaseException as error:  # noqa: BLE001  without it the backend does nothing: the service is to know
            self._outbox.fail(error)

    def _round(self) -> None:
        self._allowance.cgroups = len(self._roster)
        pause_ns = self._allowance.spend(time.monotonic_ns(), time.thread_time_ns())
        if pause_ns > LONGEST_PAUSE_NS:
            # Whatever happens meanwhile: only so is there a bound to what looking costs.
            time.sleep(LONGEST_PAUSE_NS / NS_PER_S)
        happened = self._wait(pause_ns)
        while self._handed:
            self._schedule(*self._handed.popleft())
        now_ns = time.monotonic_ns()
        for governed in happened:
            if governed.course.episode is None:
                governed.pace.hurry()
                governed.course.stir()
                self._look(governed, now_ns, charged=True)
        for governed in self._still.count(now_ns):
            self._look(governed, now_ns)
        self._look_where_due(now_ns)
        self._notices.close_dropped()

    def _wait(self, pause_ns: int) -> list[Governed]:
        """Sleep until something is due or happens; return where something has happened."""
        now_ns = time.monotonic_ns()
        due_ns = min(self._heap[0][0] if self._heap else now_ns + MAX_NS, self._still.due_ns)
        due_ns = max(due_ns, now_ns + pause_ns)
        self._asleep_until_ns = due_ns
        # What was handed over before that was set has woken nobody.
        happened = self._notices.wait(0 if self._handed else due_ns - now_ns)
        self._asleep_until_ns = 0
        return happened

    def _schedule(self, governed: Governed, due_ns: int) -> None:
        if not governed.removed:
            governed.due_ns = due_ns
            heapq.heappush(self._heap, (due_ns, next(self._numbers), ref(governed)))

    def _look_where_due(self, now_ns: int) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            due_ns, _, referred = heapq.heappop(heap)
            governed = referred()
            # Otherwise it is due at another time, or no more.
            if governed is not None and governed.due_ns == due_ns:
                self._look(governed, now_ns)

    def _look(self, governed: Governed, now_ns: int, *, charged: bool = False) -> None:
        self._still.forget(governed)
        if governed.removed:
            return
        course = governed.course
        if course.episode is not None:
            self._workers.put(governed)
            return
        if governed.watch < 0 and course.plan.reclaim is not None and now_ns >= course.not_before_ns:
            self._watch(governed)
        try:
            usage_pages = measure(governed, self._roster, self._swap, now_ns)
        except OSError:
            self._lost_sight(governed, now_ns)
            return
        governed.pace.saw(usage_pages, now_ns)
        if self._workers.start_if_due(governed, usage_pages, now_ns, charged=charged):
            return
        due_ns = now_ns + self._delay_ns(governed, usage_pages, now_ns)
        if due_ns >= now_ns + MAX_NS:
            if self._is_still(governed, usage_pages):
                due_ns = now_ns + random.randint(STILL_NS, 2 * STILL_NS)  # noqa: S311
            due_ns += TOGETHER_NS - due_ns % TOGETHER_NS
        self._schedule(governed, due_ns)

    def _is_still(self, governed: Governed, usage_pages: int) -> bool:
        """Leave a cgroup alone whose usage is all that matters, if it can be."""
        plan = governed.course.plan
        mark = plan.next_mark(usage_pages)
        if mark is None or plan.start_sources or governed.watch < 0:
            return False
        return self._still.leave(governed, mark - usage_pages)

    def _watch(self, governed: Governed) -> None:
        # Without room for one more watch, there are looks.
        with suppress(HostError):
            self._notices.watch(governed)
        if governed.removed:
            self._notices.leave(governed)

    def _lost_sight(self, governed: Governed, now_ns: int) -> None:
        if governed.files.exists():
            self._schedule(governed, now_ns + MAX_NS)
        else:
            self._roster.gone(governed)

    def _delay_ns(self, governed: Governed, usage_pages: int, now_ns: int) -> int:
        """Return how long to wait before the next look at a cgroup where nothing has begun."""
        course, plan = governed.course, governed.course.plan
        mark = plan.next_mark(usage_pages)
        if mark is None and plan.start_sources:
            delay_ns = MAX_NS
        else:
            delay_ns = governed.pace.delay_ns(None if mark is None else mark + plan.slack_pages)
        if usage_pages < plan.wake_pages:
            return delay_ns
        if plan.start_sources and not (governed.told_by_kernel or course.is_calm):
            delay_ns = min(delay_ns, course.start_tick_ns)
        return max(delay_ns, min(course.not_before_ns - now_ns, MAX_NS))
