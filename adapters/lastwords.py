"""What came over TLS before something went wrong with it is given out first.

A loop reads all that came at once, and throws what was right away when something wrong follows: a
record that is none, a fatal alert. It may have been the status of an answer.
"""

from __future__ import annotations

import ssl
from typing import Any

_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LastWords(ssl.SSLObject):
    """Says that nothing more came, once, when what came before was not given out yet."""

    _given = False
    """Something, since the loop was last told that there is nothing more."""
    _wrong: ssl.SSLError | None = None

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """What came. SSLError for what is wrong, when all before it has been given out."""
        if self._wrong is not None:
            raise self._wrong
        try:
            found = super().read(len, buffer)
        except _WAITS:
            self._given = False
            raise
        except ssl.SSLError as error:
            if not self._given:
                raise
            self._wrong = error
            raise ssl.SSLWantReadError from None
        self._given = bool(found)
        return found
