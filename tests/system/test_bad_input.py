# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot work ends in one clear line and a documented exit status, with nothing attached."""

import os
import socket
from pathlib import Path

import pytest

from tests.kernel.cgroups import CHECKOUT, Cgroup
from tests.kernel.hooks import Hooks
from tests.kernel.objects import loaded
from tests.system.daemon import Ended, run_reclaimd
from tests.system.load import limited

VALID = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture(autouse=True)
def leaf(batch: Cgroup) -> Cgroup:
    """A cgroup that could be governed."""
    return limited(batch, "a", 32)


@pytest.fixture
def valid(config: Path) -> Path:
    """A configuration that has nothing wrong."""
    config.write_text(VALID)
    return config


@pytest.fixture
def for_bpf(config: Path) -> Path:
    """One that is for the patched kernel."""
    config.write_text(f"{VALID}backend: bpf\n")
    return config


def the_line(ended: Ended, status: int) -> str:
    """Check that a command ended as it should, and return the one line it wrote, the log aside."""
    assert ended.status == status, ended
    lines = [line for line in ended.lines if not line.startswith("{")]
    assert len(lines) == 1, ended
    return lines[0]


def in_mount_namespace(*commands: str) -> tuple[str, ...]:
    """Start a program where these commands have changed what is mounted."""
    script = " && ".join([*commands, 'exec "$@"'])
    return ("unshare", "--mount", "sh", "-c", script, "sh")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ("policies: [\n", "2:1"),
        (VALID + "    back_presure: {}\n", "5:5"),
        (VALID.replace("22MiB", "24MiB"), "4:35"),
        ("\0", "1:1"),
    ],
    ids=["empty", "malformed", "unknown key", "start not above stop", "binary"],
)
def test_a_mistake_in_the_file_is_shown_where_it_is(config: Path, text: str, place: str) -> None:
    config.write_text(text)
    ended = run_reclaimd("run", "--config", str(config))
    assert the_line(ended, os.EX_CONFIG).startswith(f"{config}:{place}: ")


def test_a_missing_file_is_named() -> None:
    line = the_line(run_reclaimd("run", "--config", "/nowhere/policy.yaml"), os.EX_CONFIG)
    assert line.startswith("reclaimd: /nowhere/policy.yaml: no such file")


def test_without_root_it_says_so(valid: Path) -> None:
    valid.chmod(0o644)
    for directory in valid.parents:
        directory.chmod(directory.stat().st_mode | 0o011)
    line = the_line(run_reclaimd("run", "--config", str(valid), prefix=NOBODY), os.EX_NOPERM)
    assert "run as root" in line


def test_a_port_in_use_is_named(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config.write_text(f"{VALID}metrics: {{listen: '{address}'}}\n")
        line = the_line(run_reclaimd("run", "--config", str(config)), 1)
    assert address in line
    assert "in use" in line


def test_without_cgroup2_it_says_so(valid: Path) -> None:
    prefix = in_mount_namespace("umount /sys/fs/cgroup")
    line = the_line(run_reclaimd("run", "--config", str(valid), prefix=prefix), os.EX_UNAVAILABLE)
    assert "no cgroup2 file system is mounted" in line


def test_on_an_unpatched_kernel_it_says_what_is_missing(for_bpf: Path) -> None:
    # A BTF of something else stands for that of a kernel without our patches.
    other = CHECKOUT / "build/test-bpf/unlinked.bpf.o"
    prefix = in_mount_namespace(f"mount --bind {other} /sys/kernel/btf/vmlinux")
    line = the_line(run_reclaimd("run", "--config", str(for_bpf), prefix=prefix), os.EX_UNAVAILABLE)
    assert "struct memcg_bpf_ops" in line
    assert "patches" in line


@pytest.mark.bpf_only("programs that can be loaded")
def test_without_the_bpf_object_it_says_so(for_bpf: Path) -> None:
    environment = {"RECLAIMD_BPF_OBJECT": "/nowhere/reclaimd.bpf.o"}
    ended = run_reclaimd("run", "--config", str(for_bpf), environment=environment)
    assert "/nowhere/reclaimd.bpf.o" in the_line(ended, os.EX_UNAVAILABLE)


@pytest.mark.bpf_only("programs that can be loaded")
def test_a_cgroup_that_has_other_programs_is_named(valid: Path, leaf: Cgroup) -> None:
    with loaded("hooks") as hooks, Hooks(hooks).attached("first", leaf):
        line = the_line(run_reclaimd("run", "--config", str(valid)), os.EX_UNAVAILABLE)
    assert str(leaf.path) in line
    assert "other BPF programs" in line
