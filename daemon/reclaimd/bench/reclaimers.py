# SPDX-License-Identifier: GPL-2.0-or-later
"""Who keeps the cgroups of a run below their limits: one of these for each mode."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from reclaimd.bench import damon, oomd
from reclaimd.bench.cpu_clock import process_cpu_s
from reclaimd.bench.daemon import Daemon, Totals
from reclaimd.bench.experiment import START_SHARE, STOP_SHARE, Mode
from reclaimd.bench.unavailable import UnavailableError


@dataclass(frozen=True, slots=True)
class Target:
    """A cgroup of a run: its path below the cgroup2 root, its directory and its memory.max."""

    cgroup: str
    directory: Path
    limit_bytes: int

    @property
    def start_bytes(self) -> int:
        """The usage at which reclaim is to start."""
        return int(self.limit_bytes * START_SHARE)

    @property
    def stop_bytes(self) -> int:
        """The usage down to which it is to go on."""
        return int(self.limit_bytes * STOP_SHARE)


@dataclass(frozen=True, slots=True)
class Bill:
    """What reclaim has cost, besides what tasks of the cgroups themselves had to do, and what it did if told.

    *cpu_s* is None where nobody else reclaims.
    """

    cpu_s: float | None = None
    totals: Totals = field(default_factory=Totals)


class Reclaimer(Protocol):
    """Somebody at work on the cgroups of a run."""

    def bill(self) -> Bill:
        """Return the cost since it was ready."""


class Nobody:
    """Reclaim is left to the tasks that charge."""

    def bill(self) -> Bill:
        """Nobody else is to pay."""
        return Bill()


@dataclass(frozen=True, slots=True)
class Process:
    """A process that reclaims, and the CPU time that it had taken to get ready."""

    pid: int
    ready_s: float

    @classmethod
    def ready(cls, pid: int) -> Self:
        """Return the process of this id: what it takes from now on is for reclaim."""
        return cls(pid, process_cpu_s(pid))

    def spent_s(self) -> float:
        """Return its CPU time since: of what it does besides reclaim, such as polling, too."""
        return process_cpu_s(self.pid) - self.ready_s

    def bill(self) -> Bill:
        """Return its CPU time."""
        return Bill(self.spent_s())


@dataclass(frozen=True, slots=True)
class Governed:
    """The daemon and the kernel's workers, for cgroups from which nothing was reclaimed before."""

    daemon: Daemon
    process: Process
    cgroups: Sequence[str]

    def bill(self) -> Bill:
        """Return the CPU time of both; the daemon's is read first, as scraping it costs some."""
        daemon_s = self.process.spent_s()
        counted = self.daemon.totals(self.cgroups)
        return Bill(daemon_s + counted.worker_cpu_s, counted)


@dataclass(frozen=True, slots=True)
class Setup:
    """What runs need: a place for their cgroups, the compiled helpers, a directory on a disk, and a daemon.

    Attributes:
        root: where cgroup2 is mounted.
        parent: of the parents of all cgroups: a path below the root, empty for the root itself.
        programs: the directory of the compiled helpers.
        disk: a directory to write to, which nobody else uses.
        sources: what is compiled by the workload that does.
        daemon: governs what policies match; None where there is none.
        no_daemon: why there is none.
    """

    root: Path
    parent: str
    programs: Path
    disk: Path
    sources: Path | None = None
    daemon: Daemon | None = None
    no_daemon: str = ""

    def target(self, cgroup: str, limit_bytes: int) -> Target:
        """Return the target of a path below the parent."""
        path = f"{self.parent}{cgroup}"
        return Target(path, self.root / path.lstrip("/"), limit_bytes)

    def governor(self) -> Daemon:
        """Return the daemon.

        Raises:
            UnavailableError: there is none.
        """
        if self.daemon is None:
            raise UnavailableError(self.no_daemon)
        return self.daemon


def reclaiming(mode: Mode, targets: Sequence[Target], setup: Setup) -> AbstractContextManager[Reclaimer]:
    """Have *mode*'s reclaimer work on *targets* while the context lasts.

    Raises:
        UnavailableError: this host or kernel has none.
        DaemonError: the daemon does not govern the targets.
    """
    return _RECLAIMERS[mode](targets, setup)


@contextmanager
def _nobody(_targets: Sequence[Target], _setup: Setup) -> Iterator[Reclaimer]:
    yield Nobody()


@contextmanager
def _memory_high(targets: Sequence[Target], _setup: Setup) -> Iterator[Reclaimer]:
    for target in targets:
        (target.directory / "memory.high").write_text(str(target.start_bytes))
    yield Nobody()


@contextmanager
def _loop(targets: Sequence[Target], setup: Setup, *, interval_us: int) -> Iterator[Reclaimer]:
    command: list[str | Path] = [setup.programs / "loop", "--interval-us", str(interval_us)]
    command += ["--start-bytes", str(targets[0].start_bytes), "--stop-bytes", str(targets[0].stop_bytes)]
    command += [target.directory for target in targets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # for the type checker: it is a pipe
        try:
            if not process.stdout.readline():  # its heading: from now on it polls
                raise subprocess.CalledProcessError(process.wait(), command)
            yield Process.ready(process.pid)
            if process.poll() is not None:
                raise subprocess.CalledProcessError(process.returncode, command)
        finally:
            process.kill()


@contextmanager
def _oomd(targets: Sequence[Target], setup: Setup) -> Iterator[Reclaimer]:
    bounds = (targets[0].stop_bytes, targets[0].start_bytes)
    with oomd.running(setup.root, [target.cgroup for target in targets], *bounds) as pid:
        yield Process.ready(pid)


@contextmanager
def _damon(targets: Sequence[Target], _setup: Setup) -> Iterator[Reclaimer]:
    if len(targets) > 1:
        raise UnavailableError("a quota's goal is one cgroup's usage, and this workload has several")
    with damon.running(targets[0].cgroup, targets[0].stop_bytes) as pid:
        yield Process.ready(pid)


@contextmanager
def _governed(targets: Sequence[Target], setup: Setup) -> Iterator[Reclaimer]:
    cgroups, daemon = [target.cgroup for target in targets], setup.governor()
    daemon.wait_until_in_force(cgroups)
    daemon.wait_until_idle()
    yield Governed(daemon, Process.ready(daemon.pid), cgroups)


_RECLAIMERS: Mapping[Mode, Callable[[Sequence[Target], Setup], AbstractContextManager[Reclaimer]]] = {
    Mode.NONE: _nobody,
    Mode.MEMORY_HIGH: _memory_high,
    Mode.LOOP_1_MS: partial(_loop, interval_us=1000),
    Mode.LOOP_100_MS: partial(_loop, interval_us=100_000),
    Mode.OOMD: _oomd,
    Mode.DAMON: _damon,
    Mode.NO_BACK_PRESSURE: _governed,
    Mode.RECLAIMD: _governed,
}
