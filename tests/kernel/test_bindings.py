# SPDX-License-Identifier: GPL-2.0-or-later
"""reclaimd.kernel against a real kernel: objects, maps, programs, ring buffers, pins."""

import ctypes
import errno
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.errors import HostError
from reclaimd.kernel.btf import KERNEL_BTF, Btf
from reclaimd.kernel.maps import BATCH, UpdateFlag
from reclaimd.kernel.mirror import require_same_layout
from reclaimd.kernel.object import BpfObject, BpfObjectError
from reclaimd.kernel.pin import open_pin, unpin
from reclaimd.kernel.probe import probe
from reclaimd.kernel.ringbuf import RingBuffer
from tests.kernel.objects import loaded, object_path

PIN = Path("/sys/fs/bpf/reclaimd-test-map")


class Pair(ctypes.Structure):
    """Mirrors struct pair."""

    _fields_ = (("left", ctypes.c_uint32), ("right", ctypes.c_uint32))


class MultiplyArgs(ctypes.Structure):
    """Mirrors struct multiply_args."""

    _fields_ = (("pair", Pair), ("product", ctypes.c_int64))


@pytest.fixture
def unloaded() -> Iterator[BpfObject]:
    with BpfObject.open(object_path("bindings")) as obj:
        yield obj


@pytest.fixture
def obj() -> Iterator[BpfObject]:
    with loaded("bindings") as obj:
        yield obj


def test_refused_program_raises_with_the_verifiers_last_words(
    unloaded: BpfObject, capfd: pytest.CaptureFixture[str]
) -> None:
    unloaded.program("refused").set_autoload(autoload=True)
    with pytest.raises(BpfObjectError) as caught:
        unloaded.load()
    assert caught.value.verdict == "invalid unbounded variable-offset read from stack R2"
    assert caught.value.verdict in caught.value.log
    assert capfd.readouterr() == ("", "")


def test_maps_and_programs_have_no_descriptor_before_loading(unloaded: BpfObject) -> None:
    for kernel_object in (unloaded.map("pairs"), unloaded.program("multiply")):
        with pytest.raises(OSError, match="not loaded") as caught:
            kernel_object.fileno()
        assert caught.value.errno == errno.EBADF


def test_unknown_names_are_key_errors(obj: BpfObject) -> None:
    for find in (obj.map, obj.program):
        with pytest.raises(KeyError):
            find("nothing")
    with pytest.raises(KeyError):
        obj.variable("nothing", ctypes.c_uint32)


def test_syscall_program_reads_and_writes_its_context(obj: BpfObject) -> None:
    args = MultiplyArgs(Pair(3, 5))
    assert obj.program("multiply").run(args) == -3
    assert args.product == 15


def test_constants_are_set_before_loading(unloaded: BpfObject) -> None:
    unloaded.variable("factor", ctypes.c_uint32).value = 7
    unloaded.load()
    args = MultiplyArgs(Pair(3, 5))
    unloaded.program("multiply").run(args)
    assert args.product == 105


def test_constants_cannot_be_had_after_loading(obj: BpfObject) -> None:
    with pytest.raises(PermissionError):
        obj.variable("factor", ctypes.c_uint32)


def test_variables_keep_their_initial_value_and_are_seen_changing(unloaded: BpfObject) -> None:
    unloaded.variable("runs", ctypes.c_uint64).value = 100
    unloaded.load()
    unloaded.program("multiply").run(MultiplyArgs())
    assert unloaded.variable("runs", ctypes.c_uint64).value == 101


def test_variable_of_another_size_is_refused(obj: BpfObject) -> None:
    with pytest.raises(TypeError, match="runs has 8 bytes"):
        obj.variable("runs", ctypes.c_uint32)


def test_map_elements_are_set_found_and_deleted(obj: BpfObject) -> None:
    pairs = obj.map("pairs").typed(ctypes.c_uint64, Pair)
    key = ctypes.c_uint64(1 << 40)
    assert pairs.lookup(key) is None
    pairs.update(key, Pair(1, 2))
    found = pairs.lookup(key)
    assert found
    assert (found.left, found.right) == (1, 2)
    assert pairs.delete(key)
    assert not pairs.delete(key)


def test_map_update_keeps_to_its_flag(obj: BpfObject) -> None:
    pairs = obj.map("pairs").typed(ctypes.c_uint64, Pair)
    key = ctypes.c_uint64(1)
    with pytest.raises(FileNotFoundError):
        pairs.update(key, Pair(), UpdateFlag.EXIST)
    pairs.update(key, Pair(), UpdateFlag.NOEXIST)
    with pytest.raises(FileExistsError):
        pairs.update(key, Pair(), UpdateFlag.NOEXIST)


def test_full_map_says_so(obj: BpfObject) -> None:
    pairs = obj.map("pairs").typed(ctypes.c_uint64, Pair)
    for number in range(4):
        pairs.update(ctypes.c_uint64(number), Pair())
    with pytest.raises(OSError, match="bpf_map_update_elem") as caught:
        pairs.update(ctypes.c_uint64(4), Pair())
    assert caught.value.errno == errno.E2BIG


