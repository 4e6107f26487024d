# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the metrics are served."""

import ipaddress
import re
from dataclasses import dataclass

from reclaimd.config.bad_value import BadValueError, describe

_HOST_AND_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([^:]*)):([0-9]{1,5})")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An IP address, v6 without brackets, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return the address as it is written in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


#: Above the ports that Prometheus's exporters have shared out among themselves (9100 to 9999 and
#: some 10000s), below those that the kernel hands out by itself.
DEFAULT_LISTEN = ListenAddress("127.0.0.1", 19765)


def parse_listen(value: object) -> ListenAddress:
    """Read "127.0.0.1:19765" or "[::1]:19765".

    Raises:
        BadValueError: it is not an IP address and a port.
    """
    example = f"write for example {DEFAULT_LISTEN}"
    if not isinstance(value, str):
        raise BadValueError(f"must be an address and a port, not {describe(value)}", hint=example)
    if not (match := _HOST_AND_PORT.fullmatch(value)):
        raise BadValueError(f"'{value}' is not an address and a port", hint=example)
    host, port = match[1] or match[2], int(match[3])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A name would make the start of the daemon wait for a resolver.
        raise BadValueError(f"'{host}' is not an IP address", hint=example) from None
    if not 0 < port <= _MAX_PORT:
        raise BadValueError(f"{port} is not a port", hint=f"a port is 1 to {_MAX_PORT}")
    return ListenAddress(str(address), port)
