# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found while a policy is resolved for one cgroup."""

from dataclasses import dataclass

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """What an administrator should know; `at` are the keys below the policy that it is about."""

    at: KeyPath
    text: str
    hint: str


class CannotResolveError(Exception):
    """The policy cannot be carried out for this cgroup."""

    def __init__(self, at: KeyPath, text: str, hint: str) -> None:
        super().__init__(text)
        self.remark = Remark(at, text, hint)
