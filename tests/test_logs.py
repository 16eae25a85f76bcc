"""What the log lets through, on a terminal and as JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from router import logs


class Screen(io.StringIO):
    """Standard error, on a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What stands on it after `complain`."""
    made = Screen(terminal=request.param)
    before = structlog.get_config()
    monkeypatch.setattr(sys, "stderr", made)
    logs.configure()
    complain("S3CRET")
    structlog.configure(**before)
    return made


def complain(password: str) -> None:
    """An event with text from outside, and a fault that quotes some."""
    assert password, "stands among the local variables of the fault"
    try:
        raise RuntimeError("gone\x1b[2J\nand \u202eback")
    except RuntimeError:
        structlog.get_logger().exception("bug", detail="no\x1b[31m\u2028way", said=["a\x1bb"])


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_nothing_in_the_log_moves_the_cursor_of_a_terminal(screen: Screen) -> None:
    shown = screen.getvalue()
    assert r"no\x1b[31m\u2028way" in shown
    assert r"a\x1bb" in shown
    assert "RuntimeError: gone\\x1b[2J\nand \\u202eback\n" in shown
    assert "\x1b[2J" not in shown
    assert "\x1b[31mway" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("screen", [True, False], indirect=True)
def test_no_local_variable_is_in_the_log(screen: Screen) -> None:
    assert "RuntimeError" in screen.getvalue()
    assert "S3CRET" not in screen.getvalue()


@pytest.mark.parametrize("screen", [False], indirect=True)
def test_otherwise_each_event_is_a_line_of_json(screen: Screen) -> None:
    (line,) = screen.getvalue().splitlines()
    assert line.isprintable()
    event = json.loads(line)
    assert (event["event"], event["detail"]) == ("bug", "no\x1b[31m\u2028way")
    assert event["exception"].endswith("gone\x1b[2J\nand \u202eback")


def test_a_line_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    logs.configure()
    many = {str(number): number for number in range(100_000)}
    structlog.get_logger().error("x" * 100_000, a="y" * 10**6, b=list(many), c=many)
    structlog.configure(**before)
    line = capsys.readouterr().err
    assert len(line) < 100_000
    assert json.loads(line)["b"][-1] == "and 99,800 more"


@contextmanager
def heard() -> Iterator[logging.Logger]:
    """A library whose lines nobody hears but we."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, root.handlers[:] = [*root.handlers], []
    logs.configure(hide=lambda text: text.replace("hunter2", "***"))
    logs.hear_libraries()
    try:
        yield logging.getLogger("theirs")
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers


def test_what_a_library_logs_is_a_line_of_ours_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with heard() as theirs:
        theirs.log(35, "I hold %s", "hunter2")
        theirs.warning("%d", "no number")
        try:
            raise ValueError("hunter2")
        except ValueError:
            theirs.exception("failed")
        structlog.get_logger().info("said", known={"a": ["hunter2", 7]}, of=b"hunter2")
    said = capsys.readouterr().err
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events] == [*["library.said"] * 3, "said"]
    assert (events[0]["library"], events[0]["detail"]) == ("theirs", "I hold ***")
    assert events[2]["exception"].endswith("ValueError: ***")
    assert events[3]["known"] == {"a": ["***", 7]}
    assert "hunter2" not in said
