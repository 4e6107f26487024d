# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics over TLS, and who gets them."""

import http.client
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from reclaimd.config.models import Tls
from reclaimd.service.certificates import Certificates
from reclaimd.service.incidents import Incident, Incidents
from tests.unit.certificates import Authority
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import BATCH, TIMEOUT_S, RunningDaemon, add_parent


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs what the tests trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def cgroups(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch and nothing to govern."""
    add_parent(cgroupfs, "/batch")
    return cgroupfs


def config(cert: Path, key: Path, client_ca: Path | None = None) -> str:
    """A configuration with these files."""
    more = f", client_ca: {client_ca}" if client_ca else ""
    return f"{BATCH}metrics: {{tls: {{cert: {cert}, key: {key}{more}}}}}\n"


def ask(daemon: RunningDaemon, authority: Authority, client: tuple[Path, Path] | None = None) -> int:
    """Scrape over HTTPS; return the status."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if client:
        context.load_cert_chain(*client)
    address = next(record["metrics"] for record in daemon.log if record["event"] == "in force")
    with closing(http.client.HTTPSConnection(address, timeout=TIMEOUT_S, context=context)) as connection:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert b"reclaimd_rules 0.0\n" in answer.read()
        return answer.status


def test_metrics_are_served_over_tls(cgroups: FakeCgroupfs, authority: Authority) -> None:
    def script(daemon: RunningDaemon) -> None:
        assert ask(daemon, authority) == 200

    RunningDaemon(cgroups, config(*authority.issue("server"))).run(script)


def test_a_client_with_a_certificate_is_answered_and_others_are_not(
    cgroups: FakeCgroupfs, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").issue("client")

    def script(daemon: RunningDaemon) -> None:
        assert ask(daemon, authority, authority.issue("client")) == 200
        for other in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                ask(daemon, authority, other)

    RunningDaemon(cgroups, config(*authority.issue("server"), authority.cert)).run(script)


def test_a_client_without_tls_gets_nothing_and_harms_nobody(
    cgroups: FakeCgroupfs, authority: Authority
) -> None:
    def script(daemon: RunningDaemon) -> None:
        address = next(record["metrics"] for record in daemon.log if record["event"] == "in force")
        with closing(http.client.HTTPConnection(address, timeout=TIMEOUT_S)) as connection:
            connection.request("GET", "/metrics")
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                connection.getresponse()
        assert ask(daemon, authority) == 200

    RunningDaemon(cgroups, config(*authority.issue("server"))).run(script)


def test_certificates_that_are_replaced_are_used(tmp_path: Path) -> None:
    first = Authority(tmp_path, "first")
    cert, key = first.issue("server")
    certificates = Certificates(Tls(cert=cert, key=key), Incidents())
    before = certificates.context()
    assert certificates.context() is before
    first.issue("server")
    assert certificates.context() is not before


def test_certificates_that_break_leave_the_old_ones_in_use(tmp_path: Path) -> None:
    cert, key = Authority(tmp_path).issue("server")
    incidents = Incidents()
    certificates = Certificates(Tls(cert=cert, key=key), incidents)
    before = certificates.context()
    key.write_text("-----BEGIN PRIVATE KEY-----\nhalf of i")
    assert certificates.context() is before
    assert certificates.context() is before
    assert incidents.so_far()[Incident.CERTIFICATES].number == 1, "and it is not read again and again"


def test_a_reload_takes_other_certificates_on_the_same_address(
    cgroups: FakeCgroupfs, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")

    def script(daemon: RunningDaemon) -> None:
        assert ask(daemon, authority) == 200
        daemon.reload(config(*other.issue("server")))
        daemon.wait_for_line("reloaded")
        assert ask(daemon, other) == 200

    RunningDaemon(cgroups, config(*authority.issue("server"))).run(script)


def test_a_key_is_in_no_log(cgroups: FakeCgroupfs, authority: Authority) -> None:
    cert, key = authority.issue("server")
    secret = key.read_text().splitlines()[1]

    def script(daemon: RunningDaemon) -> None:
        daemon.reload(config(key, cert))
        daemon.wait_for_line("not reloaded: the configuration in force stays")

    daemon = RunningDaemon(cgroups, config(cert, key))
    daemon.run(script)
    assert secret not in str(daemon.log)
