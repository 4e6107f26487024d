# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration and the cgroups of the moment to rules."""

from collections.abc import Sequence
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from reclaimd.cgroup.machine import read_machine
from reclaimd.config import LoadedConfig
from reclaimd.config.problem import Problem, Severity
from reclaimd.errors import HostError
from reclaimd.policy.match import Interest
from reclaimd.policy.resolve import PolicyResolver
from reclaimd.policy.rule import Rule
from reclaimd.service.census import Census
from reclaimd.service.permission import Permission


class Resolver:
    """Resolves a configuration for the cgroups of the moment, and logs each problem when it arises.

    What has changed since the last time is read and resolved, and nothing else.

    Args:
        loaded: the configuration.
        root: where cgroup2 is mounted.
        logger: where to say what is wrong.
        permission: which cgroups may be governed.
        standing: what is wrong with the policies whatever cgroups there are.

    Raises:
        HostError: the tree cannot be watched.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        root: Path,
        logger: FilteringBoundLogger,
        permission: Permission,
        standing: Sequence[Problem] = (),
    ) -> None:
        self._logger = logger
        self._permission = permission
        self._standing = tuple(standing)
        self._loaded = loaded
        self._policies = PolicyResolver(loaded, PAGE_BYTES)
        self._known_problems: frozenset[Problem] = frozenset()
        self._census = Census(root, Interest(loaded.config))

    def pollables(self) -> tuple[int, ...]:
        """Return the fds that are readable when take_changes() has something to tell."""
        return self._census.pollables()

    @property
    def policies(self) -> Sequence[str]:
        """The names of the policies."""
        return [policy.name for policy in self._loaded.config.policies]

    @property
    def problems(self) -> frozenset[Problem]:
        """What was wrong with the policies when rules() was last called; another set each time."""
        return self._known_problems

    def take_changes(self) -> bool:
        """Tell whether rules() may return something else since the last call; never blocks.

        Raises:
            HostError: the kernel's limit on watches is reached.
        """
        return self._census.update()

    def close(self) -> None:
        """End the watches."""
        self._census.close()

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules for the cgroups that there are and may be governed, by path.

        Raises:
            HostError: the tree cannot be read or watched.
        """
        try:
            self._census.update()
            resolution = self._policies.resolve(self._census.cgroups(), read_machine())
        except OSError as error:
            raise HostError(f"cannot read the cgroup tree: {error}") from error
        self._report((*self._standing, *resolution.problems))
        return self._permission.permitted(resolution.rules)

    def _report(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            if problem not in self._known_problems:
                is_warning = problem.severity is Severity.WARNING
                say = self._logger.warning if is_warning else self._logger.error
                say(str(problem), kind="policy problem")
        self._known_problems = frozenset(problems)
