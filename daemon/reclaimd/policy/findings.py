# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found while policies are resolved, told once for all cgroups that it is true of."""

from dataclasses import dataclass

from reclaimd.config.loader import LoadedConfig
from reclaimd.config.problem import Problem, Severity
from reclaimd.policy.remark import KeyPath


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a policy: `at` are the keys below the policy that lead to what it is about."""

    severity: Severity
    policy_index: int
    at: KeyPath
    text: str
    hint: str


class Findings:
    """Findings and the cgroups that each is true of, in the order they came."""

    def __init__(self, loaded: LoadedConfig) -> None:
        self._loaded = loaded
        self._paths: dict[Finding, list[str]] = {}

    def add(self, finding: Finding, path: str | None = None) -> None:
        """Note a finding, and the cgroup that it is about if it is about one."""
        paths = self._paths.setdefault(finding, [])
        if path:
            paths.append(path)

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem for each finding, in the order of the file."""
        problems = [self._problem(finding, paths) for finding, paths in self._paths.items()]
        return tuple(sorted(problems, key=lambda problem: problem.position))

    def _problem(self, finding: Finding, paths: list[str]) -> Problem:
        name = self._loaded.config.policies[finding.policy_index].name
        where = f", {_cgroups(paths)}" if paths else ""
        return Problem(
            position=self._loaded.position("policies", finding.policy_index, *finding.at),
            text=f"policy '{name}'{where}: {finding.text}",
            hint=finding.hint,
            severity=finding.severity,
            policy=name,
        )


def _cgroups(paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"cgroup {paths[0]}{more}"
