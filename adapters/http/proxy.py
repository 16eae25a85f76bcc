"""The way to a receiver through a proxy: a tunnel (CONNECT), with the receiver's TLS inside.

The proxy sees which host is asked for and how much goes there, and nothing of an Alert.
"""

from __future__ import annotations

import ssl
from typing import NoReturn

from adapters.dialling import dial
from adapters.http.answer import (
    Answer,
    EndedError,
    NoStatusError,
    UnderwayError,
    outcome_of_failure,
)
from adapters.http.parser import MOST_HEAD, AnswerParser
from adapters.http.target import Target
from adapters.http.wire import Wire
from adapters.tls import TlsFiles, TlsFilesError, Trust
from router.ports import ChannelFault, Closed, Reason, Retry

_TRUST = "have the certificate put right, or set `ca_file`"
_END = b"\r\n\r\n"


class Proxy:
    """One proxy, by HTTP or HTTPS."""

    def __init__(self, url: str, login: str | None, files: TlsFiles) -> None:
        """`login`: what `Proxy-Authorization` says, where the proxy wants it."""
        self._target = Target.of(url)
        self._login = f"Proxy-Authorization: {login}\r\n" if login else ""
        self._trust = Trust(files)

    async def tunnel(self, host: str, port: int, tls: ssl.SSLContext) -> Wire:
        """A connection to `host`, over TLS. UnderwayError when the proxy does not lead there;
        OSError when the receiver does not shake hands."""
        wire = await self._reach()
        try:
            await self._ask(wire, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            return await wire.secured(tls, host)
        except BaseException:
            wire.cut()
            raise

    async def _reach(self) -> Wire:
        try:
            to_proxy = await self._trust.context() if self._target.tls else None
            _, wire = await dial(
                lambda: Wire(to_proxy), self._target.host, self._target.port, to_proxy
            )
        except TlsFilesError as error:
            found = Closed(ChannelFault.CREDENTIALS, f"{error}; nothing was sent")
            raise UnderwayError(found) from None
        except OSError as error:
            self._fail(error)
        return wire

    async def _ask(self, wire: Wire, to: str) -> None:
        wire.write(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{self._login}\r\n".encode("ascii"))
        parser, came = AnswerParser(), b""
        try:
            while parser.status is None or (parser.status // 100 == 2 and _END not in came):
                more = await wire.more()
                came += more
                if not more or len(came) > MOST_HEAD:
                    raise EndedError
                parser.feed(more)
        except (NoStatusError, EndedError, OSError) as error:
            self._fail(error)
        if parser.status // 100 != 2:
            raise UnderwayError(_refusal(self._target.where, to, parser.answer))

    def _fail(self, error: Exception) -> NoReturn:
        found = outcome_of_failure(error, f"proxy {self._target.where}", _TRUST)
        raise UnderwayError(found) from error


def _refusal(where: str, to: str, answer: Answer) -> Retry | Closed:
    """What it means that a proxy makes no tunnel."""
    if answer.status in {401, 407}:  # some say the one for the other
        login = "correct `proxy_user` and `proxy_password`"
        return Closed(ChannelFault.CREDENTIALS, f"proxy {where} answered {answer.status}; {login}")
    if answer.status // 100 == 5:  # it tried, and did not get there
        return Retry(Reason.NETWORK, f"proxy {where} could not reach {to}: {answer.status}")
    said = f"proxy {where} makes no tunnel to {to}: it answered {answer.status}"
    return Closed(ChannelFault.ENDPOINT, f"{said}; have it allowed there, or correct `proxy`")
