# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines: what they look like, and that no reader can hold the daemon up."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.config.models import Log, LogFormat, LogLevel
from reclaimd.service import burst, log

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
    for number in range(TOO_MANY_LINES):
        logger.info(str(number) * 300)
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


def test_a_burst_of_one_kind_is_cut_short_and_others_are_not(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno())
        daemon_log = log.DaemonLog(writer, Log(), on_terminal=False)
        for _ in range(burst.MAX_LINES + 7):
            daemon_log.logger.info("episode")
            # Lets the writer keep up: what the queue has no room for is another matter.
            time.sleep(0)
        daemon_log.logger.info("stopping")
        writer.close()
    lines = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert lines.count("episode") == burst.MAX_LINES
    assert lines[-1] == "stopping"


def test_what_was_left_out_is_told_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst, "INTERVAL_S", 0.0)
    monkeypatch.setattr(burst, "MAX_LINES", 0)
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno())
        daemon_log = log.DaemonLog(writer, Log(), on_terminal=False)
        for _ in range(3):
            daemon_log.logger.info("episode")
        monkeypatch.setattr(burst, "MAX_LINES", 1)
        assert daemon_log.wait_s() == 0
        daemon_log.tell_left_out()
        assert daemon_log.wait_s() is None
        writer.close()
    (line,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (line["event"], line["of"], line["number"]) == ("lines left out", "episode", 3)


def test_under_the_journal_a_line_is_an_entry_with_a_field_for_each_value() -> None:
    sent: list[tuple[bytes, ...]] = []
    writer = log.LineWriter(-1, lambda *fields: sent.append(fields))
    daemon_log = log.DaemonLog(writer, Log(), on_terminal=False, on_journal=True)
    daemon_log.logger.warning("episode", cgroup="/batch/a", passes=3)
    writer.close()
    assert set(sent[0]) == {
        b"MESSAGE=episode cgroup=/batch/a passes=3",
        b"PRIORITY=4",
        b"SYSLOG_IDENTIFIER=reclaimd",
        b"MESSAGE_ID=5f464bed7f9e4fa183ddc07918a5db3c",
        b"CGROUP=/batch/a",
        b"PASSES=3",
    }


def test_under_the_journal_json_is_lines_if_the_configuration_says_so(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = log.LineWriter(file.fileno(), lambda *_: pytest.fail("an entry"))
        settings = Log(format=LogFormat.JSON)
        log.DaemonLog(writer, settings, on_terminal=False, on_journal=True).logger.info("episode")
        writer.close()
    assert json.loads((tmp_path / "log").read_text())["event"] == "episode"
