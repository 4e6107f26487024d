# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics of governed cgroups as text.

prometheus-client makes an object of every sample, and looks at each one's labels anew; for a thousand cgroups that
takes seconds on a slow machine. So what there is a sample of for each cgroup is written straight into text, with
the labels of a cgroup made once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from reclaimd.backend.base import TIME_BOUNDS_NS, Counters, Times
from reclaimd.cgroup.reading import Reading
from reclaimd.policy.rule import Rule

NS_PER_S = 1_000_000_000

LABELS = ("cgroup", "policy")


class Kind(StrEnum):
    """The type of a metric, as it is written after # TYPE."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Governed:
    """A governed cgroup at a scrape.

    Attributes:
        rule: what governs it.
        counters: what was done for it; None where the backend does not know it (yet).
        reading: what its own accounts say; None if it has gone meanwhile.
        labels: its labels, as they are written between braces.
    """

    rule: Rule
    counters: Counters | None
    reading: Reading | None
    labels: str


def labels_of(rule: Rule) -> str:
    """Return the labels of a rule's cgroup as they are written between braces."""
    return f'cgroup="{_escaped(rule.path)}",policy="{rule.policy}"'


def _escaped(text: str) -> str:
    # A name in cgroupfs is bytes; what is no UTF-8 in it must not break the text.
    readable = text.encode("utf-8", "backslashreplace").decode()
    return readable.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of governed cgroups.

    Attributes:
        name: without the suffix of its type.
        kind: its type.
        documentation: what it means, in a sentence.
    """

    name: str
    kind: Kind
    documentation: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return LABELS

    @property
    def full_name(self) -> str:
        """The name of its samples (of a histogram, without what they have in addition)."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name

    def text(self, governed: Iterable[Governed], *, open_metrics: bool) -> str:
        """Return the metric in the text format, or in that of OpenMetrics."""
        name = self.name if open_metrics else self.full_name
        head = f"# HELP {name} {self.documentation}\n# TYPE {name} {self.kind}\n"
        return head + "".join(self._lines(governed))

    def _lines(self, governed: Iterable[Governed]) -> Iterator[str]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Number(Family):
    """A metric with one sample for each cgroup: `value_of`, unless that is None."""

    value_of: Callable[[Governed], float | None]

    def _lines(self, governed: Iterable[Governed]) -> Iterator[str]:
        name, value_of = self.full_name, self.value_of
        for one in governed:
            value = value_of(one)
            if value is not None:
                yield f"{name}{{{one.labels}}} {value}\n"


@dataclass(frozen=True, slots=True)
class ByLabel(Family):
    """A metric with a sample for each value of one more label."""

    label: str
    values_of: Callable[[Governed], Iterable[tuple[str, float]]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return (*LABELS, self.label)

    def _lines(self, governed: Iterable[Governed]) -> Iterator[str]:
        name, label, values_of = self.full_name, self.label, self.values_of
        for one in governed:
            for key, value in values_of(one):
                yield f'{name}{{{one.labels},{label}="{key}"}} {value}\n'


@dataclass(frozen=True, slots=True)
class Histogram(Family):
    """A histogram of times in seconds, whose buckets end at bounds_ns, some of TIME_BOUNDS_NS."""

    bounds_ns: tuple[int, ...]
    times_of: Callable[[Governed], Times | None]

    def _lines(self, governed: Iterable[Governed]) -> Iterator[str]:
        name = self.name
        buckets = [
            (TIME_BOUNDS_NS.index(bound_ns), f'le="{bound_ns / NS_PER_S}"') for bound_ns in self.bounds_ns
        ]
        for one in governed:
            times = self.times_of(one)
            if times is None:
                continue
            labels, up_to = one.labels, list(accumulate(times.buckets))
            for place, bound in buckets:
                yield f"{name}_bucket{{{labels},{bound}}} {up_to[place]}\n"
            yield (
                f'{name}_bucket{{{labels},le="+Inf"}} {up_to[-1]}\n'
                f"{name}_sum{{{labels}}} {times.sum_ns / NS_PER_S}\n"
                f"{name}_count{{{labels}}} {up_to[-1]}\n"
            )
