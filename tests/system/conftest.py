# SPDX-License-Identifier: GPL-2.0-or-later
"""What the system tests share: a cgroup, a disk, daemons, and a look for what they left in the kernel."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reclaimd.backend import bpf, memory_reclaim
from reclaimd.backend.base import Backend
from reclaimd.kernel.ids import link_ids, map_ids, program_ids
from tests.backends import BPF, KERNEL, MEMORY_RECLAIM, backends, marks
from tests.kernel.cgroups import ROOT, Cgroup, until
from tests.system.daemon import Daemon

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")

StartDaemon = Callable[..., Daemon]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what asks for a backend's name run with each backend that it is for."""
    if "backend_name" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        metafunc.parametrize("backend_name", backends(KERNEL, module, marks(metafunc.definition)))


def _bpf_ids() -> tuple[frozenset[int], ...]:
    return link_ids(), map_ids(), program_ids()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a link, map or program in the kernel, or anything pinned."""
    before = _bpf_ids()
    yield
    # The kernel frees maps and programs some RCU grace periods after their last user.
    for _ in until():
        if not any(after - known for after, known in zip(_bpf_ids(), before, strict=True)):
            break
    assert not list(Path("/sys/fs/bpf").iterdir())


@pytest.fixture
def batch() -> Iterator[Cgroup]:
    """The cgroup /batch, whose children have the memory controller."""
    Cgroup(ROOT).enable_memory()
    batch = Cgroup.make(ROOT / "batch")
    batch.enable_memory()
    yield batch
    batch.remove()


@pytest.fixture
def backend(backend_name: str) -> Iterator[Backend]:
    """The backend by itself, without rules."""
    backend: Backend = {BPF: bpf, MEMORY_RECLAIM: memory_reclaim}[backend_name].open_backend(ROOT)
    yield backend
    backend.detach()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A directory on a real disk: page cache that is charged, written back and reclaimed."""
    path = Path(os.environ.get("RECLAIMD_LAB_DISK", "/var/tmp")) / f"system-{os.getpid()}"  # noqa: S108  emptied below
    path.mkdir()
    yield path
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@contextmanager
def _huge_pages(when: str) -> Iterator[None]:
    """Have anonymous memory come in huge pages "always" or "never"."""
    before = HUGE_PAGES.read_text()
    HUGE_PAGES.write_text(when)
    yield
    HUGE_PAGES.write_text(before.partition("[")[2].partition("]")[0])


@pytest.fixture
def small_pages() -> Iterator[None]:
    """Anonymous memory is charged by the batch of small pages."""
    with _huge_pages("never"):
        yield


@pytest.fixture
def huge_pages() -> Iterator[None]:
    """Anonymous memory is charged by the huge page where it is aligned to one."""
    with _huge_pages("always"):
        yield


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where a test writes its configuration."""
    return tmp_path / "policy.yaml"


@pytest.fixture
def start(config: Path, backend_name: str) -> Iterator[StartDaemon]:
    """Starts a daemon with the policies given, and returns it once they are in force."""
    with ExitStack() as daemons:

        def start(policies: str) -> Daemon:
            daemon = daemons.enter_context(Daemon(config, policies, backend_name))
            daemon.wait_for("in force")
            return daemon

        yield start
