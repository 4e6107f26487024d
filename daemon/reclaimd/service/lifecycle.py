# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon from its start to its stop: rules in force for whatever cgroups there are, and a log of what happens."""

import math
import select
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reclaimd import __version__
from reclaimd.backend.base import CgroupGone, Chosen, EpisodeEnded
from reclaimd.backend.fit import Fitted, fit
from reclaimd.config import LoadedConfig
from reclaimd.config.models import BackendChoice, Metrics
from reclaimd.config.problem import InvalidConfigError, Problem
from reclaimd.errors import HostError, ReclaimdError
from reclaimd.policy.rule import Rule
from reclaimd.service.certificates import certificates_of
from reclaimd.service.control.address import ControlSocket
from reclaimd.service.control.history import History
from reclaimd.service.control.interface import Interface
from reclaimd.service.control.server import ControlServer
from reclaimd.service.event_log import log_changes, log_episode, log_protection
from reclaimd.service.exposition import Exposition
from reclaimd.service.heartbeat import Heartbeat
from reclaimd.service.http import MetricsServer
from reclaimd.service.incidents import Incident, Incidents
from reclaimd.service.ledger import Ledger, Loading, PolicyState
from reclaimd.service.log import DaemonLog
from reclaimd.service.manager import ServiceManager
from reclaimd.service.memory import give_memory_back
from reclaimd.service.metrics import Sources
from reclaimd.service.open_files import raise_open_files_limit
from reclaimd.service.pages import Pages
from reclaimd.service.pauses import Pauses
from reclaimd.service.permission import Permission
from reclaimd.service.resolver import Resolver
from reclaimd.service.signals import RELOAD_SIGNAL, STOP_SIGNALS, SignalFd

#: How often rules are resolved anew when cgroups vanish between being read and being attached to.
MAX_APPLY_ATTEMPTS = 5
#: After so long what the kernel has refused is tried again: what stood in the way may have gone.
RETRY_S = 10.0
#: Episodes may end by the hundred a second: they are taken so often at most, together, as each turn takes CPU time.
EVENTS_PAUSE_S = 0.5

