"""What the HTTP server has to complain of, in lines of ours, and not one for each request.

Whoever reaches the port can send what is no HTTP, as fast as it likes. The server's words for it
are a traceback with the head in it, and with that a token.
"""

from __future__ import annotations

import logging
import math
import time
from traceback import format_exception

import structlog
from aiohttp.http_exceptions import HttpProcessingError

EVERY_S = 60.0
"""Seconds from one line of a kind to the next; that one says how many there were."""
_log = structlog.get_logger(__name__)


def complaints() -> logging.Logger:
    """A logger for one server."""
    logger = logging.Logger("operations", logging.WARNING)
    logger.addHandler(_Complaints())
    return logger


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._untold = {"operations.malformed": 0, "operations.bug": 0}
        self._told = dict.fromkeys(self._untold, -math.inf)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        malformed = isinstance(error, HttpProcessingError)
        event = "operations.malformed" if malformed else "operations.bug"
        self._untold[event] += 1
        if time.monotonic() - self._told[event] < EVERY_S:
            return
        requests, self._untold[event] = self._untold[event], 0
        self._told[event] = time.monotonic()
        if malformed:
            sender = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
            _log.warning(
                event, requests=requests, last_from=sender, detail="not HTTP; answered 400"
            )
        else:
            text = "".join(format_exception(error)) if error else record.getMessage()
            _log.error(event, requests=requests, exception=text)
