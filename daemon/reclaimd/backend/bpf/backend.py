# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules in, events and counters out, through the maps of the BPF programs."""

import ctypes
import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress

from reclaimd.backend import refusals
from reclaimd.backend.base import Ability, CgroupGone, Counters, Event, RefusedError
from reclaimd.backend.bpf.attachments import Attachments, topmost
from reclaimd.backend.bpf.former import Former, inherited
from reclaimd.backend.bpf.pins import Pins
from reclaimd.backend.bpf.programs import Programs
from reclaimd.backend.bpf.records import counters, event
from reclaimd.backend.bpf.rule_value import NEVER_PAGES, rule_value
from reclaimd.errors import HostError
from reclaimd.kernel.layout import RuleValue
from reclaimd.policy.rule import Rule

_REFUSALS = {
    errno.ENOENT: refusals.NO_RULE,
    errno.EINVAL: refusals.NO_RECLAIM,
    errno.EBUSY: refusals.UNDER_WAY,
}


def abilities(features: Mapping[str, bool]) -> frozenset[Ability]:
    """What the programs can do on a kernel with these features, as reclaimd.kernel.probe has found them."""
    return frozenset(Ability) - (set() if features["PSI"] else {Ability.PSI})


class BpfBackend:
    """Carries rules out in the kernel, which goes on with it when this process is no more.

    A cgroup's state (counters, work item) lives as long as the cgroup has a rule; a rule is replaced
    as a whole, and no cgroup that keeps one is without it for a moment. What the daemon before this one
    has left is taken over by the first apply().

    Args:
        programs: ours, loaded; closed with the backend.
        attachments: the links; likewise.
        pins: what holds it all; likewise.
        features: what was looked for on this host, and whether it is there.
    """

    name = "bpf"

    def __init__(
        self, programs: Programs, attachments: Attachments, pins: Pins, features: Mapping[str, bool]
    ) -> None:
        self.features = features
        self._programs = programs
        self._attachments = attachments
        self._pins = pins
        #: The rules at work as the kernel has them, and those of them that were put there by apply().
        self._values = _rules_at_work(programs)
        self._rules: dict[int, Rule] = {}
        self._formers = _formers(pins, programs)
        self._alone = pins.objects() == [programs.directory]
        self._closed = False

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything, but for PSI where the kernel has none."""
        return abilities(self.features)

    def may_govern(self, _path: str) -> bool:
        """Always: whom a cgroup belongs to means nothing to the programs."""
        return True

    def apply(self, rules: Sequence[Rule]) -> None:
        """Replace all rules by these; what can fail comes before what changes anything.

        Cgroups that have been removed meanwhile are left out.

        Raises:
            HostError: the kernel refused; the rules that were in force still are.
        """
        values = {rule.cgroup_id: self._value_of(rule) for rule in rules}
        paths = {rule.cgroup_id: rule.path for rule in rules}
        new = values.keys() - self._values.keys()
        changed = [key for key in values.keys() - new if not _same(values[key], self._values[key])]
        with ExitStack() as undo:
            # A new cgroup's rule comes before its link, and goes after it: no charge below a link is ungoverned.
            try:
                for cgroup_id in new:
                    undo.callback(self._drop, [cgroup_id])
                    self._programs.add_state(cgroup_id)
                    self._write(cgroup_id, values[cgroup_id])
                stopgaps = self._take_over(paths, undo)
                self._attach(paths, undo)
                for cgroup_id in changed:
                    undo.callback(self._write, cgroup_id, self._values[cgroup_id])
                    self._write(cgroup_id, values[cgroup_id])
            except OSError as error:
                raise _no_room(error, len(values)) from error
            undo.pop_all()
        self._attachments.detach_all_but(topmost(paths))
        self._drop((self._values.keys() | stopgaps) - values.keys())
        self._values = values
        self._rules = {rule.cgroup_id: rule for rule in rules}
        if not self._alone:
            self._retire_formers()

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
        events += [CgroupGone(cgroup_id) for cgroup_id in gone if cgroup_id in self._values]
        self._drop(gone)
        for cgroup_id in gone:
            self._values.pop(cgroup_id, None)
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
        self._programs.read_accounts()
        return {
            key.value: counters(self._programs.counted(key.value, state), state.accounts)
            for key, state in self._programs.states.scan()
            if key.value in self._values
        }

    def dropped_events(self) -> int:
        """How many events were lost because nobody read them in time."""
        return self._programs.total("dropped_events")

    def ungoverned_charges(self) -> int:
        """How many charges below an attachment met no rule; each would be a gap in the rules."""
        return self._programs.total("ungoverned_charges")

    def postponed_looks(self) -> int:
        """None: charges tell of themselves."""
        return 0

    def detach(self) -> None:
        """Take all rules away and leave nothing in the kernel; then close."""
        if not self._closed:
            self._attachments.detach_all_but(())
            self._drop(self._values)
            self._values = {}
            self._alone = True  # of other programs nothing is to stay either
        self.close()

    def close(self) -> None:
        """Give all handles up; what is in force stays so, and if that is nothing, nothing stays. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._attachments.close()
        for former in self._formers:
            former.close()
        self._programs.close()
        if not self._values:
            self._remove_ours()
        self._pins.close()

    def _remove_ours(self) -> None:
        if self._alone:
            self._pins.remove_all()
        else:
            self._pins.remove_object(self._programs.directory)

    def _take_over(self, paths: Mapping[int, str], undo: ExitStack) -> set[int]:
        """Put our programs in the place of others that pins have kept at work.

        Returns:
            The cgroups that have a rule only until they are detached in the end, for nothing but that their
            charges meet one.
        """
        stopgaps = self._attachments.foreign().keys() - paths.keys() - self._values.keys()
        former_ops = {former.ops_id: former.ops_fd for former in self._formers}
        for cgroup_id, ops_id in self._attachments.foreign().items():
            if cgroup_id in stopgaps:
                undo.callback(self._drop, [cgroup_id])
                self._write(cgroup_id, RuleValue(wake_pages=NEVER_PAGES))
            if ops_id in former_ops:
                undo.callback(self._attachments.give_back, cgroup_id, former_ops[ops_id])
            self._attachments.take_over(cgroup_id, paths.get(cgroup_id))
        return stopgaps

    def _attach(self, paths: Mapping[int, str], undo: ExitStack) -> None:
        for cgroup_id in topmost(paths):
            if cgroup_id in self._attachments:
                continue
            if self._attachments.attach(cgroup_id, paths[cgroup_id]):
                undo.callback(self._attachments.detach, [cgroup_id])

    def _retire_formers(self) -> None:
        """Have the counters go on from those of the programs that ours have taken the place of.

        Raises:
            HostError: there is no room for them; the next apply() tries again.
        """
        for former in self._formers:
            former.end_episodes()
        counters_of, totals = inherited(self._formers)
        try:
            for cgroup_id in counters_of.keys() & self._values.keys():
                self._programs.carry(cgroup_id, counters_of[cgroup_id])
        except OSError as error:
            raise _no_room(error, len(self._values)) from error
        self._programs.carry_totals(totals)
        for former in self._formers:
            former.close()
        self._formers = []
        self._pins.remove_objects_but(self._programs.directory)
        self._alone = True

    def _value_of(self, rule: Rule) -> RuleValue:
        """The rule's value; the one at work if it is the same rule, of which there may be thousands."""
        if self._rules.get(rule.cgroup_id) == rule:
            return self._values[rule.cgroup_id]
        return rule_value(rule)

    def _write(self, cgroup_id: int, value: RuleValue) -> None:
        self._programs.rules.update(ctypes.c_uint64(cgroup_id), value)

    def _drop(self, cgroup_ids: Iterable[int]) -> None:
        for cgroup_id in cgroup_ids:
            self._programs.forget(cgroup_id)


def _same(one: RuleValue, other: RuleValue) -> bool:
    return one is other or bytes(one) == bytes(other)


def _rules_at_work(programs: Programs) -> dict[int, RuleValue]:
    """The rules that were left by the last daemon; what it had only half made is removed."""
    rules = {key.value: value for key, value in programs.rules.items()}
    states = {key.value for key in programs.states}
    for cgroup_id in states ^ rules.keys():
        programs.forget(cgroup_id)
    return {cgroup_id: value for cgroup_id, value in rules.items() if cgroup_id in states}


def _formers(pins: Pins, programs: Programs) -> list[Former]:
    """The other objects that are loaded, oldest first."""
    formers = []
    ours_at = pins.objects().index(programs.directory)
    for at, directory in enumerate(pins.objects()):
        if directory != programs.directory:
            # What is not whole any more has nothing to give.
            with suppress(OSError, KeyError):
                formers.append(Former(directory, after_ours=at > ours_at))
    return formers


def _no_room(error: OSError, rules: int) -> HostError:
    if error.errno == errno.E2BIG:
        return HostError(f"{rules} cgroups are more than can be governed", hint="match fewer of them")
    return HostError(f"the kernel does not take a rule: {os.strerror(error.errno or 0)}")
