# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench import programs
from reclaimd.bench.programs import programs_path
from reclaimd.errors import HostError


def test_the_first_place_that_has_them_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECLAIMD_BENCH_PROGRAMS", raising=False)
    monkeypatch.setattr(programs, "_PLACES", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(HostError, match="compiled helpers are not here"):
        programs_path()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "workload").touch()
    assert programs_path() == tmp_path / "b"


def test_a_place_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLAIMD_BENCH_PROGRAMS", str(tmp_path))
    (tmp_path / "workload").touch()
    assert programs_path() == tmp_path
