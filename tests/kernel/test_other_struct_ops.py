# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct_ops that know nothing of cgroups are as they were."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE, BPF_F_CGROUP_FD, create_link, fill_struct_ops
from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import Cgroup
from tests.kernel.objects import loaded

AVAILABLE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


@pytest.fixture
def congestion() -> Iterator[BpfObject]:
    with loaded("congestion") as obj:
        for name in ("congestion", "successor"):
            fill_struct_ops(obj.map(name))
        yield obj


@pytest.mark.parametrize(
    "flags", [BPF_F_CGROUP_FD, BPF_F_ALLOW_OVERRIDE, BPF_F_CGROUP_FD | BPF_F_ALLOW_OVERRIDE]
)
def test_they_cannot_be_attached_to_a_cgroup(congestion: BpfObject, cgroup: Cgroup, flags: int) -> None:
    with cgroup.opened() as fd, pytest.raises(OSError, match="bpf_link_create") as caught:
        create_link(congestion.map("congestion").fileno(), fd, flags)
    assert caught.value.errno == errno.EINVAL


def test_their_links_show_no_cgroup(congestion: BpfObject) -> None:
    with create_link(congestion.map("congestion").fileno(), 0, 0) as link:
        assert link.info().cgroup_id is None
        assert link.info().map_id == congestion.map("congestion").info().id
        assert "cgroup_id" not in link.fdinfo()
        assert "bpf_test_cc" in AVAILABLE.read_text().split()
    assert "bpf_test_cc" not in AVAILABLE.read_text().split()


def test_their_links_can_be_swapped_to_another_map(congestion: BpfObject) -> None:
    with create_link(congestion.map("congestion").fileno(), 0, 0) as link:
        link.update(congestion.map("successor").fileno())
        assert link.info().map_id == congestion.map("successor").info().id
