# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench import governor
from reclaimd.bench.experiment import Mode
from reclaimd.bench.governor import configuration, governing
from reclaimd.bench.reclaimers import Setup, reclaiming
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.errors import ConfigError
from reclaimd.kernel.probe import Finding, ProbeReport

LACKING = ProbeReport((Finding("struct memcg_bpf_ops", False, True, "", "patch the kernel"),))  # noqa: FBT003  as it is


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "reclaimd.yaml"
    path.write_text(configuration("/bench"))
    return path


def test_policies_match_below_the_parent() -> None:
    assert "match: /bench.slice/demo/*\n" in configuration("/bench.slice")
    assert "match: /demo/*\n" in configuration("")


def test_modes_without_reclaimd_need_no_daemon(config: Path, tmp_path: Path) -> None:
    with governing([Mode.NONE, Mode.LOOP_1_MS], config, tmp_path, tmp_path / "log") as found:
        assert found.daemon is None


def test_a_kernel_that_cannot_is_no_error_but_the_reason_of_the_modes(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor, "probe", lambda: LACKING)
    with governing([Mode.RECLAIMD], config, tmp_path, tmp_path / "log") as found:
        setup = Setup(tmp_path, "", tmp_path, tmp_path, None, found.daemon, found.why_not)
        target = setup.target("/demo/x", 1 << 20)
        with (
            pytest.raises(UnavailableError, match="memcg_bpf_ops"),
            reclaiming(Mode.RECLAIMD, [target], setup),
        ):
            pass


def test_a_mistake_in_the_configuration_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError),
        governing([Mode.RECLAIMD], tmp_path / "gone.yaml", tmp_path, tmp_path / "log"),
    ):
        pass
