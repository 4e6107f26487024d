# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines: what they look like, and that no reader can hold the daemon up."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.config.models import Log, LogFormat, LogLevel
from reclaimd.service import log

#: More than the queue and a pipe hold.
TOO_MANY_LINES = log.MAX_QUEUED_LINES * 4


class Pipe:
    """A pipe that is read when the test does so, and what writes to it."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        self.writer = log.LineWriter(self._write_fd)

    def close(self) -> None:
        """Break the pipe, which ends all waiting, and then end the writer: it must not outlive its fd."""
        os.close(self.read_fd)
        self.writer.close()
        os.close(self._write_fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that nobody reads but the test."""
    pipe = Pipe()
    yield pipe
    pipe.close()


def logged(path: Path, log_format: str, *, on_terminal: bool = False) -> str:
    """Log one line of one field to *path*, and return what it holds then."""
    with path.open("wb") as file:
        writer = log.LineWriter(file.fileno())
        daemon_log = log.DaemonLog(writer, Log(format=LogFormat(log_format)), on_terminal=on_terminal)
        daemon_log.logger.info("episode", cgroup="/batch/a", passes=3)
        writer.close()
    return path.read_text()


def test_json_is_one_object_a_line_with_level_and_time(tmp_path: Path) -> None:
    record = json.loads(logged(tmp_path / "log", "json"))
    assert record.pop("timestamp").endswith("Z")
    assert record == {"event": "episode", "cgroup": "/batch/a", "passes": 3, "level": "info"}


def test_console_shows_the_event_and_its_fields(tmp_path: Path) -> None:
    line = logged(tmp_path / "log", "console")
    assert "episode" in line
    assert "cgroup=/batch/a" in line
    assert line.count("\n") == 1


def test_a_line_that_is_no_utf8_is_written_escaped(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno())
        writer.msg(os.fsdecode(b"/batch/\xff"))
        writer.close()
    assert (tmp_path / "log").read_bytes() == b"/batch/\\udcff\n"


def test_a_reader_that_does_not_read_holds_nobody_up(pipe: Pipe) -> None:
    before = time.monotonic()
    for _ in range(TOO_MANY_LINES):
        pipe.writer.msg("x" * 1000)
    pipe.writer.close()
    assert time.monotonic() - before < 3 * log.CLOSE_TIMEOUT_S


def test_dropped_lines_are_counted_in_the_log_once_it_is_read_again(pipe: Pipe) -> None:
    logger = log.DaemonLog(pipe.writer, Log(format=LogFormat.JSON), on_terminal=False).logger
    for _ in range(TOO_MANY_LINES):
        logger.info("x" * 1000)
    dropped = pipe.writer.dropped_lines
    assert 0 < dropped < TOO_MANY_LINES
    with os.fdopen(os.dup(pipe.read_fd), "r") as reader:
        records = [json.loads(reader.readline()) for _ in range(TOO_MANY_LINES - dropped)]
        logger.info("read again")
        records.append(json.loads(reader.readline()))
    assert max(record.get("dropped_lines", 0) for record in records) == dropped


def test_a_reader_that_has_gone_harms_nobody() -> None:
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    os.close(read_fd)
    writer = log.LineWriter(write_fd)
    writer.msg("nobody reads this")
    writer.msg("nor this")
    writer.close()
    os.close(write_fd)


@pytest.mark.parametrize(
    ("log_format", "on_terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("console", False, False)],
)
def test_people_get_lines_and_programs_get_json_unless_the_configuration_decides(
    tmp_path: Path, *, log_format: str, on_terminal: bool, is_json: bool
) -> None:
    text = logged(tmp_path / "log", log_format, on_terminal=on_terminal)
    assert text.startswith("{") is is_json


def test_lines_below_the_level_are_left_out(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno())
        logger = log.DaemonLog(writer, Log(level=LogLevel.WARNING), on_terminal=False).logger
        logger.info("episode")
        logger.warning("kept the old rules")
        writer.close()
    assert json.loads((tmp_path / "log").read_text())["event"] == "kept the old rules"


def test_settings_can_change_while_the_logger_is_in_use(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno())
        daemon_log = log.DaemonLog(writer, Log(level=LogLevel.WARNING), on_terminal=False)
        daemon_log.logger.info("episode")
        daemon_log.change(Log(level=LogLevel.DEBUG, format=LogFormat.CONSOLE))
        daemon_log.logger.debug("rule added")
        writer.close()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "rule added" in line
    assert not line.startswith("{")
