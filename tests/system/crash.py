# SPDX-License-Identifier: GPL-2.0-or-later
"""Children that take part in the daemon's work and are killed on the way."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from reclaimd.kernel import libbpf

#: What changes something that outlives the process.
_CALLS = (
    (libbpf, "bpf_obj_pin"),
    (libbpf, "bpf_link_create"),
    (libbpf, "bpf_link_update"),
    (libbpf, "bpf_map_update_elem"),
    (libbpf, "bpf_map_delete_elem"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "unlink"),
    (Path, "rmdir"),
)


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do some work in a child that is killed just before so many steps are done; whether it got that far.

    A step is a call that changes something in the kernel or in the pins. A child that gets through all of its
    work is killed at its end.
    """
    pid = os.fork()
    if not pid:
        _play(step, work)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in {-signal.SIGKILL, -signal.SIGTERM}, "the work failed"
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _play(step: int, work: Callable[[], object]) -> None:
    try:
        left = step

        def counting(call: Callable[..., object]) -> Callable[..., object]:
            def counted(*args: object, **kwargs: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return counted

        for owner, name in _CALLS:
            setattr(owner, name, counting(getattr(owner, name)))
        work()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os._exit(1)
