# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules in, events and counters out, through the maps of the BPF programs."""

import ctypes
import errno
import mmap
import os
from collections.abc import Iterable, Sequence

from reclaimd.backend.base import CgroupGone, Counters, EpisodeEnded, Event, StopReason
from reclaimd.backend.bpf.attachments import Attachments, topmost
from reclaimd.backend.bpf.programs import PASS_PAGES, Programs
from reclaimd.errors import HostError
from reclaimd.kernel.layout import CountersValue, EventKind, EventRecord, RuleValue, StopCode
from reclaimd.policy.rule import Rule

#: The pages of a huge page: the largest charge that is made all the time.
HUGE_PAGES = (2 << 20) // mmap.PAGESIZE


class BpfBackend:
    """Carries rules out in the kernel.

    A cgroup's state (counters, work item) lives as long as the cgroup has a rule; a rule is replaced
    as a whole, and no cgroup that keeps one is without it for a moment.

    Args:
        programs: the loaded object; closed with the backend.
        attachments: its links.
    """

    name = "bpf"

    def __init__(self, programs: Programs, attachments: Attachments) -> None:
        self._programs = programs
        self._attachments = attachments
        self._rules: dict[int, Rule] = {}
        self._closed = False

    def apply(self, rules: Sequence[Rule]) -> None:
        """Replace all rules by these; what can fail comes before what changes anything.

        Cgroups that have been removed meanwhile are left out.

        Raises:
            HostError: the kernel refused; the rules that were in force still are.
        """
        wanted = {rule.cgroup_id: rule for rule in rules}
        new_states: list[int] = []
        new_links: list[int] = []
        try:
            self._add_states(wanted, new_states)
            self._attach(wanted, new_links)
            self._write(wanted)
        except HostError:
            self._attachments.detach(new_links)
            self._drop(new_states)
            raise
        self._drop(self._rules.keys() - wanted.keys())
        self._rules = wanted
        self._attachments.detach_all_but(self._tops(wanted))

    def pollables(self) -> Sequence[int]:
        """The ring buffer's descriptor, and those of the links, which hang up with their cgroups."""
        return [self._programs.event_fd(), *self._attachments.filenos()]

    def events(self) -> list[Event]:
        """What happened since the last call; never blocks."""
        events: list[Event] = []
        gone = dict.fromkeys(self._attachments.take_gone())
        for record in self._programs.take_events():
            if record.kind == EventKind.EPISODE:
                events.append(_episode(record))
            else:
                gone[record.cgroup_id] = None
        events += [CgroupGone(cgroup_id) for cgroup_id in gone if cgroup_id in self._rules]
        self._drop(gone)
        for cgroup_id in gone:
            self._rules.pop(cgroup_id, None)
        return events

    def stats(self) -> dict[int, Counters]:
        """The counters of all rules in force, by cgroup id."""
        states = {
            cgroup_id: self._programs.states.lookup(ctypes.c_uint64(cgroup_id)) for cgroup_id in self._rules
        }
        return {cgroup_id: _counters(state.counters) for cgroup_id, state in states.items() if state}

    def dropped_events(self) -> int:
        """How many events were lost because nobody read them in time."""
        return self._programs.dropped_events()

    def close(self) -> None:
        """Detach and unload everything; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._attachments.detach_all_but(())
        self._drop(self._rules)
        self._programs.close()

    def _add_states(self, wanted: dict[int, Rule], added: list[int]) -> None:
        for cgroup_id in wanted.keys() - self._rules.keys():
            try:
                self._programs.add_state(cgroup_id)
            except OSError as error:
                raise _no_room(error, len(wanted)) from error
            added.append(cgroup_id)

    def _attach(self, wanted: dict[int, Rule], attached: list[int]) -> None:
        for cgroup_id in self._tops(wanted):
            if cgroup_id in self._attachments:
                continue
            if self._attachments.attach(cgroup_id, wanted[cgroup_id].path):
                attached.append(cgroup_id)

    def _write(self, wanted: dict[int, Rule]) -> None:
        written: list[int] = []
        try:
            for cgroup_id, rule in wanted.items():
                self._programs.rules.update(ctypes.c_uint64(cgroup_id), _value(rule))
                written.append(cgroup_id)
        except OSError as error:
            for cgroup_id in written:
                self._restore(cgroup_id)
            raise _no_room(error, len(wanted)) from error

    def _restore(self, cgroup_id: int) -> None:
        rule = self._rules.get(cgroup_id)
        if rule is None:
            self._programs.rules.delete(ctypes.c_uint64(cgroup_id))
        else:
            self._programs.rules.update(ctypes.c_uint64(cgroup_id), _value(rule))

    def _drop(self, cgroup_ids: Iterable[int]) -> None:
        # The rule first: without it nothing begins, and an episode that runs ends after its pass.
        for cgroup_id in cgroup_ids:
            key = ctypes.c_uint64(cgroup_id)
            self._programs.rules.delete(key)
            self._programs.states.delete(key)

    def _tops(self, rules: dict[int, Rule]) -> set[int]:
        return topmost({cgroup_id: rule.path for cgroup_id, rule in rules.items()})


def _value(rule: Rule) -> RuleValue:
    value = RuleValue(start_pages=rule.start_pages, stop_pages=rule.stop_pages, pass_pages=PASS_PAGES)
    pressure = rule.back_pressure
    if pressure is not None:
        value.delay_start_pages = pressure.start_pages
        # Where the next huge page would not fit is as far as delays can be of use; if that is not much above
        # their start, they still get half of the way to grow.
        middle_pages = (pressure.start_pages + pressure.full_pages) // 2
        value.delay_full_pages = max(middle_pages, pressure.full_pages - HUGE_PAGES)
        value.max_delay_ms = pressure.max_delay_ms
    return value


def _counters(value: CountersValue) -> Counters:
    return Counters(**{name: getattr(value, name) for name, _ in CountersValue._fields_})


def _episode(record: EventRecord) -> EpisodeEnded:
    return EpisodeEnded(
        cgroup_id=record.cgroup_id,
        episode=record.episode,
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        reclaim_ns=record.reclaim_ns,
        passes=record.passes,
        pages_asked=record.pages_asked,
        pages_reclaimed=record.pages_reclaimed,
        usage_started_pages=record.started_usage_pages,
        usage_ended_pages=record.ended_usage_pages,
        reason=StopReason[StopCode(record.reason).name],
    )


def _no_room(error: OSError, rules: int) -> HostError:
    if error.errno == errno.E2BIG:
        return HostError(f"{rules} cgroups are more than can be governed", hint="match fewer of them")
    return HostError(f"the kernel does not take a rule: {os.strerror(error.errno or 0)}")
