# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors of io.reclaimd, and one of Varlink's own, as calls are answered with them."""

from varlink import VarlinkError

INTERFACE = "io.reclaimd"


def _error(name: str, **parameters: object) -> VarlinkError:
    return VarlinkError({"error": name, "parameters": parameters})


def not_permitted() -> VarlinkError:
    """Return that the caller is not root."""
    return _error(f"{INTERFACE}.NotPermitted")


def no_such_cgroup(cgroup: str) -> VarlinkError:
    """Return that a cgroup is not governed."""
    return _error(f"{INTERFACE}.NoSuchCgroup", cgroup=cgroup)


def no_such_policy(policy: str) -> VarlinkError:
    """Return that the configuration in force has no such policy."""
    return _error(f"{INTERFACE}.NoSuchPolicy", policy=policy)


def not_reloaded(problems: tuple[str, ...]) -> VarlinkError:
    """Return what is wrong with a configuration."""
    return _error(f"{INTERFACE}.NotReloaded", problems=list(problems))


def refused(reason: str) -> VarlinkError:
    """Return why something is not done."""
    return _error(f"{INTERFACE}.Refused", reason=reason)


def expected_more() -> VarlinkError:
    """Return that the method answers with several replies, which the caller did not ask for."""
    return _error("org.varlink.service.ExpectedMore")
