# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of the pins, on an ordinary filesystem, with files in the place of kernel objects."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.backend.bpf.pins import NAME, Pins
from reclaimd.errors import HostError, ReclaimdError
from reclaimd.kernel.pin import Pinnable


class Part(Pinnable):
    """Pinned as an empty file; refuses if it is told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses

    def fileno(self) -> int:
        """It has none."""
        return -1

    def pin(self, path: Path) -> None:
        """Make the file."""
        if self._refuses:
            raise OSError(1, "not here")
        path.touch()


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    """The directory, empty."""
    pins = Pins(tmp_path)
    yield pins
    pins.close()


def names(pins: Pins) -> list[str]:
    """Return the ids of the objects, in order."""
    return [directory.name for directory in pins.objects()]


def test_an_object_is_there_once_all_of_it_is_pinned(pins: Pins) -> None:
    directory = pins.add_object("one", {"rules": Part(), "states": Part()})
    assert pins.find_object("one") == directory
    assert {part.name for part in directory.iterdir()} == {"rules", "states"}


def test_an_object_that_cannot_be_pinned_is_not_there(pins: Pins) -> None:
    with pytest.raises(HostError, match="cannot keep BPF objects in"):
        pins.add_object("one", {"rules": Part(), "states": Part(refuses=True)})
    assert pins.find_object("one") is None


def test_what_a_crash_left_half_made_goes_at_the_next_start(pins: Pins, tmp_path: Path) -> None:
    with pytest.raises(HostError):
        pins.add_object("one", {"rules": Part(), "states": Part(refuses=True)})
    pins.close()
    again = Pins(tmp_path)
    assert names(again) == []
    again.close()


def test_objects_come_in_the_order_in_which_they_were_loaded(pins: Pins) -> None:
    for number, name in enumerate(("b", "c", "a")):
        os.utime(pins.add_object(name, {"rules": Part()}), ns=(number, number))
    assert names(pins) == ["b", "c", "a"]


def test_all_objects_but_one_are_removed(pins: Pins) -> None:
    directories = [pins.add_object(name, {"rules": Part()}) for name in ("a", "b", "c")]
    pins.remove_objects_but(directories[-1])
    assert names(pins) == ["c"]


def test_only_one_holds_it_at_a_time(pins: Pins, tmp_path: Path) -> None:
    with pytest.raises(ReclaimdError, match="reclaimd is running already; stop it first"):
        Pins(tmp_path)
    pins.close()
    pins.close()
    Pins(tmp_path).close()


def test_everything_goes_whatever_it_is(pins: Pins, tmp_path: Path) -> None:
    pins.add_object("one", {"rules": Part()})
    (tmp_path / NAME / "of/another/version").mkdir(parents=True)
    (tmp_path / NAME / "of/another/link").touch()
    assert pins.remove_all()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_is_nothing_was(pins: Pins) -> None:
    assert not pins.remove_all()


def test_a_directory_that_was_removed_by_its_holder_is_made_anew(pins: Pins, tmp_path: Path) -> None:
    pins.remove_all()
    again = Pins(tmp_path)
    assert (tmp_path / NAME / "objects").is_dir()
    again.close()


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()

    with pytest.raises(HostError, match="Not a directory"):
        Pins(tmp_path)


@pytest.mark.parametrize("place", ["/nowhere", "/proc"])
def test_without_a_bpf_filesystem_it_says_what_to_do(place: str) -> None:
    # Like sysfs, where one is mounted as a rule, /proc has no room for directories.
    with pytest.raises(HostError, match=f"{place}: no bpf filesystem is mounted there; mount -t bpf"):
        Pins(Path(place))
