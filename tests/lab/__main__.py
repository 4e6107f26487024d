# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's command line.

Exit status of `run`: the command's own; 125 when the VM was lost, 126 when the command ended with 0 but the kernel
log has an oops, a warning or a checker's report. Of the others: 0, 1 for a failed step, 2 for a wrong command line,
69 when this host lacks something, 77 without root.
"""

import argparse
import math
import sys

from kernel_patches.kernel import Variant, kernel
from tests.lab import apt, dist, programs, vm
from tests.lab.cache import cache_dir
from tests.lab.errors import KernelComplaintError, LabError, VmLostError
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.progress import say
from tests.lab.qemu import Init, Machine
from tests.lab.root import root


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.lab", description=__doc__, formatter_class=formatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("host", help="install what the lab and the virtual environment need on this machine")
    commands.add_parser("root", help="make the Debian root")
    commands.add_parser("where", help="print where the cache, the root and the kernel are")
    package = commands.add_parser("package", help="build a package of the daemon, and print where it is")
    package.add_argument("kind", choices=list(dist.KINDS))
    for name, text in (
        ("kernel", "build the patched kernel"),
        ("bpf", "compile the BPF programs and the tests' helpers"),
        ("run", "run a command in a VM"),
        ("shell", "an interactive shell in a VM"),
    ):
        command = commands.add_parser(name, help=text)
        kinds = KernelName if name in ("run", "shell") else Variant
        chosen = command.add_argument("--kernel", type=kinds, choices=list(kinds), default=kinds.LAB)
        chosen.help = "debug is the kernel with KASAN, lockdep and other checkers"
        if kinds is KernelName:
            chosen.help += ", stock is Debian's own, without our patches"
        if name in ("run", "shell"):
            command.add_argument("--memory", type=int, default=2048, metavar="MIB", help="default: 2048")
            command.add_argument("--cpus", type=int, default=2, help="default: 2")
            command.add_argument(
                "--init", type=Init, choices=list(Init), default=Init.AGENT, help="default: agent"
            )
        if name == "run":
            command.add_argument(
                "--timeout",
                type=float,
                default=math.inf,
                metavar="SECONDS",
                help="then the VM counts as lost",
            )
            command.add_argument(
                "argv", nargs="+", metavar="-- COMMAND", help="run in the checkout's directory"
            )
    return parser


def _machine(arguments: argparse.Namespace) -> Machine:
    return machine(arguments.kernel, arguments.init, memory_mib=arguments.memory, cpus=arguments.cpus)


def _run(arguments: argparse.Namespace) -> int:
    made = _machine(arguments)
    with vm.run_directory() as directory, vm.Vm(made, directory) as guest:
        outcome = guest.run(arguments.argv, limit_s=arguments.timeout)
    for complaint in outcome.complaints:
        print(complaint.text, file=sys.stderr)
    if outcome.complaints and outcome.status == 0:
        raise KernelComplaintError(
            f"the kernel complained ({outcome.complaints[0].title}): {guest.console_log}"
        )
    return outcome.status


def _where(variant: Variant) -> None:
    built = kernel(variant)
    for name, path in (
        ("cache", cache_dir()),
        ("root", root()),
        ("kernel", built.bz_image),
        ("btf", built.headers),
        ("uapi", built.uapi),
    ):
        print(f"{name}\t{path}")


def _do(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "host":
            apt.install_missing()
        case "root":
            root()
        case "kernel":
            kernel(arguments.kernel)
        case "bpf":
            programs.build(kernel(arguments.kernel))
        case "where":
            _where(Variant.LAB)
        case "package":
            print(dist.KINDS[arguments.kind].package())
        case "shell":
            vm.shell(_machine(arguments))
        case "run":
            return _run(arguments)
    return 0


def main() -> int:
    """Run one command of the lab."""
    try:
        return _do(_parser().parse_args())
    except VmLostError as error:
        print(error.console_tail, file=sys.stderr)
        say(f"error: {error}")
        return error.exit_status
    except LabError as error:
        say(f"error: {error}")
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
