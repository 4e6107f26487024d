# SPDX-License-Identifier: GPL-2.0-or-later

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from reclaimd.errors import HostError, NotPermittedError
from reclaimd.kernel.btf import Kind
from reclaimd.kernel.probe import (
    HOOKS,
    LINK_UPDATE,
    OPS_STRUCT,
    OTHER_KFUNCS,
    RECLAIM_KFUNCS,
    ProbeReport,
    probe,
)
from tests.unit.kernel.btf_blob import BtfBlob

pytestmark = pytest.mark.usefixtures("needs_libbpf")

KFUNCS = (RECLAIM_KFUNCS[0], *(names[0] for names in OTHER_KFUNCS.values()))
MOUNTINFO = """\
22 1 0:20 / /proc rw,nosuid shared:12 - proc proc rw
30 1 0:27 / /sys/fs/cgroup rw,nosuid shared:4 master:2 - cgroup2 cgroup2 rw,memory_recursiveprot
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_btf(
    root: Path,
    *,
    hooks: Iterable[str] = HOOKS,
    kfuncs: Iterable[str] = KFUNCS,
    registered: bool = True,
    updates: bool = True,
) -> None:
    blob = BtfBlob()
    void = 0
    prototype = blob.prototype(void, {})
    pointer = blob.refer(Kind.PTR, prototype)
    members = [(name, pointer, number * 8) for number, name in enumerate(hooks)]
    ops = blob.struct(OPS_STRUCT, len(members) * 8, members)
    if registered:
        blob.struct(f"bpf_struct_ops_{OPS_STRUCT}", len(members) * 8, [("data", ops, 0)])
    for name in (*kfuncs, *([LINK_UPDATE] if updates else [])):
        blob.refer(Kind.FUNC, prototype, name)
    blob.write(root / "sys/kernel/btf/vmlinux")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host that has everything."""
    write_btf(tmp_path)
    write(tmp_path / "proc/sys/kernel/osrelease", "7.3.4\n")
    write(tmp_path / "proc/self/mountinfo", MOUNTINFO)
    write(tmp_path / "proc/self/status", "Name:\tpython3\nCapEff:\t000001ffffffffff\n")
    write(tmp_path / "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    write(tmp_path / "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
    return tmp_path


def missing(report: ProbeReport) -> list[str]:
    assert report.can_run == (not report.missing) == (report.error() is None)
    return [finding.name for finding in report.missing]


def test_host_that_has_everything_can_run(host: Path) -> None:
    report = probe(host)
    assert missing(report) == []
    assert all(finding.present for finding in report.findings)


def test_stock_kernel(host: Path) -> None:
    write_btf(host, hooks=(), kfuncs=KFUNCS[1:], registered=False)
    report = probe(host)
    assert missing(report) == ["struct memcg_bpf_ops", "hook memcg_charged", "reclaim kfunc"]
    with pytest.raises(
        HostError, match=r"struct memcg_bpf_ops: missing; boot a kernel with reclaimd's patches"
    ):
        raise report.error() or AssertionError


def test_kernel_with_the_types_but_without_the_struct_ops(host: Path) -> None:
    write_btf(host, registered=False)
    assert "struct memcg_bpf_ops" in missing(probe(host))


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_looked_for(host: Path, hook: str) -> None:
    write_btf(host, hooks=[name for name in HOOKS if name != hook])
    absent = [finding for finding in probe(host).findings if not finding.present]
    assert [(finding.name, finding.required) for finding in absent] == [
        (f"hook {hook}", hook == "memcg_charged")
    ]


def test_a_kernel_that_cannot_update_links_will_do(host: Path) -> None:
    write_btf(host, updates=False)
    report = probe(host)
    assert missing(report) == []
    assert not report.features["link update"]


@pytest.mark.parametrize("kfunc", RECLAIM_KFUNCS)
def test_either_shape_of_the_reclaim_kfunc_will_do(host: Path, kfunc: str) -> None:
    write_btf(host, kfuncs=[kfunc, *KFUNCS[1:]])
    report = probe(host)
    assert missing(report) == []
    assert [finding.detail for finding in report.findings if finding.name == "reclaim kfunc"] == [kfunc]


@pytest.mark.parametrize("what", OTHER_KFUNCS)
def test_each_other_kfunc_is_required(host: Path, what: str) -> None:
    write_btf(host, kfuncs=[name for name in KFUNCS if name != OTHER_KFUNCS[what][0]])
    assert missing(probe(host)) == [what]


def test_older_name_of_a_kfunc_will_do(host: Path) -> None:
    write_btf(host, kfuncs=["bpf_wq_set_callback_impl", *(set(KFUNCS) - {"bpf_wq_set_callback"})])
    assert missing(probe(host)) == []


def test_kernel_without_btf_leaves_its_features_unknown(host: Path) -> None:
    (host / "sys/kernel/btf/vmlinux").unlink()
    report = probe(host)
    details = {finding.name: finding.detail for finding in report.findings}
    assert details["BTF"] == "/sys/kernel/btf/vmlinux: No such file or directory"
    assert details["hook memcg_charged"] == "unknown without BTF"
    assert missing(report)[0] == "BTF"
    assert report.remedies == ("use a kernel with CONFIG_DEBUG_INFO_BTF=y",)


def test_host_without_cgroup2(host: Path) -> None:
    write(host / "proc/self/mountinfo", MOUNTINFO.splitlines()[0])
    report = probe(host)
    assert missing(report) == ["cgroup2 memory controller"]
    assert report.missing[0].detail == "no cgroup2 file system is mounted"


def test_host_with_the_memory_controller_elsewhere(host: Path) -> None:
    write(host / "sys/fs/cgroup/cgroup.controllers", "cpu pids\n")
    report = probe(host)
    assert missing(report) == ["cgroup2 memory controller"]
    assert report.missing[0].detail == "/sys/fs/cgroup has no memory controller"


def test_any_cgroup2_mount_with_the_memory_controller_will_do(host: Path) -> None:
    other = "31 1 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n"
    write(host / "proc/self/mountinfo", other + MOUNTINFO)
    write(host / "sys/fs/cgroup/unified/cgroup.controllers", "\n")
    report = probe(host)
    assert missing(report) == []
    assert "/sys/fs/cgroup" in {finding.detail for finding in report.findings}


def test_psi_is_wanted_but_not_required(host: Path) -> None:
    (host / "proc/pressure/memory").unlink()
    report = probe(host)
    assert missing(report) == []
    assert [finding.name for finding in report.findings if not finding.present] == ["PSI"]


def test_lacking_rights_alone_are_a_matter_of_permission(host: Path) -> None:
    write(host / "proc/self/status", "CapEff:\t0000000000000000\n")
    report = probe(host)
    assert missing(report) == ["privileges"]
    assert report.missing[0].detail == "no CAP_PERFMON, CAP_BPF"
    assert isinstance(report.error(), NotPermittedError)


def test_one_lacking_capability_is_named(host: Path) -> None:
    cap_bpf = 1 << 39
    write(host / "proc/self/status", f"CapEff:\t{(1 << 41) - 1 & ~cap_bpf:016x}\n")
    assert probe(host).missing[0].detail == "no CAP_BPF"


def test_missing_kernel_features_come_before_lacking_rights(host: Path) -> None:
    write_btf(host, kfuncs=())
    write(host / "proc/self/status", "CapEff:\t0000000000000000\n")
    assert isinstance(probe(host).error(), HostError)


def test_text_has_a_line_for_each_finding_and_what_to_do(host: Path) -> None:
    write_btf(host, kfuncs=KFUNCS[1:])
    (host / "proc/pressure/memory").unlink()
    report = probe(host)
    lines = list(report.text_lines())
    assert re.fullmatch(r"present  kernel +7\.3\.4", lines[0])
    assert {"MISSING  reclaim kfunc", "absent   PSI"} <= set(lines)
    assert len(lines) == len(report.findings)
    assert report.remedies[0].startswith("boot a kernel with reclaimd's patches")


def test_where_nothing_is_missing_there_is_nothing_to_do(host: Path) -> None:
    assert probe(host).remedies == ()


def test_rights_alone_can_be_left_out_of_account(host: Path) -> None:
    write(host / "proc/self/status", "CapEff:\t0000000000000000\n")
    assert missing(probe(host).with_all_rights()) == []


def test_programs_get_the_same(host: Path) -> None:
    (host / "proc/pressure/memory").unlink()
    report = probe(host)
    content = json.loads(json.dumps(report.as_dict()))
    assert content["can_run"] is True
    assert [finding["name"] for finding in content["findings"]] == [
        finding.name for finding in report.findings
    ]
    psi = next(finding for finding in content["findings"] if finding["name"] == "PSI")
    assert psi == {
        "name": "PSI",
        "present": False,
        "required": False,
        "detail": "",
        "remedy": "boot with psi=1, on a kernel with CONFIG_PSI=y",
    }
