# SPDX-License-Identifier: GPL-2.0-or-later

from pathlib import Path
from threading import Thread

import pytest

from reclaimd.kernel import libbpf, log

pytestmark = pytest.mark.usefixtures("needs_libbpf")


@pytest.fixture
def no_object(tmp_path: Path) -> Path:
    """A file that libbpf complains about."""
    path = tmp_path / "no-object"
    path.write_text("no ELF")
    return path


def complain_about(path: Path) -> None:
    """Have libbpf say something that names the path."""
    with pytest.raises(OSError, match="bpf_object__open_file"):
        libbpf.bpf_object__open_file(bytes(path), None)


def test_what_libbpf_says_is_captured_with_its_arguments_filled_in(no_object: Path) -> None:
    with log.captured() as lines:
        complain_about(no_object)
    assert any(str(no_object) in line for line in lines)
    assert not any("\n" in line for line in lines)


def test_nothing_is_printed(no_object: Path, capfd: pytest.CaptureFixture[str]) -> None:
    complain_about(no_object)
    with log.captured():
        complain_about(no_object)
    assert capfd.readouterr() == ("", "")


def test_innermost_capture_gets_it(no_object: Path) -> None:
    with log.captured() as outer:
        with log.captured() as inner:
            complain_about(no_object)
        assert inner
        assert not outer
        complain_about(no_object)
    assert outer


def test_captures_of_other_threads_do_not_get_it(no_object: Path) -> None:
    with log.captured() as lines:
        other = Thread(target=complain_about, args=(no_object,))
        other.start()
        other.join()
    assert not lines
