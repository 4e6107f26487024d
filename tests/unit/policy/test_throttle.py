# SPDX-License-Identifier: GPL-2.0-or-later

from reclaimd.cgroup.facts import survey
from reclaimd.cgroup.machine import Machine
from reclaimd.config import parse_config
from reclaimd.config.models import Mode
from reclaimd.policy.resolve import Resolution, resolve
from reclaimd.policy.rule import MAX_THROTTLES, Rule, Throttle
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20
MACHINE = Machine(memory_bytes=2048 * MIB, swap_bytes=0)


def resolved(cgroupfs: FakeCgroupfs, *policies: str) -> Resolution:
    text = "\n".join(["policies:", *(f"  - {{{policy}}}" for policy in policies)])
    loaded = parse_config(text.encode(), "f.yaml")
    return resolve(loaded, survey(cgroupfs.root), page_bytes=4096, machine=MACHINE)


def protected(match: str, throttle: str, *, delay: str = "2s", name: str = "web", more: str = "") -> str:
    throttles = f"throttle: [{{match: {throttle}, delay: {delay}}}]"
    return f"name: {name}, match: {match}, protect: {{as: low, while: 8MiB, {throttles}}}{more}"


def rule_of(resolution: Resolution, path: str) -> Rule:
    (rule,) = [rule for rule in resolution.rules if rule.path == path]
    return rule


def throttled(resolution: Resolution) -> dict[str, list[int]]:
    return {
        rule.path: [throttle.protected_cgroup_id for throttle in rule.throttles]
        for rule in resolution.rules
        if rule.throttles
    }


def test_who_is_matched_waits_for_who_is_protected(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/web")
    cgroupfs.add("/batch")
    rule = rule_of(resolved(cgroupfs, protected("/web", "/batch", delay="1.5s")), "/batch")
    assert rule.throttles == (Throttle(web_id, 1500),)


def test_who_has_nothing_but_throttles_gets_a_rule_for_them(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/web")
    batch_id = cgroupfs.add("/batch", max_bytes=32 * MIB)
    rule = rule_of(resolved(cgroupfs, protected("/web", "/batch")), "/batch")
    throttles = (Throttle(web_id, 2000),)
    assert rule == Rule(batch_id, "/batch", "web", throttles=throttles, limit_pages=32 * MIB // 4096)


def test_who_is_governed_anyway_keeps_its_rule(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/web")
    cgroupfs.add("/batch", max_bytes=32 * MIB)
    batch = "name: batch, match: /batch, reclaim: {start: 24MiB, stop: 22MiB}"
    rule = rule_of(resolved(cgroupfs, protected("/web", "/batch"), batch), "/batch")
    assert (rule.policy, rule.reclaim is None) == ("batch", False)
    assert rule.throttles == (Throttle(web_id, 2000),)


def test_who_is_protected_does_not_wait_for_itself(cgroupfs: FakeCgroupfs) -> None:
    web_id, batch_id = cgroupfs.add("/web"), cgroupfs.add("/batch")
    resolution = resolved(cgroupfs, protected("/*", "/*"))
    assert throttled(resolution) == {"/web": [batch_id], "/batch": [web_id]}


def test_nobody_waits_for_what_is_in_it_or_around_it(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/slice/web")
    cgroupfs.add("/slice/web/worker")
    cgroupfs.add("/slice/batch")
    throttle = "[/slice, /slice/*, /slice/web/*]"
    assert throttled(resolved(cgroupfs, protected("/slice/web", throttle))) == {"/slice/batch": [web_id]}


def test_a_name_that_begins_alike_is_not_around_it(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/web")
    cgroupfs.add("/web2")
    assert throttled(resolved(cgroupfs, protected("/web", "/web2"))) == {"/web2": [web_id]}


def test_a_policy_that_only_watches_throttles_nobody(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/web")
    cgroupfs.add("/batch")
    resolution = resolved(cgroupfs, protected("/web", "/batch", more=", mode: monitor"))
    assert [(rule.path, rule.mode) for rule in resolution.rules] == [("/web", Mode.MONITOR)]
    assert throttled(resolution) == {}


def test_who_has_no_memory_controller_is_not_throttled(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/web")
    cgroupfs.add("/batch", memory=False)
    assert throttled(resolved(cgroupfs, protected("/web", "/batch"))) == {}


def test_what_is_excluded_is_not_throttled(cgroupfs: FakeCgroupfs) -> None:
    web_id = cgroupfs.add("/web")
    cgroupfs.add("/batch/a")
    cgroupfs.add("/batch/b")
    throttle = "{include: /batch/*, exclude: /batch/b}"
    assert throttled(resolved(cgroupfs, protected("/web", throttle))) == {"/batch/a": [web_id]}


def test_a_throttle_that_matches_nothing_is_remarked_on(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/web")
    (warning,) = resolved(cgroupfs, protected("/web", "/batch")).warnings
    assert str(warning) == (
        "f.yaml:2:81: warning: policy 'web': throttles no cgroup at present; it takes effect when one appears"
    )


def test_one_waits_for_several(cgroupfs: FakeCgroupfs) -> None:
    ids = [cgroupfs.add("/web"), cgroupfs.add("/db")]
    cgroupfs.add("/batch")
    resolution = resolved(
        cgroupfs,
        protected("/web", "/batch", delay="1s"),
        protected("/db", "/batch", delay="2s", name="db"),
    )
    assert sorted(throttled(resolution)["/batch"]) == sorted(ids)


def test_as_many_throttles_as_there_is_room_for(cgroupfs: FakeCgroupfs) -> None:
    for number in range(MAX_THROTTLES):
        cgroupfs.add(f"/web/{number}")
    cgroupfs.add("/batch")
    resolution = resolved(cgroupfs, protected("/web/*", "/batch"))
    assert len(rule_of(resolution, "/batch").throttles) == MAX_THROTTLES
    assert resolution.errors == ()


def test_more_throttles_than_there_is_room_for_are_an_error(cgroupfs: FakeCgroupfs) -> None:
    for number in range(MAX_THROTTLES + 1):
        cgroupfs.add(f"/web/{number}")
    cgroupfs.add("/batch")
    resolution = resolved(cgroupfs, protected("/web/*", "/batch"))
    assert len(rule_of(resolution, "/batch").throttles) == MAX_THROTTLES
    (error,) = resolution.errors
    assert error.text == (
        "policy 'web', cgroup /batch: it is throttled for more than 4 cgroups, of which only the first count"
    )
    assert error.policy == "web"


def test_rules_for_throttles_come_after_those_that_ask_for_them(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/batch")
    cgroupfs.add("/web")
    assert [rule.path for rule in resolved(cgroupfs, protected("/web", "/batch")).rules] == ["/web", "/batch"]
