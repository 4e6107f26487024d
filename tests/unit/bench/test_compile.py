# SPDX-License-Identifier: GPL-2.0-or-later
import shutil
from pathlib import Path

import pytest

from reclaimd.bench.compile import compile_sources, limit_mib
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.bench.workloads import Place

needs_compiler = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("make") is None,
    reason="there is no gcc or no make here; the lab has its own",
)


@needs_compiler
def test_every_source_is_compiled_in_the_cgroup(tmp_path: Path) -> None:
    sources, cgroup, disk = (tmp_path / name for name in ("sources", "cgroup", "disk"))
    for directory in (sources, cgroup, disk):
        directory.mkdir()
    for name in ("a", "b"):
        (sources / f"{name}.c").write_text(f"int {name};\n")
    (cgroup / "cgroup.procs").touch()
    assert compile_sources(sources, Place(tmp_path, disk, [cgroup])).wall_s > 0
    assert {path.name for path in (disk / "data-objects").glob("*.o")} == {"a.o", "b.o"}
    assert int((cgroup / "cgroup.procs").read_text()) > 0


def test_without_sources_it_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no sources"):
        compile_sources(None, Place(tmp_path, tmp_path, [tmp_path]))


def test_the_limit_is_sixty_percent_of_the_peak(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text(f"{100 << 20}\n")
    assert limit_mib(tmp_path) == 60
