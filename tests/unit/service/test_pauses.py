# SPDX-License-Identifier: GPL-2.0-or-later

from reclaimd.config import parse_config
from reclaimd.config.models import Mode
from reclaimd.service.pauses import Pauses

TWO = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
  - name: web
    match: /web
    reclaim: {start: 75%, stop: 50%}
"""


def test_at_first_nothing_is_paused() -> None:
    assert not Pauses().holds_for("batch")


def test_one_policy_is_paused_and_no_other() -> None:
    pauses = Pauses().changed("batch", paused=True)
    assert pauses.holds_for("batch")
    assert not pauses.holds_for("web")


def test_all_are_paused_those_to_come_too() -> None:
    assert Pauses().changed(None, paused=True).holds_for("new")


def test_one_of_all_is_resumed() -> None:
    pauses = Pauses().changed(None, paused=True).changed("batch", paused=False)
    assert not pauses.holds_for("batch")
    assert pauses.holds_for("web")


def test_resuming_all_resumes_each() -> None:
    assert Pauses().changed("batch", paused=True).changed(None, paused=False) == Pauses()


def test_pausing_twice_is_as_once() -> None:
    once = Pauses().changed("batch", paused=True)
    assert once.changed("batch", paused=True) == once


def test_a_paused_policy_is_in_mode_monitor() -> None:
    loaded = parse_config(TWO.encode(), "policy.yaml")
    imposed = Pauses().changed("batch", paused=True).imposed_on(loaded)
    assert [policy.mode for policy in imposed.config.policies] == [Mode.MONITOR, Mode.ENFORCE]
    assert [policy.mode for policy in loaded.config.policies] == [Mode.ENFORCE, Mode.ENFORCE]
