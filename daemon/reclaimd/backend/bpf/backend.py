# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules in, events and counters out, through the maps of the BPF programs."""

import ctypes
import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from reclaimd.backend.base import CgroupGone, Counters, Event, RefusedError
from reclaimd.backend.bpf.attachments import Attachments, topmost
from reclaimd.backend.bpf.programs import Programs
from reclaimd.backend.bpf.records import counters, event
from reclaimd.backend.bpf.rule_value import rule_value
from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule

_REFUSALS = {
    errno.ENOENT: "the cgroup has no rule",
    errno.EINVAL: "its policy does not reclaim",
    errno.EBUSY: "an episode is under way",
}


class BpfBackend:
    """Carries rules out in the kernel.

    A cgroup's state (counters, work item) lives as long as the cgroup has a rule; a rule is replaced
    as a whole, and no cgroup that keeps one is without it for a moment.

    Args:
        programs: the loaded object; closed with the backend.
        attachments: its links.
        features: what was looked for on this host, and whether it is there.
    """

    name = "bpf"

    def __init__(self, programs: Programs, attachments: Attachments, features: Mapping[str, bool]) -> None:
        self.features = features
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
        new = [rule for cgroup_id, rule in wanted.items() if cgroup_id not in self._rules]
        changed = [rule for cgroup_id, rule in wanted.items() if self._rules.get(cgroup_id, rule) != rule]
        with ExitStack() as undo:
            # A new cgroup's rule comes before its link, and goes after it: no charge below a link is ungoverned.
            try:
                for rule in new:
                    undo.callback(self._drop, [rule.cgroup_id])
                    self._programs.add_state(rule.cgroup_id)
                    self._write(rule)
                self._attach(wanted, undo)
                for rule in changed:
                    undo.callback(self._write, self._rules[rule.cgroup_id])
                    self._write(rule)
            except OSError as error:
                raise _no_room(error, len(wanted)) from error
            undo.pop_all()
        self._attachments.detach_all_but(self._tops(wanted))
        self._drop(self._rules.keys() - wanted.keys())
        self._rules = wanted

    def pollables(self) -> Sequence[int]:
        """The ring buffer's descriptor, and those of the links, which hang up with their cgroups."""
        return [self._programs.event_fd(), *self._attachments.filenos()]

    def events(self) -> list[Event]:
        """What happened since the last call; never blocks."""
        events: list[Event] = []
        gone = dict.fromkeys(self._attachments.take_gone())
        for record in self._programs.take_events():
            happened = event(record)
            if isinstance(happened, CgroupGone):
                gone[happened.cgroup_id] = None
            else:
                events.append(happened)
        events += [CgroupGone(cgroup_id) for cgroup_id in gone if cgroup_id in self._rules]
        self._drop(gone)
        for cgroup_id in gone:
            self._rules.pop(cgroup_id, None)
        return events

    def reclaim(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that ends once it has reclaimed so much, if not before.

        Raises:
            RefusedError: the cgroup has no rule that reclaims, or an episode is under way.
        """
        try:
            self._programs.request(cgroup_id, pages)
        except OSError as error:
            raise RefusedError(_REFUSALS.get(error.errno or 0, str(error))) from error

    def stats(self) -> dict[int, Counters]:
        """The counters of all rules in force, by cgroup id."""
        return {
            key.value: counters(state.counters)
            for key, state in self._programs.states.scan()
            if key.value in self._rules
        }

    def dropped_events(self) -> int:
        """How many events were lost because nobody read them in time."""
        return self._programs.dropped_events()

    def ungoverned_charges(self) -> int:
        """How many charges below an attachment met no rule; each would be a gap in the rules."""
        return self._programs.ungoverned_charges()

    def close(self) -> None:
        """Detach and unload everything; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._attachments.detach_all_but(())
        self._drop(self._rules)
        self._programs.close()

    def _attach(self, wanted: dict[int, Rule], undo: ExitStack) -> None:
        for cgroup_id in self._tops(wanted):
            if cgroup_id in self._attachments:
                continue
            if self._attachments.attach(cgroup_id, wanted[cgroup_id].path):
                undo.callback(self._attachments.detach, [cgroup_id])

    def _write(self, rule: Rule) -> None:
        self._programs.rules.update(ctypes.c_uint64(rule.cgroup_id), rule_value(rule))

    def _drop(self, cgroup_ids: Iterable[int]) -> None:
        # The rule first: without it nothing begins, and an episode that runs ends after its pass.
        for cgroup_id in cgroup_ids:
            key = ctypes.c_uint64(cgroup_id)
            self._programs.rules.delete(key)
            self._programs.states.delete(key)

    def _tops(self, rules: dict[int, Rule]) -> set[int]:
        return topmost({cgroup_id: rule.path for cgroup_id, rule in rules.items()})


def _no_room(error: OSError, rules: int) -> HostError:
    if error.errno == errno.E2BIG:
        return HostError(f"{rules} cgroups are more than can be governed", hint="match fewer of them")
    return HostError(f"the kernel does not take a rule: {os.strerror(error.errno or 0)}")
