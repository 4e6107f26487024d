# SPDX-License-Identifier: GPL-2.0-or-later
"""The C programs, built by the compiler of this machine and run outside of any cgroup of their own."""

import json
import shutil
import socketserver
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.lab import CHECKOUT

CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler here; the lab has its own")

PAGES_PER_MIB = 256


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("programs")
    for name in ("workload", "sampler", "loop", "redis_client", "micro", "charging"):
        source = CHECKOUT / "daemon" / "bench_src" / f"{name}.c"
        options = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", *options, "-o", directory / name, source], check=True)
    return directory


def run(*command: str | Path, stdin: str = "x") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_the_file_workload_writes_each_page_once_and_reads_it_twice(programs: Path, tmp_path: Path) -> None:
    file = tmp_path / "data"
    ended = run(programs / "workload", "file", "--size-mib", "3", "--path", file)
    assert json.loads(ended.stdout)["operations"] == 3 * 3 * PAGES_PER_MIB
    assert file.stat().st_size == 3 << 20


def test_the_anon_workload_touches_each_page_twice(programs: Path) -> None:
    ended = run(programs / "workload", "anon", "--size-mib", "3")
    assert json.loads(ended.stdout)["operations"] == 2 * 3 * PAGES_PER_MIB


def test_percentiles_rise_up_to_the_maximum(programs: Path) -> None:
    told = json.loads(run(programs / "workload", "anon", "--size-mib", "2").stdout)
    assert 0 < told["p50_us"] <= told["p99_us"] <= told["p999_us"] <= told["max_us"] <= told["wall_s"] * 1e6


def test_the_workload_does_nothing_without_a_start_signal(programs: Path, tmp_path: Path) -> None:
    ended = run(programs / "workload", "file", "--size-mib", "1", "--path", tmp_path / "data", stdin="")
    assert (ended.returncode, ended.stderr) == (1, "workload: stdin ended before the start signal\n")
    assert not (tmp_path / "data").exists()


