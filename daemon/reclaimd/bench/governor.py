# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon of the runs, where the kernel can have one, and its configuration."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reclaimd.bench.daemon import Daemon, DaemonSetup, running
from reclaimd.bench.experiment import GOVERNED_MODES, Mode
from reclaimd.config import load_config
from reclaimd.kernel.probe import probe

CONFIG = Path(__file__).with_name("bench.yaml")


@dataclass(frozen=True, slots=True)
class Governor:
    """The daemon, or why there is none."""

    daemon: Daemon | None
    why_not: str = ""


def configuration(parent: str) -> str:
    """Return the benchmark's configuration for cgroups below *parent*."""
    return CONFIG.read_text(encoding="utf-8").replace("PARENT", parent)


@contextmanager
def governing(modes: Sequence[Mode], config: Path, scratch: Path, log: Path) -> Iterator[Governor]:
    """Run the daemon while the context lasts, if a mode needs it and the kernel can; its log ends up in *log*.

    Raises:
        ConfigError: the configuration cannot be used.
        DaemonError: it does not end well.
    """
    if not set(modes) & set(GOVERNED_MODES):
        yield Governor(None, "no mode needs it")
        return
    listen = load_config(config).config.metrics.listen
    if error := probe().error():
        yield Governor(None, str(error))
        return
    # Until the end in a place that is likely in memory: on a disk it would be in the workloads' way.
    written = scratch / "log"
    setup = DaemonSetup(config, f"http://{listen}/metrics", written, scratch / "socket")
    try:
        # One for all runs: starting it takes longer than most of them.
        with running(setup) as daemon:
            yield Governor(daemon)
    finally:
        if written.exists():
            shutil.copyfile(written, log)
