"""Whoever reads the log may stand still: nobody waits, and what is dropped is told."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.logstream import LogStream

MOST = 10_000
LINE = "x" * 99 + "\n"


class Pipe:
    """One that holds little, and is read when it is wanted."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, 4096)

    def close(self) -> None:
        for end in (self.reading, self.writing):
            os.close(end)

    def lines(self, count: int) -> list[str]:
        return [self._line() for _ in range(count)]

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):  # byte by byte: a buffer would take what comes behind
            line += os.read(self.reading, 1)
        return line.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with closing(Pipe()) as made:
        yield made


def stream_to(descriptor: int) -> LogStream:
    return LogStream(descriptor, lambda count: f"{count} dropped\n", MOST)


def test_what_is_written_comes_out_in_its_order(pipe: Pipe) -> None:
    stream = stream_to(pipe.writing)
    for number in range(50):
        print(f"line {number} \ud800é", file=stream)
    assert pipe.lines(50) == [f"line {number} \\ud800é\n" for number in range(50)]
    stream.drain()
    assert stream.dropped == 0


def test_nobody_waits_for_a_reader_that_stands_still(pipe: Pipe) -> None:
    stream = stream_to(pipe.writing)
    for _ in range(1000):
        stream.write(LINE)
    kept = 1000 - stream.dropped
    assert 100 <= kept <= 141  # the queue, and what the pipe holds
    assert pipe.lines(kept + 1) == [LINE] * kept + [f"{1000 - kept} dropped\n"]
    stream.write("on\n")
    assert pipe.lines(1) == ["on\n"]
    stream.drain()


def test_what_is_dropped_is_in_one_row_and_told_once(pipe: Pipe) -> None:
    """Else each line that is read would make room for a line that tells of the next."""
    stream = stream_to(pipe.writing)
    for _ in range(200):
        stream.write(LINE)
    first = stream.dropped
    pipe.lines(1)
    stream.write(LINE)
    assert stream.dropped == first + 1
    rest = pipe.lines(200 - first)
    assert rest == [LINE] * (199 - first) + [f"{first + 1} dropped\n"]
    stream.drain()


def test_lines_of_many_threads_stay_whole(pipe: Pipe) -> None:
    stream = stream_to(pipe.writing)
    threads = [
        threading.Thread(target=lambda: [stream.write(LINE) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert pipe.lines(80) == [LINE] * 80
    for thread in threads:
        thread.join()


def test_a_reader_that_has_gone_is_no_fault_of_ours(pipe: Pipe) -> None:
    os.close(pipe.reading)
    stream = stream_to(pipe.writing)
    stream.write(LINE)
    stream.drain()
    assert stream.dropped == 1
    pipe.reading = os.dup(pipe.writing)


def test_a_full_disk_is_told_when_there_is_room_again(pipe: Pipe) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        place = os.dup(full.fileno())
    stream = stream_to(place)
    stream.write(LINE)
    stream.drain()
    os.dup2(pipe.writing, place)
    stream.write("on\n")
    assert pipe.lines(2) == ["on\n", "1 dropped\n"]
    stream.drain()
    os.close(place)


def test_a_descriptor_that_somebody_made_not_to_wait_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    stream = stream_to(pipe.writing)
    for _ in range(100):
        stream.write(LINE)
    assert pipe.lines(100) == [LINE] * 100
    stream.drain()
    assert stream.dropped == 0


PROGRAM = """
import sys, structlog, logging
from router import logs
logs.stand_aside()
logs.configure()
for number in range(5000):
    structlog.get_logger().info("said", number=number, text="x" * 200)
logging.getLogger("aiormq").warning("a library's word")
sys.stderr.write("last")
"""


def test_the_end_of_a_process_loses_no_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if '"said"' not in line] == ["a library's word", "last"]
    assert len(lines) == 5002


def test_the_end_of_a_process_waits_for_no_reader_that_stands_still(pipe: Pipe) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=pipe.writing) as process:
        assert process.wait(60) == 0
