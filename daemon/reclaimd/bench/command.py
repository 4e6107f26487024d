# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `reclaimd-bench`."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from reclaimd import __version__
from reclaimd.bench.experiment import BY_WORD, WORKLOADS, Mode
from reclaimd.bench.governor import configuration, governing
from reclaimd.bench.host import machine, require_host
from reclaimd.bench.interruption import Interruption
from reclaimd.bench.marks import marks
from reclaimd.bench.output import Output, draw_pictures, tables
from reclaimd.bench.place import own_cgroups, own_directory
from reclaimd.bench.programs import programs_path
from reclaimd.bench.reclaimers import Setup
from reclaimd.bench.session import FURTHER, Plan, make_runs
from reclaimd.bench.table import BENCH_TITLES, progress_line
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.cli.message import error_line
from reclaimd.errors import ReclaimdError, exit_status

EXIT_STATUSES = """\
exit status:
   0  all runs were made, whatever they show
   1  they could not be made
   2  the command line is wrong
  69  this host cannot do it, or not now
  77  not permitted; run it as root
  78  the configuration cannot be used
 130  interrupted
"""
DEFAULT_PARENT = "/reclaimd-bench.slice"
DEFAULT_DIRECTORY = Path("/var/tmp")  # noqa: S108  a directory of its own is made in it
DEFAULT_OUTPUT = Path("reclaimd-bench")
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    try:
        with Interruption() as interruption:
            _bench(options, interruption)
    except ReclaimdError as error:
        print(error_line("reclaimd-bench", error), file=sys.stderr)
        return exit_status(error)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"reclaimd-bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("reclaimd-bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="reclaimd-bench",
        description="Runs workloads in cgroups of its own, with reclaimd and with what else keeps them below their"
        " limits, in turn, and reports what each run showed.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reclaimd-bench {__version__}")
    _add_what(parser)
    _add_where(parser)
    return parser


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        type=positive,
        default=5,
        metavar="N",
        help="of each workload in each mode (default: %(default)s)",
    )
    parser.add_argument(
        "--modes", nargs="+", choices=[str(mode) for mode in Mode], metavar="MODE", help="default: all"
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=list(BY_WORD), metavar="WORKLOAD", help="default: all"
    )
    parser.add_argument(
        "--only-runs", action="store_true", help="measure neither the reaction nor the cost of many cgroups"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the daemon's configuration, in place of the benchmark's; its policies have to match PARENT/demo/*",
    )
    parser.add_argument("--quiet", action="store_true", help="print a line for each run and nothing else")
    parser.add_argument(
        "--sources", type=Path, metavar="DIR", help="C files for the workload that compiles some"
    )


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parent",
        type=_parent,
        metavar="PARENT",
        default=DEFAULT_PARENT,
        help="the cgroup that is made for all others, / for none (default: %(default)s)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        default=DEFAULT_DIRECTORY,
        help="a directory on a disk, for the workloads' files (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=DEFAULT_OUTPUT,
        help="where the results go, over those of an earlier time (default: %(default)s)",
    )


def positive(text: str) -> int:
    """Read a number of runs, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _parent(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text} is no path that begins with /")
    return text.rstrip("/")


def _bench(options: argparse.Namespace, interruption: Interruption) -> None:
    require_host(find_cgroup_root())
    workloads = [BY_WORD[word] for word in options.workloads or ()] or list(WORKLOADS)
    plan = Plan(workloads, [Mode(word) for word in options.modes or Mode], options.runs)
    more: dict[str, object] = {
        "version": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "kernel": os.uname().release,
        "machine": machine(),
    }
    with _setup(options, plan.modes) as (setup, output), interruption.allowed():
        print(f"reclaimd-bench: kernel {more['kernel']}, {plan.total} runs", flush=True)
        for told in map(output.add, make_runs(setup, plan)):
            print(progress_line(len(output.results.runs), plan.total, told, BENCH_TITLES), flush=True)
        for name, measured in FURTHER.items() if setup.daemon and not options.only_runs else ():
            print(f"reclaimd-bench: measuring the {name}", flush=True)
            more[name] = measured(setup)
    interruption.check()
    output.finish(more)
    if not options.quiet:
        _show(output, plan, more)


@contextmanager
def _setup(options: argparse.Namespace, modes: Sequence[Mode]) -> Iterator[tuple[Setup, Output]]:
    """Have all that runs need while the context lasts."""
    root, programs = find_cgroup_root(), programs_path()
    with (
        own_cgroups(root, options.parent),
        own_directory(options.directory) as disk,
        tempfile.TemporaryDirectory(prefix="reclaimd-bench-") as scratch,
    ):
        output = Output(options.output)
        config = Path(scratch) / "reclaimd.yaml"
        config.write_text(configuration(options.parent), encoding="utf-8")
        with governing(modes, options.config or config, Path(scratch), output.log) as governor:
            yield (
                Setup(
                    root, options.parent, programs, disk, options.sources, governor.daemon, governor.why_not
                ),
                output,
            )


def _show(output: Output, plan: Plan, more: dict[str, object]) -> None:
    results = output.results
    print("", tables(results, plan.workloads, plan.modes), "", sep="\n")
    print(*marks(results.runs, plan.workloads, more), "", sep="\n")
    why_not = draw_pictures(results, plan.workloads, output.directory)
    if why_not:
        print(f"reclaimd-bench: {why_not}")
    print(f"reclaimd-bench: results are in {output.directory}")
