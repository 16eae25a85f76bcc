"""Structured logs on standard error: for people on a terminal, JSON lines otherwise.

What libraries log comes in lines of ours, too, and no line holds a secret that we know.
"""

from __future__ import annotations

import atexit
import io
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from router.files.redaction import escaped, escaped_lines
from router.logstream import LogStream

LONGEST = 20_000
"""Characters of one text in a line of the log; a traceback may be as long."""
_WHO = ("recipient", "user")
"""Where lines have the id of a Service User."""
MOST = 200
"""Entries of a list or mapping in one."""


_OURS = frozenset({"level", "timestamp"})
Hide = Callable[[str], str]
"""Takes secrets out of a text."""


class UserNames:
    """Of Service Users, for lines that have their ids; nobody has one until `find` is given."""

    def __init__(self) -> None:
        self.find: Callable[[str], str | None] = lambda _: None
        """The name of who has an id; None where nobody has it, or no name."""

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """The line, with the name beside the id."""
        for key in _WHO:
            known = event.get(key)
            if isinstance(known, str) and (name := self.find(known)):
                event[f"{key}_name"] = name
        return event


def stand_aside() -> LogStream | None:
    """Have a thread write standard error from now on, and what is left as the process ends."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # none, or not one of the system's
        return None
    chain = _chain(on_terminal=sys.stderr.isatty())
    sys.stderr = stream = LogStream(descriptor, partial(_dropped, chain))
    atexit.register(stream.drain)
    return stream


def configure(names: UserNames | None = None, hide: Hide = str) -> None:
    """Set up structlog for this process; `names` put names beside ids, every line goes through
    `hide`."""
    chain = _chain(on_terminal=sys.stderr.isatty(), hide=hide)
    structlog.configure(
        processors=[*filter(None, [names]), *chain],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def hear_libraries() -> None:
    """Have what they log as lines of ours, where it is a warning or worse."""
    root = logging.getLogger()
    if not any(isinstance(each, _Libraries) for each in root.handlers):
        root.addHandler(_Libraries(logging.WARNING))


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except Exception:  # theirs: its arguments do not fit
            said = str(record.msg)
        structlog.get_logger().log(
            record.levelno,
            "library.said",
            library=record.name,
            detail=said,
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )


def _chain(*, on_terminal: bool, hide: Hide = str) -> list[Any]:
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if on_terminal:
        renderer = structlog.dev.ConsoleRenderer(
            sort_keys=False, exception_formatter=partial(_write_traceback, hide)
        )
        return [*shared, _bound, partial(_hidden, hide), _escape, renderer]
    processors = structlog.processors
    return [
        *(*shared, processors.format_exc_info, _bound, partial(_hidden, hide)),
        processors.JSONRenderer(),
    ]


def _dropped(chain: Sequence[Any], lines: int) -> str:
    """The line that stands for those that are missing."""
    said: Any = {
        "event": "log.dropped",
        "lines": lines,
        "advice": "what reads standard error was too slow or stood still; the router went on",
    }
    for process in chain:
        said = process(None, "warning", said)
    return f"{said}\n"


def _bound(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """No line is longer than a collector takes, whatever somebody put into it."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST:
            event[key] = f"{value[:LONGEST]}... ({len(value):,} characters)"
        elif isinstance(value, list | tuple) and len(value) > MOST:
            event[key] = [*value[:MOST], f"and {len(value) - MOST:,} more"]
        elif isinstance(value, dict) and len(value) > MOST:
            event[key] = dict(list(value.items())[:MOST])
    return event


def _hidden(hide: Hide, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Whoever logs may have a secret in hand, and a library has no notion of ours."""
    said = {key: value for key, value in event.items() if key not in _OURS}
    whole = "\n".join(map(str, said.values()))
    if hide(whole) == whole:  # as nearly always, and looked at once
        return event
    return {**event, **{key: _without(hide, value) for key, value in said.items()}}


def _without(hide: Hide, value: Any) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list | tuple):
        return [_without(hide, each) for each in value]
    if isinstance(value, dict):
        return {key: _without(hide, each) for key, each in value.items()}
    return value if isinstance(value, int | float) or value is None else hide(str(value))


def _escape(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Nobody's data may move the operator's cursor or colour the screen."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = escaped(value)
    return event


def _write_traceback(hide: Hide, target: TextIO, error: ExcInfo) -> None:
    """Lines alone: what is drawn with rich shows local variables, secrets among them."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    target.write(escaped_lines(hide(text.getvalue())))
