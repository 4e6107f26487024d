# SPDX-License-Identifier: GPL-2.0-or-later
"""How much memory and swap the machine has."""

from dataclasses import dataclass
from pathlib import Path

from reclaimd.errors import HostError

MEMINFO = Path("/proc/meminfo")
_BYTES_PER_KIB = 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """MemTotal and SwapTotal of /proc/meminfo, in bytes."""

    memory_bytes: int
    swap_bytes: int


def read_machine(meminfo: Path = MEMINFO) -> Machine:
    """Read the machine's size as it is now: swap comes and goes.

    Raises:
        HostError: the file cannot be read, or does not say.
    """
    try:
        lines = [line.split() for line in meminfo.read_text().splitlines()]
    except OSError as error:
        raise HostError(f"cannot read {meminfo}: {error.strerror}") from error
    kib = {fields[0]: fields[1] for fields in lines if len(fields) > 1}
    try:
        return Machine(int(kib["MemTotal:"]) * _BYTES_PER_KIB, int(kib["SwapTotal:"]) * _BYTES_PER_KIB)
    except (KeyError, ValueError) as error:
        raise HostError(f"{meminfo} does not tell the machine's memory and swap") from error
