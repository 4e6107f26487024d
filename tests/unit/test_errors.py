# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.errors import ConfigError, HostError, NotPermittedError, ReclaimdError


@pytest.mark.parametrize(
    ("kind", "status"), [(ReclaimdError, 1), (HostError, 69), (NotPermittedError, 77), (ConfigError, 78)]
)
def test_each_kind_has_its_exit_status(kind: type[ReclaimdError], status: int) -> None:
    assert kind("broken").exit_status == status


def test_message_and_hint_are_one_line() -> None:
    assert str(HostError("no cgroup2", hint="mount it")) == "no cgroup2; mount it"


def test_without_a_hint_the_message_stands_alone() -> None:
    assert str(HostError("no cgroup2")) == "no cgroup2"