def test_the_workload_enters_its_cgroup_before_it_starts(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    ended = run(programs / "workload", "anon", "--size-mib", "1", "--cgroup", tmp_path, stdin="")
    assert ended.returncode == 1
    assert (tmp_path / "cgroup.procs").read_text() == "0"


def test_several_processes_do_their_part_each(programs: Path, tmp_path: Path) -> None:
    ended = run(
        programs / "workload", "file", "--size-mib", "1", "--processes", "3", "--path", tmp_path / "data"
    )
    assert json.loads(ended.stdout)["operations"] == 3 * 3 * PAGES_PER_MIB
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["data.0", "data.1", "data.2"]


def test_processes_enter_their_cgroups_in_turn(programs: Path, tmp_path: Path) -> None:
    cgroups = [tmp_path / "a", tmp_path / "b"]
    for cgroup in cgroups:
        cgroup.mkdir()
        (cgroup / "cgroup.procs").touch()
    options: list[str | Path] = [word for cgroup in cgroups for word in ("--cgroup", cgroup)]
    ended = run(programs / "workload", "anon", "--size-mib", "1", "--processes", "2", *options)
    assert ended.returncode == 0
    assert [(cgroup / "cgroup.procs").read_text() for cgroup in cgroups] == ["0", "0"]


def test_one_process_that_fails_fails_the_workload(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    options: list[str | Path] = ["--processes", "3", "--cgroup", tmp_path, "--cgroup", tmp_path / "gone"]
    assert run(programs / "workload", "anon", "--size-mib", "1", *options).returncode == 1


def test_the_endless_workload_goes_on_until_it_is_killed_and_leaves_no_process(
    programs: Path, tmp_path: Path
) -> None:
    file = tmp_path / "data"
    command: list[str | Path] = [
        programs / "workload",
        "file",
        "--size-mib",
        "1",
        "--path",
        file,
        "--endless",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as workload:
        assert workload.stdin
        assert workload.stdout
        workload.stdin.write(b"x")
        workload.stdin.close()
        for whole in (True, False):  # written, and then written anew
            while not file.exists() or (file.stat().st_size == 1 << 20) is not whole:
                assert workload.poll() is None
        workload.kill()
        assert workload.stdout.read() == b"", "whoever still had it open would hold this up"


def test_the_burst_keeps_to_its_rate_where_memory_is_plenty(programs: Path) -> None:
    told = json.loads(run(programs / "workload", "burst", "--size-mib", "6").stdout)
    steady = 1 * 16  # chunks of 64 KiB a second
    assert abs(told["operations"] - steady * (1 + 1.5 * 6 + 1.5)) <= 3
    assert told["wall_s"] > 4


def test_a_cgroup_that_is_not_there_is_one_line(programs: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    ended = run(programs / "workload", "anon", "--size-mib", "1", "--cgroup", gone)
    assert (ended.returncode, ended.stderr) == (
        1,
        f"workload: {gone}/cgroup.procs: No such file or directory\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["shuffle", "--size-mib", "1"],
        ["anon"],
        ["anon", "--size-mib", "0"],
        ["anon", "--size-mib", "1x"],
        ["anon", "--size-mib", "1", "--path", "x"],
        ["anon", "--size-mib", "1", "--endless"],
        ["file", "--size-mib", "1"],
        ["anon", "--size-mib", "1", "--processes", "0"],
    ],
)
def test_a_wrong_command_line_ends_with_status_2(programs: Path, arguments: list[str]) -> None:
    ended = run(programs / "workload", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr


def test_the_sampler_takes_samples_until_stdin_ends(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("4096\n")
    command: list[str | Path] = [
        programs / "sampler",
        "--path",
        tmp_path / "memory.current",
        "--interval-us",
        "1000",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sampler:
        assert sampler.stdout is not None
        heading = sampler.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            sampler.wait(0.2)
        output, _ = sampler.communicate()
    samples = [[int(number) for number in line.split()] for line in output.splitlines()]
    assert heading == "ns value\n"
    assert len(samples) >= 2
    assert {value for _, value in samples} == {4096}
    times_ns = [at_ns for at_ns, _ in samples]
    assert times_ns == sorted(times_ns)


def test_the_sampler_takes_one_sample_at_least(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("0\n")
    ended = run(
        programs / "sampler", "--path", tmp_path / "memory.current", "--interval-us", "1000", stdin=""
    )
    assert len(ended.stdout.splitlines()) >= 1 + 1  # its heading and the sample


def test_a_file_that_cannot_be_sampled_is_one_line(programs: Path, tmp_path: Path) -> None:
    ended = run(programs / "sampler", "--path", tmp_path / "gone", "--interval-us", "1000", stdin="")
    assert (ended.returncode, ended.stderr) == (1, f"sampler: {tmp_path}/gone: No such file or directory\n")


def fake_cgroup(directory: Path, usage_bytes: int) -> Path:
    directory.mkdir()
    (directory / "memory.current").write_text(f"{usage_bytes}\n")
    (directory / "memory.reclaim").touch()
    return directory


def test_the_loop_asks_for_what_is_above_stop_from_each_cgroup_at_start(
    programs: Path, tmp_path: Path
) -> None:
    cgroups = [fake_cgroup(tmp_path / "low", 23_999), fake_cgroup(tmp_path / "high", 24_000)]
    options = ["--interval-us", "1000", "--start-bytes", "24000", "--stop-bytes", "22000"]
    with subprocess.Popen([programs / "loop", *options, *cgroups], stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout is not None
        assert loop.stdout.readline() == "polling\n"
        # It writes to both cgroups within one poll, if it does to both.
        while not (asked := (cgroups[1] / "memory.reclaim").read_text()):
            pass
        (cgroups[1] / "memory.current").write_text("0\n")
        loop.kill()
    assert asked == "2000"
    assert (cgroups[0] / "memory.reclaim").read_text() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--interval-us", "1000", "--start-bytes", "2", "--stop-bytes", "1"],
        ["--interval-us", "0", "--start-bytes", "2", "--stop-bytes", "1", "/"],
        ["--start-bytes", "2", "--stop-bytes", "1", "/"],
    ],
)
def test_a_wrong_command_line_of_the_loop_ends_with_status_2(programs: Path, arguments: list[str]) -> None:
    ended = run(programs / "loop", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr


VALUE = b"v" * 100
ANSWERED = threading.Semaphore(0)


class FakeRedis(socketserver.StreamRequestHandler):
    """Takes values, and answers every request for one, the first of them late."""

    late_s = 0.3

    def handle(self) -> None:
        """Answer until the client is gone."""
        while self.rfile.readline():
            self.rfile.readline()
            verb = self.rfile.readline()
            for _ in range(4 if verb == b"SET\r\n" else 2):
                self.rfile.readline()
            if verb == b"SET\r\n":
                self.wfile.write(b"+OK\r\n")
            else:
                time.sleep(self.late_s)
                self.late_s = 0.0
                self.wfile.write(b"$100\r\n" + VALUE + b"\r\n")
                ANSWERED.release()


def test_requests_that_were_due_while_the_server_stalled_are_slow_too(programs: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socketserver.ThreadingUnixStreamServer(str(path), FakeRedis) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command: list[str | Path] = [programs / "redis_client", "--socket", path, "--rate", "200"]
        with subprocess.Popen(
            [*command, "--keys", "3", "--value-bytes", "100"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == "filled\n"
            client.stdin.write("x")
            client.stdin.flush()
            for _ in range(30):
                assert ANSWERED.acquire(timeout=30)
            output, _ = client.communicate()
        server.shutdown()
    told = json.loads(output)
    assert told["operations"] >= 30
    # 20 requests were due in the first third of the stall.
    assert told["p99_us"] > 200_000


@pytest.mark.parametrize("arguments", [[], ["--socket", "x"], ["--keys", "0"], ["--rate", "x"], ["x"]])
def test_a_wrong_command_line_of_the_client_ends_with_status_2(programs: Path, arguments: list[str]) -> None:
    ended = run(programs / "redis_client", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr


def test_the_microbenchmark_times_faults_and_writes_in_its_cgroup_and_leaves_no_file(
    programs: Path, tmp_path: Path
) -> None:
    (tmp_path / "cgroup.procs").touch()
    options: list[str | Path] = ["--pages", "256", "--path", tmp_path / "data", "--cgroup", tmp_path]
    told = json.loads(run(programs / "micro", *options).stdout)
    assert told["fault_ns"] > 0
    assert told["write_ns"] > 0
    assert [file.name for file in tmp_path.iterdir()] == ["cgroup.procs"]
    assert (tmp_path / "cgroup.procs").read_text() == "0"


def test_charging_enters_its_cgroups_in_turn(programs: Path, tmp_path: Path) -> None:
    cgroups = [tmp_path / "a", tmp_path / "b"]
    for cgroup in cgroups:
        cgroup.mkdir()
        (cgroup / "cgroup.procs").touch()
    told = json.loads(run(programs / "charging", "--visits", "4", "--pages", "64", *cgroups).stdout)
    assert told["ns_per_charge"] > 0
    assert [(cgroup / "cgroup.procs").read_text() for cgroup in cgroups] == ["0", "0"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("micro", []),
        ("micro", ["--pages", "0", "--path", "x", "--cgroup", "x"]),
        ("micro", ["--pages", "1", "--path", "x"]),
        ("charging", ["--visits", "1", "--pages", "1"]),
        ("charging", ["--visits", "x", "--pages", "1", "x"]),
    ],
)
def test_a_wrong_command_line_of_the_others_ends_with_status_2(
    programs: Path, name: str, arguments: list[str]
) -> None:
    ended = run(programs / name, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr
