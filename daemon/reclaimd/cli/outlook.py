# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon's backend on this host would be, and what a configuration comes to with it; needs no privileges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reclaimd.backend.base import Ability
from reclaimd.backend.choose import expected
from reclaimd.backend.fit import fit
from reclaimd.config import LoadedConfig
from reclaimd.config.problem import Problem
from reclaimd.errors import ReclaimdError


@dataclass(frozen=True, slots=True)
class Outlook:
    """A configuration on this host.

    Attributes:
        loaded: without what the backend lacks.
        backend: the backend's name; None if the host has none.
        why: why it is this one, or there is none.
        problems: what is to be said about what policies lack.
        lacks: what each policy lacks, by its name.
    """

    loaded: LoadedConfig
    backend: str | None
    why: str
    problems: tuple[Problem, ...]
    lacks: dict[str, tuple[Ability, ...]]

    @classmethod
    def of(cls, loaded: LoadedConfig, cgroup_root: Path) -> Self:
        """Look at a configuration as the daemon would, had it all rights."""
        try:
            found = expected(loaded.config.backend, cgroup_root)
        except ReclaimdError as error:
            return cls(loaded, None, str(error), (), {})
        backend = found.decision.backend.value
        fitted = fit(loaded, backend, found.abilities)
        return cls(fitted.loaded, backend, found.decision.why, fitted.problems, dict(fitted.lacks))

    def __str__(self) -> str:
        """Return the backend and why it is this one, in one line."""
        return f"backend {self.backend}: {self.why}" if self.backend else f"no backend here: {self.why}"
