# SPDX-License-Identifier: GPL-2.0-or-later

import ipaddress

import pytest

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.listen import DEFAULT_LISTEN, ListenAddress, parse_listen


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:19765", ListenAddress("127.0.0.1", 19765)),
        ("0.0.0.0:80", ListenAddress("0.0.0.0", 80)),  # noqa: S104  only read, not listened on
        ("[::1]:19765", ListenAddress("::1", 19765)),
    ],
)
def test_addresses(text: str, address: ListenAddress) -> None:
    assert parse_listen(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("localhost:9100", "'localhost' is not an IP address"),
        (":9100", "'' is not an IP address"),
        ("127.0.0.1", "'127.0.0.1' is not an address and a port"),
        ("::1:9100", "'::1:9100' is not an address and a port"),
        ("127.0.0.1:0", "0 is not a port"),
        ("127.0.0.1:65536", "65536 is not a port"),
        ("127.0.0.1:http", "'127.0.0.1:http' is not an address and a port"),
        ("[127.0.0.1:80", "'[127.0.0.1' is not an IP address"),
        (19765, "must be an address and a port, not a number"),
    ],
)
def test_refused_addresses(value: object, message: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_listen(value)
    assert caught.value.message == message
    assert caught.value.hint


def test_nobody_else_can_reach_the_default() -> None:
    assert ipaddress.ip_address(DEFAULT_LISTEN.host).is_loopback
