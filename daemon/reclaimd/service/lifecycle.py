# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon from its start to its stop: rules in force for whatever cgroups there are, and a log of what happens."""

import select
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from reclaimd import __version__
from reclaimd.backend.base import Backend, CgroupGone, EpisodeEnded, ProtectionBegan
from reclaimd.config import LoadedConfig
from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule
from reclaimd.service.event_log import log_changes, log_episode, log_protection
from reclaimd.service.http import MetricsServer
from reclaimd.service.ledger import Ledger
from reclaimd.service.metrics import LedgerCollector
from reclaimd.service.resolver import Resolver
from reclaimd.service.signals import SignalFd

#: How often rules are resolved anew when cgroups vanish between being read and being attached to.
MAX_APPLY_ATTEMPTS = 5


def serve(
    loaded: LoadedConfig, root: Path, open_backend: Callable[[Path], Backend], logger: FilteringBoundLogger
) -> None:
    """Govern until SIGTERM or SIGINT, then detach everything.

    Args:
        loaded: the configuration.
        root: where cgroup2 is mounted.
        open_backend: opens what carries rules out; given the root.
        logger: where to say what happens.

    Raises:
        ReclaimdError: there is no way to start; nothing is left attached.
    """
    listen = loaded.config.metrics.listen
    with (
        SignalFd() as signals,
        closing(Resolver(loaded, root, logger)) as resolver,
        closing(Ledger(open_backend(root))) as ledger,
        closing(MetricsServer(LedgerCollector(ledger, root), listen)) as server,
    ):
        daemon = Daemon(ledger, resolver, server, signals, logger)
        daemon.start()
        logger.info(
            "in force",
            rules=len(ledger.rules),
            policies=len(loaded.config.policies),
            backend=ledger.backend_name,
            metrics=str(server.address),
            version=__version__,
        )
        daemon.loop()
    logger.info("stopped")


class Daemon:
    """Waits for what happens to cgroups, in the kernel's reclaim and to the process, and acts on it."""

    def __init__(
        self,
        ledger: Ledger,
        resolver: Resolver,
        server: MetricsServer,
        signals: SignalFd,
        logger: FilteringBoundLogger,
    ) -> None:
        self._ledger = ledger
        self._resolver = resolver
        self._server = server
        self._signals = signals
        self._logger = logger

    def start(self) -> None:
        """Put the first rules in force; raises HostError if that cannot be."""
        self._apply(self._resolver.rules())

    def loop(self) -> None:
        """Follow what happens until a signal says to stop."""
        while True:
            self._wait()
            if stop_signals := self._signals.received():
                self._logger.info("stopping", signal=stop_signals[0].name)
                return
            self._follow()

    def _wait(self) -> None:
        poll = select.poll()
        own = (self._signals.fileno(), self._server.fileno(), *self._resolver.pollables())
        for fd in (*own, *self._ledger.pollables()):
            poll.register(fd, select.POLLIN)
        poll.poll()

    def _follow(self) -> None:
        self._server.accept()
        before = self._ledger.rules
        try:
            gone, changed = self._take_events(), self._resolver.take_changes()
            if gone or changed:
                self._reconcile()
        except HostError as error:
            self._say_kept(error)
        log_changes(self._logger, before, self._ledger.rules)

    def _take_events(self) -> bool:
        """Log what the backend tells of; return whether a cgroup has gone."""
        events = self._ledger.take_events()
        for event in events:
            if isinstance(event, EpisodeEnded):
                log_episode(self._logger, event, self._ledger.name_of(event.cgroup_id))
            elif isinstance(event, ProtectionBegan):
                log_protection(self._logger, event, self._ledger.name_of(event.cgroup_id))
        return any(isinstance(event, CgroupGone) for event in events)

    def _reconcile(self) -> None:
        rules = self._resolver.rules()
        if {rule.cgroup_id: rule for rule in rules} != self._ledger.rules:
            self._apply(rules)

    def _say_kept(self, error: HostError) -> None:
        self._logger.error("the rules in force stay as they are", error=str(error))

    def _apply(self, rules: Sequence[Rule]) -> None:
        for _ in range(MAX_APPLY_ATTEMPTS - 1):
            try:
                return self._ledger.apply(rules)
            except HostError:
                # A cgroup that has gone meanwhile explains it, unless nothing has changed.
                before, rules = rules, self._resolver.rules()
                if rules == before:
                    raise
        return self._ledger.apply(rules)
