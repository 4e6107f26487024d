# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tests share: the hooks, cgroups, a disk, and a look for what a test left behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.kernel.ids import link_ids, map_ids, program_ids
from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import ROOT, Cgroup, until
from tests.kernel.hooks import Hooks
from tests.kernel.objects import loaded

Ids = tuple[frozenset[int], frozenset[int], frozenset[int]]


def _ids() -> Ids:
    return link_ids(), map_ids(), program_ids()


def _wait_for_ids(before: Ids) -> None:
    # Programs and struct_ops maps are freed some RCU grace periods after their last user has gone.
    for _ in until():
        left = [after - known for after, known in zip(_ids(), before, strict=True)]
        if not any(left):
            return


@pytest.fixture(scope="session", autouse=True)
def nothing_stays() -> Iterator[None]:
    """The whole run leaves no link, map or program behind."""
    before = _ids()
    yield
    _wait_for_ids(before)


@pytest.fixture(autouse=True)
def nothing_left_behind(nothing_stays: None, hooks_object: BpfObject) -> Iterator[None]:  # noqa: ARG001  made before
    """Nor does any single test."""
    before = _ids()
    yield
    _wait_for_ids(before)


@pytest.fixture(scope="session")
def hooks_object(nothing_stays: None) -> Iterator[BpfObject]:  # noqa: ARG001  to be outlived by it
    """The hooks, loaded once for all tests: the verifier takes its time."""
    with loaded("hooks") as obj:
        yield obj


@pytest.fixture
def hooks(hooks_object: BpfObject) -> Hooks:
    """The hooks as if just loaded."""
    return Hooks(hooks_object)


@pytest.fixture
def cgroup(
    nothing_left_behind: None,  # noqa: ARG001  to be outlived by it
    request: pytest.FixtureRequest,
) -> Iterator[Cgroup]:
    """An empty cgroup with the memory controller, directly below the root."""
    Cgroup(ROOT).enable_memory()
    made = Cgroup.make(ROOT / f"test-{request.node.name[:100].replace('/', '-')}")
    yield made
    made.remove()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A path for a file on a real disk: page cache that is charged, written back and reclaimed."""
    path = Path(os.environ.get("RECLAIMD_LAB_DISK", "/var/tmp")) / f"test-{os.getpid()}"  # noqa: S108  emptied below
    path.mkdir()
    yield path
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@pytest.fixture
def huge_pages() -> Iterator[Path]:
    """Huge pages for whoever can have one; the directory of their settings, which are put back."""
    settings = Path("/sys/kernel/mm/transparent_hugepage")
    names = ("enabled", "defrag", "khugepaged/scan_sleep_millisecs")
    before = {name: (settings / name).read_text() for name in names}
    (settings / "enabled").write_text("always")
    yield settings
    for name, choices in before.items():
        (settings / name).write_text(choices.partition("[")[2].partition("]")[0] or choices)
