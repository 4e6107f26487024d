# SPDX-License-Identifier: GPL-2.0-or-later
"""The log lines about what happens to rules and under them."""

from collections.abc import Mapping
from mmap import PAGESIZE as PAGE_BYTES

from structlog.typing import FilteringBoundLogger

from reclaimd.backend.base import EpisodeEnded, ProtectionBegan
from reclaimd.policy.rule import Rule
from reclaimd.service.ledger import Name

BYTES_PER_MIB = 1 << 20
NS_PER_MS = 1_000_000


def log_changes(logger: FilteringBoundLogger, before: Mapping[int, Rule], after: Mapping[int, Rule]) -> None:
    """Say which rules have come, changed and gone: one line with numbers, and below it one for each."""
    if before is after:
        return
    added = [after[key] for key in after.keys() - before.keys()]
    changed = [rule for key, rule in after.items() if before.get(key, rule) != rule]
    removed = [before[key] for key in before.keys() - after.keys()]
    if not (added or changed or removed):
        return
    counts = {"added": len(added), "changed": len(changed), "removed": len(removed)}
    logger.info("rules changed", rules=len(after), **counts)
    for what, rules in (("rule added", added), ("rule changed", changed), ("rule removed", removed)):
        for rule in rules:
            logger.debug(what, cgroup=rule.path, policy=rule.policy)


def log_episode(logger: FilteringBoundLogger, event: EpisodeEnded, name: Name | None) -> None:
    """Write the line about one episode; the name is None for a cgroup that is long gone."""
    logger.info(
        "episode",
        **_known(name, event.cgroup_id),
        episode=event.episode,
        started_for=event.started_for.value,
        start_value=event.start_value,
        reason=event.reason.value,
        stop_value=event.stop_value,
        pages_asked=event.pages_asked,
        pages_reclaimed=event.pages_reclaimed,
        reclaimed_mib=_mib(event.pages_reclaimed),
        duration_ms=(event.ended_ns - event.started_ns) / NS_PER_MS,
        reclaim_ms=event.reclaim_ns / NS_PER_MS,
        reclaim_cpu_ms=event.reclaim_cpu_ns / NS_PER_MS,
        passes=event.passes,
        usage_before_mib=_mib(event.usage_started_pages),
        usage_after_mib=_mib(event.usage_ended_pages),
    )


def log_protection(logger: FilteringBoundLogger, event: ProtectionBegan, name: Name | None) -> None:
    """Write the line about a protection that began."""
    known = _known(name, event.cgroup_id)
    logger.info("protected", **known, started_for=event.metric.value, start_value=event.value)


def _known(name: Name | None, cgroup_id: int) -> dict[str, str | int]:
    return {"cgroup": name.cgroup, "policy": name.policy} if name else {"cgroup_id": cgroup_id}


def _mib(pages: int) -> float:
    return round(pages * PAGE_BYTES / BYTES_PER_MIB, 3)
