# SPDX-License-Identifier: GPL-2.0-or-later
"""What this host offers to both backends, and which of them the daemon would take."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from reclaimd.backend.base import Ability
from reclaimd.backend.choose import Decision, decide
from reclaimd.backend.memory_reclaim import probe as reclaim_probe
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.errors import ReclaimdError
from reclaimd.kernel.probe import ProbeReport, probe

#: What memory.reclaim may or may not have, by the kernel.
_OPTIONAL = {
    Ability.SWAPPINESS: "swappiness",
    Ability.SWAPPINESS_ANON_ONLY: "swappiness of anon-only",
    Ability.PSI: "PSI",
}


@dataclass(frozen=True, slots=True)
class HostReport:
    """What was found.

    Attributes:
        bpf: what there is of what bpf needs.
        obstacle: why memory.reclaim cannot run here; None if it can.
        abilities: what it can do here; nothing if it cannot run.
        chosen: what `auto` takes, or why that is nothing.
    """

    bpf: ProbeReport
    obstacle: ReclaimdError | None
    abilities: frozenset[Ability]
    chosen: Decision | ReclaimdError

    @classmethod
    def of_this_host(cls) -> Self:
        """Look for everything."""
        bpf, abilities = probe(), frozenset[Ability]()
        try:
            root = find_cgroup_root()
            obstacle = reclaim_probe.obstacle(root)
            if obstacle is None:
                abilities = reclaim_probe.abilities(root)
        except ReclaimdError as error:
            obstacle = error
        return cls(bpf, obstacle, abilities, _chosen(bpf, obstacle))

    @property
    def exit_status(self) -> int:
        """That of the command: whether the daemon can run here, as this user."""
        return self.chosen.exit_status if isinstance(self.chosen, ReclaimdError) else os.EX_OK

    def text_lines(self) -> Iterator[str]:
        """Yield lines for people: what each backend needs, what to do for it, and a verdict."""
        yield "backend bpf:"
        yield from (f"  {line}" for line in self.bpf.text_lines())
        yield from (f"  to do: {remedy}" for remedy in self.bpf.remedies)
        yield "backend memory.reclaim:"
        yield from (f"  {line}" for line in self._reclaim_lines())
        yield ""
        if isinstance(self.chosen, Decision):
            yield f"reclaimd can run here with the {self.chosen}"
        else:
            yield self.chosen.message

    def as_dict(self) -> dict[str, object]:
        """Return what was found, for programs.

        It is {"can_run": bool, "backend": what auto takes or null, "why": why it is that or nothing, "bpf": {"can_run",
        "findings": [{"name", "present", "required", "detail", "remedy"}]}, "memory.reclaim": {"can_run", "obstacle":
        text or null, "abilities": [text]}}.
        """
        decision = self.chosen if isinstance(self.chosen, Decision) else None
        return {
            "can_run": decision is not None,
            "backend": decision.backend.value if decision else None,
            "why": decision.why if decision else str(self.chosen),
            "bpf": self.bpf.as_dict(),
            "memory.reclaim": {
                "can_run": self.obstacle is None,
                "obstacle": str(self.obstacle) if self.obstacle else None,
                "abilities": sorted(self.abilities),
            },
        }

    def _reclaim_lines(self) -> Iterator[str]:
        if self.obstacle is not None:
            yield f"MISSING  {self.obstacle}"
            return
        yield "present  memory.reclaim"
        for ability, name in _OPTIONAL.items():
            yield f"{'present' if ability in self.abilities else 'absent':8} {name}"


def _chosen(bpf: ProbeReport, obstacle: ReclaimdError | None) -> Decision | ReclaimdError:
    try:
        return decide(bpf, obstacle, is_root=os.geteuid() == 0)
    except ReclaimdError as error:
        return error
