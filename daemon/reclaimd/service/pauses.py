# SPDX-License-Identifier: GPL-2.0-or-later
"""Which policies are paused: their rules are in mode monitor until they are resumed."""

from dataclasses import dataclass, replace
from typing import Self

from reclaimd.config import LoadedConfig
from reclaimd.config.models import Mode


@dataclass(frozen=True, slots=True)
class Pauses:
    """All policies or none, but for some.

    So a pause of all of them also holds for those that a reload brings.
    """

    everything: bool = False
    exceptions: frozenset[str] = frozenset()

    def holds_for(self, policy: str) -> bool:
        """Tell whether a policy is paused."""
        return (policy in self.exceptions) != self.everything

    def changed(self, policy: str | None, *, paused: bool) -> Self:
        """Return these with one policy, or all, paused or not."""
        if policy is None:
            return replace(self, everything=paused, exceptions=frozenset())
        if self.holds_for(policy) == paused:
            return self
        return replace(self, exceptions=self.exceptions ^ {policy})

    def imposed_on(self, loaded: LoadedConfig) -> LoadedConfig:
        """Return a configuration with its paused policies in mode monitor."""
        policies = tuple(
            policy.model_copy(update={"mode": Mode.MONITOR}) if self.holds_for(policy.name) else policy
            for policy in loaded.config.policies
        )
        return replace(loaded, config=loaded.config.model_copy(update={"policies": policies}))
