# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics of governed cgroups as text.

prometheus-client makes an object of every sample, and looks at each one's labels anew; for a thousand cgroups that
takes seconds on a slow machine. So what there is a sample of for each cgroup is written straight into text, with
the labels of a cgroup made once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from reclaimd.backend.base import TIME_BOUNDS_NS, Counters, Times
from reclaimd.cgroup.reading import Reading
from reclaimd.service.subject import Subject

NS_PER_S = 1_000_000_000

LABELS = ("cgroup", "policy")

#: Cgroups whose samples make one piece of text, some tens of kilobytes: less would take longer, more more memory.
PIECE_CGROUPS = 100


class Kind(StrEnum):
    """The type of a metric, as it is written after # TYPE."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Governed:
    """A governed cgroup at a scrape.

    Attributes:
        subject: what its rule says.
        counters: what was done for it; None where the backend does not know it (yet).
        reading: what its own accounts say; None if it has gone meanwhile.
    """

    subject: Subject
    counters: Counters | None
    reading: Reading | None


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

    def text(self, governed: Sequence[Governed], *, open_metrics: bool) -> Iterator[str]:
        """Yield the metric in the text format, or in that of OpenMetrics, piece by piece."""
        name = self.name if open_metrics else self.full_name
        yield f"# HELP {name} {self.documentation}\n# TYPE {name} {self.kind}\n"
        for start in range(0, len(governed), PIECE_CGROUPS):
            yield "".join(self._lines(governed[start : start + PIECE_CGROUPS]))

    def _lines(self, governed: Iterable[Governed]) -> Iterable[str]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Number(Family):
    """A metric with one sample for each cgroup: `value_of`, unless that is None."""

    value_of: Callable[[Governed], float | None]

    def _lines(self, governed: Iterable[Governed]) -> Iterable[str]:
        name, value_of = self.full_name, self.value_of
        return [
            f"{name}{{{one.subject.labels}}} {value}\n"
            for one in governed
            if (value := value_of(one)) is not None
        ]


@dataclass(frozen=True, slots=True)
class ByLabel(Family):
    """A metric with a sample for each value of one more label."""

    label: str
    values_of: Callable[[Governed], Iterable[tuple[str, float]]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return (*LABELS, self.label)

    def _lines(self, governed: Iterable[Governed]) -> Iterable[str]:
        name, label, values_of = self.full_name, self.label, self.values_of
        return [
            f'{name}{{{one.subject.labels},{label}="{key}"}} {value}\n'
            for one in governed
            for key, value in values_of(one)
        ]


@dataclass(frozen=True, slots=True)
class Histogram(Family):
    """A histogram of times in seconds, whose buckets end at bounds_ns, some of TIME_BOUNDS_NS."""

    bounds_ns: tuple[int, ...]
    times_of: Callable[[Governed], Times | None]

    def _lines(self, governed: Iterable[Governed]) -> Iterator[str]:
        places = [TIME_BOUNDS_NS.index(bound_ns) for bound_ns in self.bounds_ns]
        template = self._template()
        for one in governed:
            times = self.times_of(one)
            if times is not None:
                up_to = list(accumulate(times.buckets))
                numbers = [up_to[place] for place in places]
                labels = one.subject.labels.replace("%", "%%")
                yield template.replace("LABELS", labels) % (
                    *numbers,
                    up_to[-1],
                    times.sum_ns / NS_PER_S,
                    up_to[-1],
                )

    def _template(self) -> str:
        """The samples of one cgroup, whose numbers and labels are to be filled in: far faster than one by one."""
        bounds = [*(repr(bound_ns / NS_PER_S) for bound_ns in self.bounds_ns), "+Inf"]
        buckets = [f'{self.name}_bucket{{LABELS,le="{bound}"}} %d\n' for bound in bounds]
        return "".join([*buckets, f"{self.name}_sum{{LABELS}} %r\n", f"{self.name}_count{{LABELS}} %d\n"])
