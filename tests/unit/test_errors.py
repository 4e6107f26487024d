# SPDX-License-Identifier: GPL-2.0-or-later

import errno

import pytest

from reclaimd.errors import ConfigError, HostError, NotPermittedError, ReclaimdError, exit_status


@pytest.mark.parametrize(
    ("kind", "status"), [(ReclaimdError, 1), (HostError, 69), (NotPermittedError, 77), (ConfigError, 78)]
)
def test_each_kind_has_its_exit_status(kind: type[ReclaimdError], status: int) -> None:
    assert kind("broken").exit_status == status


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOMEM, 1), (errno.ENOSPC, 1), (errno.EINVAL, 69), (errno.EACCES, 69)]
)
def test_what_may_pass_is_worth_another_start(number: int, status: int) -> None:
    error = HostError("the kernel does not take it")
    error.__cause__ = OSError(number, "so it said")
    assert exit_status(error) == status


def test_message_and_hint_are_one_line() -> None:
    assert str(HostError("no cgroup2", hint="mount it")) == "no cgroup2; mount it"


def test_without_a_hint_the_message_stands_alone() -> None:
    assert str(HostError("no cgroup2")) == "no cgroup2"
