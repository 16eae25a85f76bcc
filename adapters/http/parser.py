"""An HTTP answer, read as tolerantly as the field needs; pure, bytes in.

Libraries refuse a whole answer for one line of it. Here a status that came stands, whatever untidy
follows: an Alert that was taken would else be sent again until it is parked. Everything is bounded,
and what goes on for ever is left.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Generator
from contextlib import suppress

from adapters.http.answer import Answer, NoStatusError

MOST_HEAD = 65_536
"""Bytes before the final status, and of the headers behind it; common servers send some hundred."""
MOST_BODY = 4096
"""Bytes of a body that are read; a longer one costs its connection."""
_JUNK = 4096
"""Bytes of an earlier, too long answer that may stand before the status on a used connection."""
_STATUS = re.compile(rb"(?i)HTTP/(\d(?:\.\d)?)[ \t]+(\d{3})(?=\D)")
_BEGUN = re.compile(rb"(?i)H(T(T(P(/[\d.]{0,3}([ \t]{1,9}\d{0,3})?)?)?)?)?")
_AHEAD = b" \t\r\n\v\f" + BOM_UTF8
"""Bytes that stand in front of a status by mistake."""
_SHOWN = 60
"""Bytes of what is no HTTP that help to tell what it is."""
_TOO_LONG = f"more than {MOST_HEAD // 1024} kB of headers came"
BODILESS = frozenset({101, 204, 304})
"""Behind these no body comes, whatever the headers say."""
_PLAIN = re.compile(rb"HTTP/1\.1 (2\d\d) [^\r\n]*\r\n((?:[\w-]+:[^\r\n]*\r\n)*)\r\n")
_LENGTH = re.compile(rb"(?im)^content-length: *(\d{1,4})\r")
_OTHER = re.compile(rb"(?i)transfer-encoding|connection:(?! *keep-alive\r)|retry-after|location")
"""Of headers: what makes an answer more than plain."""
_Steps = Generator[None, None, None]


class _EnoughError(Exception):
    """The rest is not worth reading; the text is a note, if there is one."""


def plain(came: bytes) -> Answer | None:
    """What nearly all say: a 2xx that came whole, behind which the connection stays; the same as
    AnswerParser makes of it, which costs ten times as much. None: it has to look."""
    found = _PLAIN.match(came)
    if found is None or _OTHER.search(found[2]):
        return None
    status, body = int(found[1]), came[found.end() :]
    lengths = _LENGTH.findall(found[2])
    if len(lengths) != found[2].lower().count(b"content-length"):
        return None
    if status in BODILESS and (lengths or body):
        return None
    if status not in BODILESS and (len(lengths) != 1 or len(body) != int(lengths[0])):
        return None
    return Answer(status, body) if len(body) < MOST_BODY else None


class AnswerParser:
    """Takes what comes of one answer, and knows at each moment what is known of it."""

    def __init__(self, *, reused: bool = False, most_body: int = MOST_BODY) -> None:
        self.status: int | None = None
        """The final one, as soon as it is there."""
        self.done = False
        """Nothing that may still come matters."""
        self._reused = reused
        """On a connection with an earlier answer, of which too much may have come."""
        self._most_body = most_body
        self._came = bytearray()
        self._head = 0
        """Bytes of status lines and headers that were read."""
        self._version = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._whole = False
        self._untidy: list[str] = []
        self._steps = self._read()
        next(self._steps)

    def feed(self, data: bytes) -> None:
        """Go on with these bytes. NoStatusError when they can't lead to a status."""
        self._came += data
        try:
            next(self._steps)
        except StopIteration:
            self.done = True
        except _EnoughError as enough:
            if self.status is None:
                raise NoStatusError(f"{enough} before a status") from None
            self._untidy += filter(None, [str(enough)])
            self.done = True

    def end(self) -> None:
        """No more bytes come; without a `status` by now there is no answer."""
        if self.status is None:
            with suppress(NoStatusError):
                self.feed(b"\n")  # ends a status line that was cut off behind its number
        self.done = True

    @property
    def answer(self) -> Answer:
        """What has come so far; only once there is a status."""
        assert self.status is not None, "asked when the status is there"
        return Answer(
            self.status,
            bytes(self._body),
            self._text(b"retry-after"),
            self._text(b"location"),
            "; ".join(dict.fromkeys(self._untidy)),
            whole=self._whole,
        )

    @property
    def reusable(self) -> bool:
        """Whether another request can follow on this connection."""
        stays = b"close" not in self._tokens(b"connection") and self._version == b"1.1"
        return stays and self._whole and not self._came

    def _text(self, name: bytes) -> str | None:
        value = self._headers.get(name)
        return value.decode(errors="replace") if value is not None else None

    def _tokens(self, name: bytes) -> list[bytes]:
        return [each.strip() for each in self._headers.get(name, b"").lower().split(b",")]

    # --- one step after the other; a bare `yield` waits for more bytes ------------------------

    def _read(self) -> _Steps:
        yield
        while (status := (yield from self._a_status())) // 100 == 1 and status != 101:
            yield from self._read_headers(interim=True)
        self.status, self._head = status, 0
        yield from self._read_headers()
        yield from self._read_body(status)
        if self._came:
            self._untidy.append("more came than it said")
        self._whole = True

    def _a_status(self) -> Generator[None, None, int]:
        while True:
            self._drop(len(self._came) - len(self._came.lstrip(_AHEAD)))
            seek = _STATUS.search if self._reused else _STATUS.match
            if found := seek(self._came):
                self._version, status = found[1], int(found[2])
                self._drop(found.end())
                return status
            self._require_begun()
            yield

    def _require_begun(self) -> None:
        """Don't wait for a status behind what can't be the beginning of one."""
        begun = _BEGUN.fullmatch(self._came.strip(_AHEAD))
        if self._came and not begun and (not self._reused or len(self._came) > _JUNK):
            if b"POST " in self._came:  # with all that is secret in it
                raise NoStatusError("what answered does not speak HTTP: it repeats our request")
            beginning = bytes(self._came[:_SHOWN]).decode(errors="replace")
            raise NoStatusError(f"what answered does not speak HTTP: {beginning + '...'!r}")

    def _read_headers(self, *, interim: bool = False) -> _Steps:
        """`interim`: of an answer that is not the final one; some are without an empty line."""
        self._headers = {}
        last = b""
        yield from self._line()  # the reason phrase
        while line := (yield from self._line()).rstrip(b"\r\n"):
            if interim and _STATUS.match(line + b"\n"):
                self._came[:0] = line + b"\n"
                self._untidy.append("no empty line in front of its status")
                return
            name, colon, value = line.partition(b":")
            if line[:1] in b" \t":  # a folded line goes on with the one before
                self._headers[last] = self._headers.get(last, b"") + b" " + line.strip()
            elif colon and name.strip():
                last = name.strip().lower()
                self._keep(last, value.strip())
            else:
                self._untidy.append("a line of its headers is none")

    def _keep(self, name: bytes, value: bytes) -> None:
        """The first of each name counts, but for those that say how long the body is."""
        before = self._headers.setdefault(name, value)
        if name in {b"content-length", b"transfer-encoding", b"connection"} and before != value:
            self._headers[name] = before + b"," + value

    @property
    def _chunked(self) -> bool:
        return self._tokens(b"transfer-encoding")[-1] == b"chunked"

    def _read_body(self, status: int) -> _Steps:
        length = self._headers.get(b"content-length", b"")
        if status in BODILESS:
            if b"transfer-encoding" in self._headers or length.strip(b"0"):
                raise _EnoughError(f"it announces a body behind {status}")
        elif self._chunked:
            yield from self._read_chunks()
        elif length.isdigit() and b"transfer-encoding" not in self._headers:
            # longer numbers are no lengths, and Python takes its time with them
            yield from self._take(int(length[:12]))
        else:
            if length:
                self._untidy.append("its length is none")
            yield from self._take(self._most_body + 1)  # to the end of the connection

    def _read_chunks(self) -> _Steps:
        while True:
            size = (yield from self._line()).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size):
                raise _EnoughError("its body is not in chunks, as it says")
            if not int(size, 16):
                break
            yield from self._take(int(size, 16))
            yield from self._line()
        while (yield from self._line()).rstrip(b"\r\n"):
            """Trailers are of no use to us."""

    def _take(self, length: int) -> _Steps:
        """So many bytes more of the body, or what of them is worth having."""
        while length:
            room = min(length, self._most_body - len(self._body))
            if not room:
                raise _EnoughError
            if not self._came:
                yield
                continue
            taken = self._came[:room]
            del self._came[:room]
            self._body += taken
            length -= len(taken)

    def _line(self) -> Generator[None, None, bytes]:
        """The next line with its end."""
        looked = 0
        while (end := self._came.find(b"\n", looked) + 1) == 0:
            looked = len(self._came)
            if self._head + looked > MOST_HEAD:
                raise _EnoughError(_TOO_LONG)
            yield
        line = bytes(self._came[:end])
        self._drop(end)
        return line

    def _drop(self, length: int) -> None:
        """These bytes are read."""
        self._head += length
        if self._head > MOST_HEAD:
            raise _EnoughError(_TOO_LONG)
        del self._came[:length]
