# SPDX-License-Identifier: GPL-2.0-or-later
"""What is answered over HTTP: a landing page, the metrics, and whether the daemon is well."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from reclaimd import __version__

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

#: How long the loop may take for one turn, as when it puts thousands of rules in force, and still be well.
TURN_LIMIT_S = 10.0

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

LANDING = f"""\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>reclaimd</title></head>
<body>
<h1>reclaimd</h1>
<p>Keeps memory cgroups below their limits in the background. Version {__version__}.</p>
<ul>
<li><a href="metrics">Metrics</a></li>
<li><a href="healthz">Health</a></li>
</ul>
</body>
</html>
"""

#: What a client accepts (the header's value) -> the content type and the text, piece by piece.
Exposition = Callable[[str], tuple[str, Iterable[str]]]


class Pages:
    """A WSGI application.

    Args:
        exposition: the metrics of the moment.
        is_well: whether the loop turns within so many seconds.
    """

    def __init__(self, exposition: Exposition, is_well: Callable[[float], bool]) -> None:
        self._exposition = exposition
        self._is_well = is_well

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        status, content_type, pieces = self._answer(environ)
        headers = [("Content-Type", content_type), ("X-Content-Type-Options", "nosniff")]
        if environ["REQUEST_METHOD"] not in _METHODS:
            headers.append(("Allow", ", ".join(_METHODS)))
        start(status, headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (piece.encode() for piece in pieces)

    def _answer(self, environ: "WSGIEnvironment") -> tuple[str, str, Iterable[str]]:
        if environ["REQUEST_METHOD"] not in _METHODS:
            return "405 Method Not Allowed", TEXT, ["only GET and HEAD are answered\n"]
        match environ["PATH_INFO"]:
            case "/metrics":
                return "200 OK", *self._exposition(environ.get("HTTP_ACCEPT", ""))
            case "/healthz":
                if self._is_well(TURN_LIMIT_S):
                    return "200 OK", TEXT, ["ok\n"]
                return (
                    "503 Service Unavailable",
                    TEXT,
                    [f"the daemon has not turned for {TURN_LIMIT_S:g} s\n"],
                )
            case "/" | "":
                return "200 OK", HTML, [LANDING]
        return "404 Not Found", TEXT, ["there are /, /metrics and /healthz\n"]


_METHODS = ("GET", "HEAD")
