# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles what runs in the VM: the BPF programs, and the C helpers of the benchmark and of the tests. Only what has changed, by content."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernel_patches.kernel import Kernel
from tests.lab import CHECKOUT
from tests.lab.cache import content_key, locked
from tests.lab.chroot import Chroot
from tests.lab.errors import LabError
from tests.lab.progress import say
from tests.lab.root import root

BUILD = CHECKOUT / "build"
BPF_SOURCES = CHECKOUT / "bpf_src"
BENCH_SOURCES = CHECKOUT / "daemon" / "bench_src"
TEST_BPF_SOURCES = CHECKOUT / "tests" / "kernel" / "bpf"
CLANG = (
    *("clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Wall", "-Werror"),
    # Linux embeds structs without a member's name; its vmlinux.h needs this to compile.
    *("-fms-extensions", "-Wno-microsoft-anon-tag"),
    *("-I", "bpf_src", "-I", "tests/kernel/bpf", "-isystem", "/mnt/btf"),
)
GCC = (
    *("gcc", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-static", "-pthread"),
    *("-I", "bpf_src", "-I", "daemon/bench_src", "-isystem", "/mnt/uapi"),
)


@dataclass(frozen=True)
class Program:
    """One source file and what it is compiled into."""

    source: Path
    output: Path
    compiler: tuple[str, ...]
    others: tuple[Path, ...]
    """The headers that it may include."""

    @property
    def command(self) -> list[str]:
        """What compiles it, run in the checkout's directory."""
        mode = ["-c"] if self.compiler is CLANG else []
        paths = [str(path.relative_to(CHECKOUT)) for path in (self.output, self.source)]
        return [*self.compiler, *mode, "-o", *paths]

    @property
    def stamp(self) -> Path:
        """Holds the key of what the output was made from."""
        return self.output.with_name(f".{self.output.name}.key")

    def key(self, kernel: Kernel) -> str:
        """Changes with everything that the output depends on."""
        return content_key(kernel.interface, *self.command, self.source, *self.others)

    def is_current(self, kernel: Kernel) -> bool:
        """Whether the output was made from what there is now."""
        made = self.output.exists() and self.stamp.exists()
        return made and self.stamp.read_text(encoding="utf-8") == self.key(kernel)


def build(kernel: Kernel) -> None:
    """Compile what is out of date into build/bpf, build/test-bpf and build/bin; raises LabError on the first error."""
    if all(program.is_current(kernel) for program in _programs()):
        return
    with locked(f"programs-{content_key(str(CHECKOUT))}"):
        for program in _programs():
            if not program.is_current(kernel):
                program.output.parent.mkdir(parents=True, exist_ok=True)
                program.stamp.unlink(missing_ok=True)
                _compile(program, kernel)
                program.stamp.write_text(program.key(kernel), encoding="utf-8")


def _compile(program: Program, kernel: Kernel) -> None:
    name = program.source.relative_to(CHECKOUT)
    say(f"compiling {name}")
    binds = {"checkout": CHECKOUT, "btf": kernel.headers, "uapi": kernel.uapi}
    done = Chroot(root(), binds).attempt(program.command, cwd="/mnt/checkout")
    if done.returncode:
        raise LabError(f"{name} does not compile:\n{done.stderr.rstrip()}")


def _programs() -> Iterable[Program]:
    shared = tuple(sorted(BPF_SOURCES.glob("*.h")))
    test_headers = (*shared, *sorted(TEST_BPF_SOURCES.glob("*.h")))
    for source in sorted(BPF_SOURCES.glob("*.bpf.c")):
        yield Program(source, BUILD / "bpf" / f"{source.stem}.o", CLANG, shared)
    for source in sorted(TEST_BPF_SOURCES.glob("*.bpf.c")):
        yield Program(source, BUILD / "test-bpf" / f"{source.stem}.o", CLANG, test_headers)
    bench_headers = sorted(BENCH_SOURCES.glob("*.h"))
    for source in (*sorted(BENCH_SOURCES.glob("*.c")), *sorted((CHECKOUT / "tests").rglob("*.c"))):
        if not source.name.endswith(".bpf.c"):
            headers = (*shared, *bench_headers, *sorted(source.parent.glob("*.h")))
            yield Program(source, BUILD / "bin" / source.stem, GCC, headers)
