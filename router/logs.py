"""Structured logs on standard error: for people on a terminal, JSON lines otherwise."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from router.files.redaction import escaped, escaped_lines


def configure() -> None:
    """Set up structlog for this process."""
    on_terminal = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if on_terminal:
        shared += [
            _escape,
            structlog.dev.ConsoleRenderer(sort_keys=False, exception_formatter=_write_traceback),
        ]
    else:
        shared += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _escape(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Nobody's data may move the operator's cursor or colour the screen."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = escaped(value)
    return event


def _write_traceback(target: TextIO, error: ExcInfo) -> None:
    """Lines alone: what is drawn with rich shows local variables, secrets among them."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    target.write(escaped_lines(text.getvalue()))
