# SPDX-License-Identifier: GPL-2.0-or-later

from reclaimd.cgroup.facts import survey
from reclaimd.cgroup.machine import Machine
from reclaimd.config import parse_config
from reclaimd.policy.resolve import Resolution, resolve
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20
PAGE = 4096
MACHINE = Machine(memory_bytes=2048 * MIB, swap_bytes=0)
RECLAIM = "reclaim: {start: 24MiB, stop: 22MiB}"


def resolved(cgroupfs: FakeCgroupfs, *policies: str) -> Resolution:
    text = "\n".join(["policies:", *(f"  - {{{policy}}}" for policy in policies)])
    loaded = parse_config(text.encode(), "f.yaml")
    return resolve(loaded, survey(cgroupfs.root), page_bytes=PAGE, machine=MACHINE)


def lines(resolution: Resolution) -> list[str]:
    return [str(problem) for problem in resolution.problems]


def test_each_matching_cgroup_gets_a_rule_with_its_id(cgroupfs: FakeCgroupfs) -> None:
    ids = {path: cgroupfs.add(path, max_bytes=32 * MIB) for path in ("/batch/a", "/batch/b")}
    cgroupfs.add("/other")
    resolution = resolved(cgroupfs, f"name: batch, match: /batch/*, {RECLAIM}")
    assert {rule.path: rule.cgroup_id for rule in resolution.rules} == ids
    assert resolution.problems == ()


def test_nested_policies_all_hold(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch", max_bytes=64 * MIB)
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    resolution = resolved(
        cgroupfs, f"name: slice, match: /batch, {RECLAIM}", f"name: leaf, match: /batch/*, {RECLAIM}"
    )
    assert [(rule.path, rule.policy) for rule in resolution.rules] == [
        ("/batch", "slice"),
        ("/batch/a", "leaf"),
    ]


def test_the_most_specific_match_governs(cgroupfs: FakeCgroupfs) -> None:
    for name in ("a", "b"):
        cgroupfs.add(f"/batch/{name}", max_bytes=32 * MIB)
    resolution = resolved(
        cgroupfs, f"name: all, match: /batch/*, {RECLAIM}", f"name: one, match: /batch/a, {RECLAIM}"
    )
    assert [(rule.path, rule.policy) for rule in resolution.rules] == [
        ("/batch/a", "one"),
        ("/batch/b", "all"),
    ]
    assert resolution.problems == ()


def test_a_tie_governs_nothing_and_names_both(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch/a")
    cgroupfs.add("/batch/b")
    resolution = resolved(
        cgroupfs, f"name: one, match: /batch/*, {RECLAIM}", f"name: two, match: [/x, /batch/*], {RECLAIM}"
    )
    assert resolution.rules == ()
    assert lines(resolution) == [
        (
            "f.yaml:2:24: policy 'one', cgroup /batch/a and 1 more:"
            " policy 'two' matches as specifically (/batch/*) as this one (/batch/*), so neither governs it;"
            " exclude it in one of them, or match it more specifically in one"
        )
    ]


def test_excluding_it_in_one_ends_a_tie(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch/a")
    cgroupfs.add("/batch/b")
    resolution = resolved(
        cgroupfs,
        f"name: one, match: {{include: /batch/*, exclude: /batch/b}}, {RECLAIM}",
        f"name: two, match: {{include: /batch/*, exclude: /batch/a}}, {RECLAIM}",
    )
    assert [(rule.path, rule.policy) for rule in resolution.rules] == [
        ("/batch/a", "one"),
        ("/batch/b", "two"),
    ]


def test_one_problem_for_all_cgroups_that_have_it(cgroupfs: FakeCgroupfs) -> None:
    for name in ("a", "b", "c"):
        cgroupfs.add(f"/batch/{name}")
    cgroupfs.add("/batch/d", max_bytes=32 * MIB)
    resolution = resolved(cgroupfs, "name: batch, match: /batch/*, reclaim: {start: 75%, stop: 70%}")
    assert [rule.path for rule in resolution.rules] == ["/batch/d"]
    assert lines(resolution) == [
        (
            "f.yaml:2:53: policy 'batch', cgroup /batch/a and 2 more:"
            " start is 75% of memory.max, but the cgroup has no memory.max;"
            " set its memory.max, or write start as a size such as 24MiB"
        )
    ]
    assert [problem.policy for problem in resolution.errors] == ["batch"]


def test_a_limit_further_up_is_known(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch", max_bytes=16 * MIB)
    cgroupfs.add("/batch/a/b", max_bytes=32 * MIB)
    resolution = resolved(cgroupfs, f"name: batch, match: /batch/a/b, {RECLAIM}")
    assert len(resolution.rules) == 1
    (warning,) = resolution.warnings
    assert "memory.max of /batch 16MiB" in warning.text
    assert resolution.errors == ()


def test_a_cgroup_without_the_memory_controller(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch/a", memory=False)
    resolution = resolved(cgroupfs, f"name: batch, match: /batch/*, {RECLAIM}")
    assert resolution.rules == ()
    assert "the memory controller is not enabled for it" in resolution.errors[0].text


def test_a_policy_that_matches_nothing(cgroupfs: FakeCgroupfs) -> None:
    resolution = resolved(cgroupfs, f"name: batch, match: /batch/*, {RECLAIM}")
    assert lines(resolution) == [
        (
            "f.yaml:2:26: warning: policy 'batch': matches no cgroup at present;"
            " it takes effect when one appears; systemd-cgls shows those that exist"
        )
    ]


def test_a_policy_that_others_leave_nothing_to(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch/a")
    resolution = resolved(
        cgroupfs, f"name: all, match: /batch/*, {RECLAIM}", f"name: one, match: /batch/a, {RECLAIM}"
    )
    (warning,) = resolution.warnings
    assert warning.policy == "all"
    assert warning.text == "policy 'all': every cgroup that it matches is governed by a more specific policy"


def test_no_policies_at_all(cgroupfs: FakeCgroupfs) -> None:
    loaded = parse_config(b"policies: []", "f.yaml")
    resolution = resolve(loaded, survey(cgroupfs.root), page_bytes=PAGE, machine=MACHINE)
    assert lines(resolution) == [
        "f.yaml:1:11: warning: there are no policies: nothing is governed; add one below 'policies:'"
    ]


def test_problems_come_in_the_order_of_the_file(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/b")
    resolution = resolved(
        cgroupfs,
        f"name: nothing, match: /none, {RECLAIM}",
        "name: b, match: /b, reclaim: {start: 75%, stop: 70%}",
    )
    assert [problem.policy for problem in resolution.problems] == ["nothing", "b"]


def test_names_that_would_break_a_line_are_escaped(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch/a\x1b[31m")
    (line,) = lines(resolved(cgroupfs, "name: batch, match: /batch/*, reclaim: {start: 75%, stop: 70%}"))
    assert line.isprintable()
    assert r"/batch/a\x1b[31m" in line


def test_many_cgroups_are_one_rule_each(cgroupfs: FakeCgroupfs) -> None:
    for number in range(200):
        cgroupfs.add(f"/batch/{number}", max_bytes=32 * MIB)
    assert len(resolved(cgroupfs, f"name: batch, match: /batch/*, {RECLAIM}").rules) == 200


def test_each_cgroup_without_the_controller_is_told_its_own_parent(cgroupfs: FakeCgroupfs) -> None:
    for path in ("/a/x", "/b/x"):
        cgroupfs.add(path, memory=False)
    told = lines(resolved(cgroupfs, f"name: x, match: /*/x, {RECLAIM}"))
    assert ["/a" in line and "/b" not in line for line in told] == [True, False]