MS_PER_S = 1_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon runs in.

    Attributes:
        root: where cgroup2 is mounted.
        control_socket: what it is looked at and steered by.
        log: where to say what happens; its settings follow the configuration.
        manager: the service manager, likewise.
    """

    root: Path
    control_socket: Path
    log: DaemonLog
    manager: ServiceManager


def serve(
    loaded: LoadedConfig,
    load: Callable[[], LoadedConfig],
    open_backend: Callable[[Path], Chosen],
    surroundings: Surroundings,
) -> None:
    """Govern until SIGTERM or SIGINT; load the configuration anew at each SIGHUP.

    At the end everything is detached, unless the configuration says to keep it.

    Args:
        loaded: the configuration.
        load: reads it again; raises ReclaimdError if it cannot be used.
        open_backend: chooses and opens what carries rules out; given where cgroup2 is mounted.
        surroundings: the tree, the control socket, the log and the service manager.

    Raises:
        ReclaimdError: there is no way to start; what was in force before still is.
    """
    raise_open_files_limit()
    give_memory_back()
    with (
        SignalFd() as signals,
        closing(ControlSocket(surroundings.control_socket)) as control_socket,
        closing(_chosen(open_backend, surroundings)) as chosen,
        closing(Ledger(chosen.backend, chosen.why)) as ledger,
        closing(Daemon(loaded, load, ledger, surroundings)) as daemon,
        closing(ControlServer(control_socket)) as control,
    ):
        control.offer(Interface(daemon, ledger, daemon.history, surroundings.root, control))
        daemon.start()
        daemon.loop(signals, control)
        daemon.stop()
    surroundings.log.logger.info("stopped")


class Daemon:
    """Waits for what happens to cgroups, in the kernel's reclaim and to the process, and acts on it.

    Args:
        loaded: the configuration to start with.
        load: reads it again.
        ledger: without rules yet; stays the caller's to close.
        surroundings: the tree, the log and the service manager.

    Attributes:
        history: the latest events.

    Raises:
        ReclaimdError: the backend lacks what a policy asks for, the tree cannot be watched, or metrics cannot be
            served.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        load: Callable[[], LoadedConfig],
        ledger: Ledger,
        surroundings: Surroundings,
    ) -> None:
        self._load = load
        self._ledger = ledger
        self._root = surroundings.root
        self._log = surroundings.log
        self._logger = surroundings.log.logger
        self._manager = surroundings.manager
        self._loaded = loaded
        self._permission = Permission(ledger, self._logger)
        self._pauses = Pauses()
        self.history = History()
        self._episodes = 0
        self._retry_at_s: float | None = None
        self._events_at_s = 0.0
        self._incidents = Incidents()
        with ExitStack() as opened:
            self._heartbeat = opened.enter_context(closing(Heartbeat()))
            self._fitted = self._fit(loaded, self._pauses)
            self._resolver = opened.enter_context(closing(self._open_resolver(self._fitted)))
            self._server = opened.enter_context(closing(self._open_server(loaded.config.metrics)))
            opened.pop_all()

    def start(self) -> None:
        """Put the first rules in force; raises HostError if that cannot be."""
        self._apply(self._resolver)
        self._tell_policies()
        self._say_in_force("in force")
        self._manager.ready(self._status())

    def reload(self) -> tuple[str, ...]:
        """Load the configuration anew and put it in force, or leave everything as it is.

        Returns:
            What is wrong with it, a line for each problem; nothing if it is in force.
        """
        self._manager.reloading()
        before = self._ledger.rules
        try:
            loaded = self._load()
            _require_same_backend(loaded, self._loaded.config.backend)
            self._replace(loaded, self._pauses)
        except ReclaimdError as error:
            self._say_not_reloaded(error)
        else:
            self._ledger.loading = Loading(time.time())
            self._say_in_force("reloaded")
            log_changes(self._logger, before, self._ledger.rules)
        self._manager.ready(self._status())
        return self._ledger.loading.problems

    def pause(self, policy: str | None) -> None:
        """Have a policy, or all, only decide and count until resume().

        Raises:
            HostError: the kernel refused; everything is as it was.
        """
        self._change_pauses("paused", policy, self._pauses.changed(policy, paused=True))

    def resume(self, policy: str | None) -> None:
        """Have a policy, or all, be carried out again; raises as pause() does."""
        self._change_pauses("resumed", policy, self._pauses.changed(policy, paused=False))

    def stop(self) -> None:
        """Take the rules out of force, unless the configuration says to keep them."""
        if not self._loaded.config.keep_on_stop:
            self._ledger.detach()

    def close(self) -> None:
        """End the watches, and stop serving metrics."""
        self._server.close()
        self._resolver.close()
        self._heartbeat.close()

    def loop(self, signals: SignalFd, control: ControlServer) -> None:
        """Follow what happens, and answer who asks, until a signal says to stop."""
        while True:
            self._wait(signals, control)
            self._heartbeat.beat()
            received = signals.received()
            if stop := next((number for number in received if number in STOP_SIGNALS), None):
                self._manager.stopping()
                self._logger.info("stopping", signal=stop.name)
                return
            if RELOAD_SIGNAL in received:
                self.reload()
            self._follow()
            # Last of what may take long, so that those who follow events have the newest.
            control.turn()
            self._log.tell_left_out()
            self._manager.status(self._status())
            self._manager.keep_alive()

    def _wait(self, signals: SignalFd, control: ControlServer) -> None:
        poll = select.poll()
        fds = [signals.fileno(), self._heartbeat.fileno(), self._server.fileno(), control.fileno()]
        fds += self._resolver.pollables()
        own_waits_s = [self._manager.wait_s(), self._log.wait_s(), self._retry_in_s()]
        pause_s = self._events_at_s - time.monotonic()
        if pause_s > 0:
            own_waits_s.append(pause_s)
        else:
            fds += self._ledger.pollables()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        waits_s = [wait for wait in own_waits_s if wait is not None]
        poll.poll(math.ceil(min(waits_s) * MS_PER_S) if waits_s else None)

    def _follow(self) -> None:
        self._server.accept()
        before = self._ledger.rules
        try:
            gone, changed = self._take_events(), self._resolver.take_changes()
            if gone or changed or self._retry_in_s() == 0:
                self._reconcile()
                self._retry_at_s = None
        except HostError as error:
            self._retry_at_s = time.monotonic() + RETRY_S
            self._say_kept(error)
        log_changes(self._logger, before, self._ledger.rules)

    def _retry_in_s(self) -> float | None:
        return None if self._retry_at_s is None else max(0.0, self._retry_at_s - time.monotonic())

    def _take_events(self) -> bool:
        """Log what the backend tells of; return whether a cgroup has gone."""
        events = self._ledger.take_events()
        if events:
            self._events_at_s = time.monotonic() + EVENTS_PAUSE_S
        for event in events:
            if isinstance(event, CgroupGone):
                continue
            name = self._ledger.name_of(event.cgroup_id)
            self.history.add(event, name)
            if isinstance(event, EpisodeEnded):
                self._episodes += 1
                log_episode(self._logger, event, name)
            else:
                log_protection(self._logger, event, name)
        return any(isinstance(event, CgroupGone) for event in events)

    def _reconcile(self) -> None:
        rules = self._resolver.rules()
        if {rule.cgroup_id: rule for rule in rules} != self._ledger.rules:
            self._apply(self._resolver, rules)

    def _say_kept(self, error: HostError) -> None:
        self._incidents.note(Incident.APPLY)
        self._logger.error("the rules in force stay as they are", error=str(error))

    def _say_not_reloaded(self, error: ReclaimdError) -> None:
        self._incidents.note(Incident.RELOAD)
        problems = tuple(str(error).splitlines())
        self._ledger.loading = replace(self._ledger.loading, problems=problems)
        for problem in problems:
            self._logger.error("not reloaded: the configuration in force stays", error=problem)

    def _status(self) -> str:
        """What systemctl status shows of the daemon."""
        policies, rules = len(self._loaded.config.policies), len(self._ledger.rules)
        text = f"Policies: {policies}, cgroups with a rule: {rules}, episodes: {self._episodes}"
        problems = self._ledger.loading.problems
        return f"{text}; not reloaded: {problems[0]}" if problems else text

    def _say_in_force(self, event: str) -> None:
        self._logger.info(
            event,
            rules=len(self._ledger.rules),
            policies=len(self._loaded.config.policies),
            backend=self._ledger.backend_name,
            metrics=str(self._server.address),
            version=__version__,
        )

    def _change_pauses(self, event: str, policy: str | None, pauses: Pauses) -> None:
        before = self._ledger.rules
        self._replace(self._loaded, pauses)
        self._logger.warning(event, policy=policy or "all")
        log_changes(self._logger, before, self._ledger.rules)

    def _tell_policies(self) -> None:
        self._ledger.policies = tuple(
            PolicyState(
                policy.name,
                policy.mode,
                self._pauses.holds_for(policy.name),
                self._fitted.lacks[policy.name],
            )
            for policy in self._loaded.config.policies
        )

    def _replace(self, loaded: LoadedConfig, pauses: Pauses) -> None:
        """Have another configuration in force; what can fail comes before what changes anything."""
        with ExitStack() as new:
            fitted = self._fit(loaded, pauses)
            resolver = new.enter_context(closing(self._open_resolver(fitted)))
            server, metrics = self._server, loaded.config.metrics
            certificates = certificates_of(metrics, self._incidents)
            if metrics.listen != self._loaded.config.metrics.listen:
                server = new.enter_context(closing(self._open_server(metrics, beside=server)))
            self._apply(resolver)
            new.pop_all()
        self._resolver.close()
        if server is not self._server:
            self._server.close()
        self._resolver, self._server = resolver, server
        self._loaded, self._pauses, self._fitted = loaded, pauses, fitted
        server.change(self._pages(metrics), certificates)
        self._log.change(loaded.config.log)
        self._tell_policies()

    def _fit(self, loaded: LoadedConfig, pauses: Pauses) -> Fitted:
        fitted = fit(pauses.imposed_on(loaded), self._ledger.backend_name, self._ledger.abilities)
        fitted.require()
        return fitted

    def _open_resolver(self, fitted: Fitted) -> Resolver:
        return Resolver(fitted.loaded, self._root, self._logger, self._permission, fitted.problems)

    def _open_server(self, metrics: Metrics, beside: MetricsServer | None = None) -> MetricsServer:
        return MetricsServer(
            self._pages(metrics),
            metrics.listen,
            certificates_of(metrics, self._incidents),
            partial(self._incidents.note, Incident.CLIENTS),
            beside,
        )

    def _pages(self, metrics: Metrics) -> Pages:
        sources = Sources(self._ledger, self._resolver, self._log, self._incidents)
        exposition = Exposition(sources, self._root, metrics.max_cgroups)
        return Pages(exposition, self._heartbeat.comes_within)

    def _apply(self, resolver: Resolver, rules: Sequence[Rule] | None = None) -> None:
        rules = resolver.rules() if rules is None else rules
        for _ in range(MAX_APPLY_ATTEMPTS - 1):
            try:
                return self._ledger.apply(rules)
            except HostError:
                # A cgroup that has gone meanwhile explains it, unless nothing has changed.
                before, rules = rules, resolver.rules()
                if rules == before:
                    raise
        return self._ledger.apply(rules)


def _chosen(open_backend: Callable[[Path], Chosen], surroundings: Surroundings) -> Chosen:
    chosen = open_backend(surroundings.root)
    surroundings.log.logger.info("backend chosen", backend=chosen.backend.name, why=chosen.why)
    return chosen


def _require_same_backend(loaded: LoadedConfig, before: BackendChoice) -> None:
    now = loaded.config.backend
    if now is not before:
        text = f"backend is {now}, and was {before} when the daemon was started"
        raise InvalidConfigError(
            [Problem(loaded.position("backend"), text, "restart the daemon to change it")]
        )
