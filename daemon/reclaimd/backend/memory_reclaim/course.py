# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes on in one governed cgroup: how episodes begin, what is next in them, why they end.

The counterpart of bpf_src/episode.bpf.h. It knows no clock and reads nothing: it is given times and measurements.
"""

from collections.abc import Callable, Mapping

from reclaimd.backend import refusals
from reclaimd.backend.base import EpisodeEnded, RefusedError, StartReason, StopReason
from reclaimd.backend.memory_reclaim.budget import Budget
from reclaimd.backend.memory_reclaim.conditions import Meter
from reclaimd.backend.memory_reclaim.episode import Done, Episode, Pass, Stop
from reclaimd.backend.memory_reclaim.pauses import Pauses
from reclaimd.backend.memory_reclaim.plan import MIN_TICK_NS, NO_SOURCE, TICKS_PER_WINDOW, Plan, Source
from reclaimd.backend.memory_reclaim.size import SWAP_CLUSTER_PAGES, Size
from reclaimd.backend.memory_reclaim.tally import Tally
from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Combination, Reclaim

#: Passes in a row that bring nothing before an episode gives up.
MAX_IDLE_PASSES = 4
#: Measurements of start that are older say nothing of now.
_TICKS_VALID = 8
#: Two windows.
_CALM_TICKS = 2 * TICKS_PER_WINDOW

_NOTHING = Combination((), any_of_all=True)


class Course:
    """The state of one cgroup, under one rule after the other.

    Args:
        plan: of its first rule.
        tell: takes the events of episodes that have ended.

    Attributes:
        plan: of the rule in force.
        tally: what was counted.
        episode: the one that runs; None if none does.
    """

    def __init__(self, plan: Plan, tell: Callable[[EpisodeEnded], None]) -> None:
        self.plan = plan
        self.tally = Tally()
        self.episode: Episode | None = None
        self._tell = tell
        self._pauses = Pauses()
        self._budget = Budget()
        self._size = Size()
        self._measured_ns: int | None = None
        #: When conditions replaced others; 0: those now are the first.
        self._since_ns = 0
        self._readings: dict[Metric, int] = {}
        self._start_truth = 0
        self._calm_ticks = 0
        self._stirred = False
        #: Usage as an episode has left it: as long as it is that, nothing was charged since.
        self._left_pages: int | None = None
        self._set_meters()

    @property
    def not_before_ns(self) -> int:
        """No episode begins until then, but for those that are asked for."""
        return self._pauses.until_ns

    def adopt(self, plan: Plan, now_ns: int) -> None:
        """Go on under another rule, also with the episode that runs."""
        same = plan.conditions == self.plan.conditions
        combinations = _combinations(plan), _combinations(self.plan)
        self.plan = plan
        self._left_pages = None
        if combinations[0] == combinations[1]:
            return
        windows = self._start, self._stop
        self._set_meters()
        if same:
            self._start.continue_from(windows[0])
            self._stop.continue_from(windows[1])
        else:
            self._measured_ns, self._since_ns, self._start_truth = None, now_ns, 0

    def sources(self, now_ns: int) -> Source:
        """Return what is to be read now for the conditions that matter at the moment; nothing if it is too early."""
        episode = self.episode
        if episode is None:
            sources, tick_ns = self.plan.start_sources, self.start_tick_ns
        elif episode.requested_pages:
            return NO_SOURCE
        else:
            sources, tick_ns = self.plan.stop_sources, self.plan.stop_tick_ns
        if not sources or (self._measured_ns is not None and now_ns - self._measured_ns < tick_ns):
            return NO_SOURCE
        return self.plan.start_sources | self.plan.stop_sources

    def measured(self, readings: Mapping[Metric, int], now_ns: int) -> None:
        """Take what was read."""
        changed = any(self._readings.get(metric) != value for metric, value in readings.items())
        self._calm_ticks = 0 if changed else self._calm_ticks + 1
        self._readings = dict(readings)
        self._start_truth = self._start.reached(self._readings, now_ns)
        self._measured_ns = now_ns
        self._stirred = False
        self.tally.ticks += 1

    @property
    def start_tick_ns(self) -> int:
        """How long to wait between two measurements for start."""
        return MIN_TICK_NS if self._stirred else self.plan.start_tick_ns

    @property
    def is_calm(self) -> bool:
        """Nothing that is measured has changed for a while."""
        return self._calm_ticks >= _CALM_TICKS

    def stir(self) -> None:
        """Have it measured again soon: something has happened."""
        self._stirred = True
        self._calm_ticks = 0

    def reached(self, place: int) -> None:
        """Take the kernel's word that a condition of start has been reached."""
        self._start.tell(place)
        self._measured_ns = None

    def start_if_due(self, usage_pages: int, now_ns: int, *, charged: bool = False) -> bool:
        """Begin an episode if start holds and it is not too early; whether one runs now.

        Args:
            usage_pages: of this moment.
            now_ns: likewise.
            charged: it is known that something was charged since the last look.
        """
        if self.episode is not None or self.plan.reclaim is None:
            return False
        if charged or usage_pages != self._left_pages:
            self._left_pages = None
        if now_ns < self.not_before_ns:
            return False
        truth = self._start.usages_reached(usage_pages)
        if (
            self._measured_ns is not None
            and now_ns - self._measured_ns <= _TICKS_VALID * self.plan.start_tick_ns
        ):
            truth |= self._start_truth
        place = self._start.why(truth)
        if place is None:
            return False
        metric = self._start.conditions[place].metric
        if metric is Metric.USAGE and self._left_pages is not None:
            return False
        value = usage_pages if metric is Metric.USAGE else self._start.values[place]
        self._begin(Episode(now_ns, usage_pages, StartReason[metric.name], value))
        return self.episode is not None

    def request(self, pages: int, usage_pages: int, now_ns: int) -> None:
        """Begin an episode that ends once it has reclaimed so much.

        Raises:
            RefusedError: the rule does not reclaim, or an episode is under way.
        """
        if self.plan.reclaim is None or not self.plan.reclaim.pass_pages or not pages:
            raise RefusedError(refusals.NO_RECLAIM)
        if self.episode is not None:
            raise RefusedError(refusals.UNDER_WAY)
        self._begin(Episode(now_ns, usage_pages, StartReason.REQUESTED, pages, requested_pages=pages))

    def next_step(self, usage_pages: int, now_ns: int) -> Pass | int | None:
        """Return the next pass, or how long in ns to wait before asking again; None if no episode runs (any more)."""
        episode, reclaim = self.episode, self.plan.reclaim
        if episode is None or self._stop_if_due(episode, usage_pages, now_ns):
            return None
        if reclaim is None or self.plan.monitored or not reclaim.pass_pages:
            # It began under another rule: this one only watches, or does not reclaim at all.
            self.end(StopReason.RULE_REMOVED, 0, usage_pages, now_ns)
            return None
        room_pages = usage_pages - reclaim.floor_pages
        if room_pages < SWAP_CLUSTER_PAGES if reclaim.floor_pages else not usage_pages:
            self.end(StopReason.FLOOR, usage_pages, usage_pages, now_ns)
            return None
        self._budget.begin_second(reclaim, now_ns)
        left_pages = self._budget.pages_left(reclaim)
        if not left_pages:
            return self._hold(now_ns)
        pages = self._pages(episode, reclaim, usage_pages, left_pages)
        return Pass(pages, reclaim.swappiness, is_first=not episode.passes)

    def count(self, done: Done, usage_pages: int) -> None:
        """Count a pass that is over, and end the episode if that is due."""
        episode = self.episode
        if episode is None:
            return
        tally = self.tally
        if not episode.passes:
            tally.first_passes.count(done.began_ns - episode.started_ns)
        if done.reclaimed_pages and not episode.pages_reclaimed:
            tally.first_pages.count(done.ended_ns - episode.started_ns)
        episode.count(done)
        tally.passes += 1
        tally.pages_asked += done.asked_pages
        tally.pages_reclaimed += done.reclaimed_pages
        tally.reclaim_ns += done.took_ns
        tally.reclaim_cpu_ns += done.cpu_ns
        tally.swapless += done.swapless
        self._budget.spend(done.reclaimed_pages, done.cpu_ns)
        self._size.learn(done.reclaimed_pages, done.took_ns, done.cpu_ns)
        if done.reclaimed_pages:
            self._pauses.progressed()
        if self._stop_if_due(episode, usage_pages, done.ended_ns):
            return
        if episode.idle_passes >= MAX_IDLE_PASSES:
            self.end(StopReason.NO_PROGRESS, episode.idle_passes, usage_pages, done.ended_ns)

    def end(self, reason: StopReason, value: int, usage_pages: int, now_ns: int) -> None:
        """End the episode if one runs."""
        episode, self.episode = self.episode, None
        if episode is None:
            return
        self._left_pages = usage_pages
        # What has begun this one begins no other unless it is measured again.
        self._start_truth = 0
        tally = self.tally
        tally.episodes += 1
        tally.ended_for[reason] += 1
        if reason is not StopReason.MONITORED:
            tally.durations.count(now_ns - episode.started_ns)
        tally.give_ups += reason is StopReason.NO_PROGRESS
        self._pauses.begin(reason, self.plan.reclaim, now_ns)
        cgroup_id = self.plan.rule.cgroup_id
        self._tell(episode.ended(cgroup_id, tally.episodes, Stop(reason, value, usage_pages, now_ns)))

    def _set_meters(self) -> None:
        start, stop = _combinations(self.plan)
        self._start, self._stop = Meter(start), Meter(stop)

    def _begin(self, episode: Episode) -> None:
        self.episode = episode
        self._stop.reset()
        self.tally.triggers += 1
        self.tally.started_for[episode.started_for] += 1
        if self.plan.monitored:
            self.end(StopReason.MONITORED, 0, episode.usage_pages, episode.started_ns)

    def _stop_if_due(self, episode: Episode, usage_pages: int, now_ns: int) -> bool:
        if episode.requested_pages:
            if episode.pages_reclaimed < episode.requested_pages:
                return False
            self.end(StopReason.RECLAIMED, episode.pages_reclaimed, usage_pages, now_ns)
            return True
        self._readings[Metric.USAGE] = usage_pages
        self._readings[Metric.RECLAIMED] = episode.pages_reclaimed
        self._readings[Metric.AFTER] = now_ns - episode.started_ns
        watched_ns = now_ns - max(episode.started_ns, self._since_ns)
        place = self._stop.why(self._stop.calmed(self._readings, now_ns, watched_ns))
        if place is None:
            return False
        reason = StopReason[self._stop.conditions[place].metric.name]
        self.end(reason, self._stop.values[place], usage_pages, now_ns)
        return True

    def _pages(self, episode: Episode, reclaim: Reclaim, usage_pages: int, left_pages: float) -> int:
        """Return what the next pass asks for; the kernel takes no less than SWAP_CLUSTER_PAGES."""
        aim_pages = self.plan.aim_pages
        above_pages = usage_pages - aim_pages if usage_pages > aim_pages else usage_pages
        wanted_pages: int | None = None
        if episode.requested_pages:
            above_pages = wanted_pages = episode.requested_pages - episode.pages_reclaimed
        elif usage_pages > aim_pages > 0 and not self.plan.stop_sources:
            # Not where something else may stop it, which is to be seen in time.
            wanted_pages = above_pages
        pages = self._size.pages(wanted_pages, reclaim.pass_pages, self._budget.cpu_left_ns(reclaim))
        room_pages = usage_pages - reclaim.floor_pages
        return int(max(min(pages, above_pages, room_pages, left_pages), SWAP_CLUSTER_PAGES))

    def _hold(self, now_ns: int) -> int:
        """Put passes off to the next second; return how long it is to whatever comes first."""
        self.tally.held_back += self._budget.hold()
        wait_ns = self._budget.wait_ns(now_ns)
        return min(wait_ns, self.plan.stop_tick_ns) if self.plan.stop_sources else wait_ns


def _combinations(plan: Plan) -> tuple[Combination, Combination]:
    return (plan.reclaim.start, plan.reclaim.stop) if plan.reclaim else (_NOTHING, _NOTHING)