def test_map_size_is_set_before_loading(unloaded: BpfObject) -> None:
    unloaded.map("pairs").set_max_entries(64)
    unloaded.load()
    assert unloaded.map("pairs").info().max_entries == 64
    with pytest.raises(OSError, match="bpf_map__set_max_entries"):
        unloaded.map("pairs").set_max_entries(128)


def test_map_can_be_emptied_while_it_is_walked(obj: BpfObject) -> None:
    pairs = obj.map("pairs").typed(ctypes.c_uint64, Pair)
    for number in range(4):
        pairs.update(ctypes.c_uint64(number), Pair(number, number * 2))
    assert {key.value: value.right for key, value in pairs.items()} == {0: 0, 1: 2, 2: 4, 3: 6}
    for key in pairs:
        pairs.delete(key)
    assert not list(pairs)


def test_a_scan_brings_more_elements_than_fit_one_batch(unloaded: BpfObject) -> None:
    unloaded.map("pairs").set_max_entries(3 * BATCH)
    unloaded.load()
    pairs = unloaded.map("pairs").typed(ctypes.c_uint64, Pair)
    assert list(pairs.scan()) == []
    wanted = {number: number * 2 for number in range(2 * BATCH + 1)}
    for number, right in wanted.items():
        pairs.update(ctypes.c_uint64(number), Pair(number, right))
    assert {key.value: value.right for key, value in pairs.scan()} == wanted


def test_per_cpu_values_come_one_for_each_cpu(obj: BpfObject) -> None:
    for _ in range(5):
        obj.program("multiply").run(MultiplyArgs())
    counts = obj.map("per_cpu").typed(ctypes.c_uint32, ctypes.c_uint32).lookup_per_cpu(ctypes.c_uint32(0))
    assert counts
    assert len(counts) >= (os.cpu_count() or 1)
    assert sum(count.value for count in counts) == 5


def test_map_of_another_layout_is_refused(obj: BpfObject) -> None:
    with pytest.raises(TypeError, match="keys of 8 bytes"):
        obj.map("pairs").typed(ctypes.c_uint32, Pair)
    with pytest.raises(TypeError, match="values of 8 bytes"):
        obj.map("pairs").typed(ctypes.c_uint64, MultiplyArgs)


def test_pinned_map_can_be_opened_by_its_path(obj: BpfObject) -> None:
    obj.map("pairs").pin(PIN)
    try:
        fd = open_pin(PIN)
        os.close(fd)
        with pytest.raises(FileExistsError):
            obj.map("pairs").pin(PIN)
    finally:
        assert unpin(PIN)
    assert not unpin(PIN)


def test_pinning_outside_a_bpf_filesystem_is_refused(obj: BpfObject, tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        obj.map("pairs").pin(tmp_path / "map")


def test_ring_buffer_polls_readable_and_gives_all_records(obj: BpfObject) -> None:
    with RingBuffer(obj.map("records").fileno()) as ring:
        assert ring.consume() == []
        poller = select.poll()
        poller.register(ring, select.POLLIN)
        assert not poller.poll(0)
        for number in (1, 2, 3):
            obj.program("multiply").run(MultiplyArgs(Pair(number, 10)))
        assert poller.poll(1000)
        assert [MultiplyArgs.from_buffer_copy(record).product for record in ring.consume()] == [10, 20, 30]
        assert ring.consume() == []


def test_ring_buffer_needs_a_ring_buffer_map(obj: BpfObject) -> None:
    with pytest.raises(OSError, match="ring_buffer__new") as caught:
        RingBuffer(obj.map("pairs").fileno())
    assert caught.value.errno == errno.EINVAL


def test_tracepoint_program_runs_while_it_is_attached(obj: BpfObject) -> None:
    def runs() -> int:
        return int(obj.variable("runs", ctypes.c_uint64).value)

    with obj.program("count_fork").attach():
        subprocess.run(["true"], check=True)
    seen = runs()
    assert seen > 0
    subprocess.run(["true"], check=True)
    assert runs() == seen


def test_program_without_a_place_to_attach_to_is_refused(obj: BpfObject) -> None:
    with pytest.raises(OSError, match="bpf_program__attach"):
        obj.program("multiply").attach()


def test_objects_own_types_fit_their_mirrors(unloaded: BpfObject) -> None:
    require_same_layout(unloaded.btf(), {"pair": Pair, "multiply_args": MultiplyArgs})


def test_mirror_that_does_not_fit_is_named(unloaded: BpfObject) -> None:
    class Short(ctypes.Structure):
        _fields_ = (("left", ctypes.c_uint32),)

    with pytest.raises(HostError, match=r"struct pair has a member right that Short lacks"):
        require_same_layout(unloaded.btf(), {"pair": Short})


def test_kernel_enums_are_found_by_name() -> None:
    btf = Btf.parse(KERNEL_BTF)
    assert btf.enumerator("memcg_memory_event", "MEMCG_LOW") == 0
    assert btf.enumerator("memcg_memory_event", "MEMCG_NOTHING") is None


def test_probe_finds_all_that_this_kernel_has() -> None:
    report = probe()
    assert report.can_run, report.missing
    assert all(finding.present for finding in report.findings), report.findings
