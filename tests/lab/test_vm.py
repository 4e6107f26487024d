# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM itself: what a command in it finds, and what its end looks like from outside."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import CHECKOUT
from tests.lab.channel import Frame, Kind
from tests.lab.errors import VmLostError
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

PROVOKE = "/sys/kernel/debug/provoke-crash/DIRECT"


@contextmanager
def booted() -> Iterator[Vm]:
    with run_directory() as directory, Vm(machine(KernelName.LAB), directory) as vm:
        yield vm


@pytest.fixture(scope="module")
def vm() -> Iterator[Vm]:
    with booted() as guest:
        yield guest


def output(vm: Vm, script: str, kind: Kind = Kind.STDOUT) -> str:
    """What a shell script in the VM prints."""
    frames: list[Frame] = []
    vm.run(["sh", "-euc", script], output=frames.append)
    return b"".join(frame.payload for frame in frames if frame.kind is kind).decode()


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("exit 3", 3), ("kill -KILL $$", 128 + 9)])
def test_status_is_that_of_the_command(vm: Vm, script: str, status: int) -> None:
    assert vm.run(["sh", "-c", script]).status == status


def test_command_that_does_not_exist_is_told_as_by_a_shell(vm: Vm) -> None:
    assert vm.run(["no-such-command"]).status == 127


def test_output_comes_whole_and_by_stream(vm: Vm) -> None:
    assert output(vm, "seq 100000") == "".join(f"{number}\n" for number in range(1, 100001))
    assert output(vm, "echo out; echo error >&2", Kind.STDERR) == "error\n"


def test_report_pipe_delivers_lines(vm: Vm) -> None:
    vm.start(["sh", "-c", 'printf "one\\ntwo\\n" > "/dev/fd/$RECLAIMD_LAB_REPORT_FD"'])
    assert [frame.text for frame in vm.frames(60) if frame.kind is Kind.REPORT] == ["one", "two"]


def test_frames_may_be_left_and_taken_up_again(vm: Vm) -> None:
    vm.start(["sh", "-c", 'printf "one\\ntwo\\nthree\\n" > "/dev/fd/$RECLAIMD_LAB_REPORT_FD"'])
    kinds: list[Kind] = []
    while not kinds or kinds[-1] is not Kind.EXIT:
        kinds.append(next(iter(vm.frames(60))).kind)
    assert kinds == [Kind.REPORT, Kind.REPORT, Kind.REPORT, Kind.EXIT]


def test_checkout_is_at_its_place_and_can_be_written(vm: Vm) -> None:
    mark = CHECKOUT / "build" / "lab" / "mark"
    mark.unlink(missing_ok=True)
    assert output(vm, f"echo here > {mark}; pwd") == f"{CHECKOUT}\n"
    assert mark.read_text() == "here\n"
    mark.unlink()


def test_guest_has_what_the_experiments_need(vm: Vm) -> None:
    assert vm.kernel_release.startswith("7.3.")
    assert output(vm, 'findmnt -no FSTYPE "$RECLAIMD_LAB_DISK"') == "ext4\n"
    assert output(vm, "cat /sys/fs/cgroup/cgroup.controllers") == output(
        vm, "cat /sys/fs/cgroup/cgroup.subtree_control"
    )
    assert "memory" in output(vm, "cat /sys/fs/cgroup/cgroup.controllers")
    assert "/dev/zram0" in output(vm, "cat /proc/swaps")
    assert int(output(vm, "cat /sys/kernel/mm/lru_gen/enabled"), 16) & 1
    assert output(vm, "stat -fc %T /sys/fs/bpf /sys/kernel/debug /sys/kernel/tracing").split() == [
        "bpf_fs",
        "debugfs",
        "tracefs",
    ]


def test_orphans_are_reaped(vm: Vm) -> None:
    vm.run(["sh", "-c", "(sleep 0.2 &) ; exit 0"])
    wait = "until [ $(ps -o stat= --ppid 1 | grep -c Z) -eq 0 ]; do sleep 0.1; done; echo none"
    assert output(vm, wait) == "none\n"


def test_what_user_space_writes_to_the_kernel_log_is_none(vm: Vm) -> None:
    assert vm.run(["sh", "-c", "echo '<0>WARNING: not by the kernel' > /dev/kmsg"]).complaints == []


def test_panic_loses_the_vm_and_shows_the_console() -> None:
    with booted() as guest, pytest.raises(VmLostError, match="after the kernel said 'Kernel panic") as lost:
        guest.run(["sh", "-c", f"echo PANIC > {PROVOKE}"])
    assert "Kernel panic - not syncing: dumptest" in lost.value.console_tail


def test_command_that_takes_too_long_loses_the_vm() -> None:
    with booted() as guest, pytest.raises(VmLostError, match="not done after 1 s"):
        guest.run(["sleep", "1000"], limit_s=1)


def test_warning_in_the_kernel_log_is_a_complaint_and_the_log_stays() -> None:
    with booted() as guest:
        outcome = guest.run(["sh", "-c", f"echo WARNING > {PROVOKE}"])
    assert outcome.status == 0
    (complaint,) = outcome.complaints
    assert complaint.title.startswith("WARNING: drivers/misc/lkdtm/")
    assert complaint.title in guest.console_log.read_text()
    assert not list(guest.console_log.parent.glob("*.img"))


def test_interrupt_ends_the_vm() -> None:
    # Whoever runs the tests in the background of a script has them ignore the signal.
    interruptible = ["env", "--default-signal=INT", sys.executable]
    command = [*interruptible, "-m", "tests.lab", "run", "--", "sh", "-c", "echo up; sleep 1000"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout
        assert lab.stdout.readline() == "up\n"
        children = Path(f"/proc/{lab.pid}/task/{lab.pid}/children").read_text().split()
        lab.send_signal(signal.SIGINT)
        assert lab.wait(60) == 130
    assert len(children) == 1
    assert not Path(f"/proc/{children[0]}").exists()
