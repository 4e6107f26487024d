# SPDX-License-Identifier: GPL-2.0-or-later
"""What is answered to which request, by the real daemon."""

import http.client
from collections.abc import Callable

import pytest

from reclaimd.service import pages
from reclaimd.service.pages import Pages
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import TIMEOUT_S, RunningDaemon, add_parent


def ask(daemon: RunningDaemon, method: str, path: str) -> tuple[http.client.HTTPResponse, str]:
    """Send one request; return the answer and its body."""
    address = next(record["metrics"] for record in daemon.log if record["event"] == "in force")
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch/a."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 << 20)
    return cgroupfs


@pytest.mark.parametrize(
    ("request_line", "status", "content_type", "text"),
    [
        ("GET /", 200, "text/html; charset=utf-8", '<a href="metrics">'),
        ("GET /metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "reclaimd_rules 1.0\n"),
        ("GET /healthz", 200, "text/plain; charset=utf-8", "ok\n"),
        ("GET /metrics/x", 404, "text/plain; charset=utf-8", "/metrics"),
        ("POST /metrics", 405, "text/plain; charset=utf-8", "only GET"),
    ],
)
def test_requests_are_answered(
    batch: FakeCgroupfs, request_line: str, status: int, content_type: str, text: str
) -> None:
    def script(daemon: RunningDaemon) -> None:
        answer, body = ask(daemon, *request_line.split())
        assert answer.status == status
        assert answer.headers["Content-Type"] == content_type
        assert text in body

    RunningDaemon(batch).run(script)


def test_what_may_be_asked_instead_is_said(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        answer, _ = ask(daemon, "DELETE", "/")
        assert answer.headers["Allow"] == "GET, HEAD"

    RunningDaemon(batch).run(script)


def test_head_has_no_body(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        answer, body = ask(daemon, "HEAD", "/metrics")
        assert (answer.status, body) == (200, "")

    RunningDaemon(batch).run(script)


def test_a_loop_that_does_not_turn_is_not_well() -> None:
    limits: list[float] = []

    def is_well(limit_s: float) -> bool:
        limits.append(limit_s)
        return False

    statuses: list[str] = []

    def start(status: str, *_: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return len

    application = Pages(lambda _accept: ("text/plain", iter(())), is_well)
    body = b"".join(application({"REQUEST_METHOD": "GET", "PATH_INFO": "/healthz"}, start))
    assert statuses == ["503 Service Unavailable"]
    assert b"has not turned for 10 s" in body
    assert limits == [pages.TURN_LIMIT_S]
