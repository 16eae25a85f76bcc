"""TLS to somebody else's server: whom we trust, who we are there, and which file is at fault.

A wrong file is the trouble of one channel and never a reason for the router not to start. It is
told in words that name the option, and read again as soon as it has changed: whoever mends it
need not restart anything.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

from pydantic import Field

from adapters.lastwords import LastWords
from adapters.revocation import RevocationError, valid_until
from router.ports import (
    Aside,
    Certificate,
    exposure,
    open_plain,
    require_private,
    silent,
    unreadable,
)

MOST_BYTES = 4_000_000
"""The system's bundle of all CAs has 200,000."""


CrlFile = Annotated[
    Path | None, Field(description="PEM; revocation lists of the CAs; none: nothing is asked")
]
"""An option of whoever talks TLS."""
SYSTEMS = ("ca_file", Path("the file of the system's CAs"))
"""What is read where no file is given."""
READ_S = 5.0
"""Seconds that files have to be read; a mount that is away may take for ever."""
P = ParamSpec("P")
T = TypeVar("T")


def peer_of(transport: asyncio.BaseTransport) -> Certificate | None:
    """The certificate that the other side has shown, where it was looked at."""
    shown = transport.get_extra_info("peercert")
    if not shown:
        return None
    ends = ssl.cert_time_to_seconds(shown["notAfter"])
    return Certificate("peer", datetime.fromtimestamp(ends, UTC))


class TlsFilesError(Exception):
    """A file of certificates or keys is of no use: which option names it, and why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"{option}: {why}")
        self.option = option
        self.why = why


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of one connection, by the names that the options have in YAML."""

    ca_file: Path | None = None
    """Whom to trust, instead of the system's certificates."""
    certificate_file: Path | None = None
    """Who we are; with those of its issuers behind it, where the server wants them."""
    key_file: Path | None = None
    """The key of that certificate; closed to others."""
    crl_file: Path | None = None
    """The revocation lists of every CA between the server's certificate and the trusted one."""

    def context(self) -> ssl.SSLContext:
        """A new context for TLS 1.2 or later. TlsFilesError when a file is of no use.

        Reads files, and takes 20 ms where the system's certificates are trusted.
        """
        context = self._trusting()
        if self.certificate_file is not None and self.key_file is not None:
            _require_certificate(self.certificate_file)
            _require_key(self.key_file)
            _show(context, self.certificate_file, self.key_file)
        return context

    def faults(self) -> list[TlsFilesError]:
        """Everything that is wrong with the files as they are now; at most one for each."""
        found = _fault(self._trusting) if self.ca_file or self.crl_file else []
        if self.certificate_file is not None and self.key_file is not None:
            certificate, key = self.certificate_file, self.key_file
            alone = _fault(lambda: _require_certificate(certificate))
            alone += _fault(lambda: _require_key(key))
            together = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            found += alone or _fault(lambda: _show(together, certificate, key))
        return found

    def doubts(self) -> list[TlsFilesError]:
        """What is doubtful about files that are of use."""
        doubt = exposure(self.key_file) if self.key_file is not None else None
        return [TlsFilesError("key_file", doubt)] if doubt else []

    def _trusting(self) -> ssl.SSLContext:
        if self.ca_file is not None:
            _read("ca_file", self.ca_file)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            why = f"{self.ca_file} holds no PEM certificate ({_reason(error)})"
            raise TlsFilesError("ca_file", why) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Apache and IIS ask for our certificate only when they have read which address we want
        context.post_handshake_auth = True
        context.sslobject_class = LastWords
        context.hostname_checks_common_name = False
        if self.crl_file is not None:
            _require_lists(self.crl_file)
            try:
                context.load_verify_locations(self.crl_file)
            except (OSError, ValueError) as error:
                why = f"{self.crl_file} can't be used ({_reason(error)}); fetch it again"
                raise TlsFilesError("crl_file", why) from None
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        if self.ca_file is not None and (known := context.get_ca_certs()):
            ends = max(ssl.cert_time_to_seconds(str(each["notAfter"])) for each in known)
            if ends < datetime.now(UTC).timestamp():
                expired = datetime.fromtimestamp(ends, UTC)
                raise TlsFilesError("ca_file", f"{self.ca_file} expired on {_day(expired)}")
        return context

    def expiry(self) -> datetime | None:
        """The moment at which one of the files is of no more use. TlsFilesError when it is now."""
        ends = [
            _require_certificate(self.certificate_file) if self.certificate_file else None,
            _require_lists(self.crl_file) if self.crl_file else None,
        ]
        return min((each for each in ends if each is not None), default=None)

    def stamp(self) -> tuple[tuple[int, ...] | None, ...]:
        """Changes when one of the files is written, replaced, opened or closed to others."""
        return tuple(_stamp(file) for _, file in self.named())

    def named(self) -> list[tuple[str, Path]]:
        """Those that are given, with the options that name them."""
        options = ("ca_file", "certificate_file", "key_file", "crl_file")
        given = [(option, getattr(self, option)) for option in options]
        return [(option, file) for option, file in given if file is not None]


class Trust:
    """The context of one channel, made again when its files have changed."""

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._fixed = not files.named()
        """No file of its own can change."""
        self._made: ssl.SSLContext | None = None
        self._stamp: tuple[tuple[int, ...] | None, ...] = ()
        self._expires: datetime | None = None
        self._making = asyncio.Lock()
        self._thread = Aside("certificates")

    async def context(self) -> ssl.SSLContext:
        """For the next connection. TlsFilesError when a file is of no use."""
        if self._made is not None and self._fixed:
            return self._made
        async with self._making:  # one of many that send at once reads for all
            stamp = await self._read(self.files.stamp)
            expired = self._expires is not None and self._expires < datetime.now(UTC)
            if self._made is None or stamp != self._stamp or expired:
                self._made = None
                self._made = await self._read(_context, self.files)
                # what changed while it was read is read next time
                self._stamp = stamp
                self._expires = await self._read(self.files.expiry)
            return self._made

    async def _read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await read_in_time(self._thread, self.files, function, *args, **kwargs)


async def read_in_time(
    thread: Aside,
    files: TlsFiles,
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What the function makes of the files; TlsFilesError when the disk does not answer in time,
    and at once while it has not yet answered who asked before."""
    try:
        if thread.busy_s > READ_S:
            raise TimeoutError
        return await thread.within(READ_S, function, *args, **kwargs)
    except TimeoutError:
        option, file = (files.named() or [SYSTEMS])[0]
        raise TlsFilesError(option, silent(file, READ_S)) from None


def distrust(error: BaseException) -> str | None:
    """Why we don't trust a server, and what to have done; None where that is not the matter."""
    why = str(getattr(error, "verify_message", "")).rstrip(".")
    if not why:
        return None
    for sign, words in _DISTRUST.items():
        if sign in why:
            return f"{why}: {words}"
    return why


_DISTRUST = {
    " mismatch": "only its subject alternative names count, a common name does not",
    "unable to get certificate CRL": "`crl_file` has no list of the CA that issued it",
    "CRL": "correct `crl_file`",
}


def expiry(certificate_file: Path) -> datetime:
    """The moment until which the first certificate of a file holds."""
    return _require_certificate(certificate_file)


def _context(files: TlsFiles) -> ssl.SSLContext:
    return _system_trust() if files == TlsFiles() else files.context()


@cache
def _system_trust() -> ssl.SSLContext:
    """Shared: reading the system's certificates takes 20 ms and 1 MB, times 200 users."""
    return TlsFiles().context()


def _require_certificate(file: Path) -> datetime:
    """The moment until which it holds; TlsFilesError unless it does now."""
    # only who shows a certificate has to wait for this import
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

    try:
        certificate, *_ = load_pem_x509_certificates(_read("certificate_file", file))
    except ValueError:
        raise TlsFilesError("certificate_file", f"{file} holds no PEM certificate") from None
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.now(UTC)
    if ends < now:
        raise TlsFilesError("certificate_file", f"{file} expired on {_day(ends)}")
    if begins > now:
        raise TlsFilesError("certificate_file", f"{file} does not hold before {_day(begins)}")
    return ends


def _require_lists(file: Path) -> datetime | None:
    """The moment until which the revocation lists hold, where they say so."""
    try:
        return valid_until(_read("crl_file", file), datetime.now(UTC))
    except RevocationError as error:
        raise TlsFilesError("crl_file", f"{file} {error}") from None


def _require_key(file: Path) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    pem = _read("key_file", file, private=True)
    try:
        load_pem_private_key(pem, password=None)
    except TypeError:
        why = f"{file} wants a password; give the key without one, closed to others"
        raise TlsFilesError("key_file", why) from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsFilesError("key_file", f"{file} holds no PEM key that can be used") from None


def _show(context: ssl.SSLContext, certificate_file: Path, key_file: Path) -> None:
    """Have `context` show this certificate to servers that ask for one."""
    try:
        # a key that wants a password must not have OpenSSL ask the terminal for it
        context.load_cert_chain(certificate_file, key_file, password="")
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            why = f"{key_file} is not the key of the certificate in {certificate_file}"
            raise TlsFilesError("key_file", why) from None
        why = f"{certificate_file} can't be used: {_reason(error)}"
        raise TlsFilesError("certificate_file", why) from None


def _fault(check: Callable[[], object]) -> list[TlsFilesError]:
    try:
        check()
    except TlsFilesError as error:
        return [error]
    return []


def _read(option: str, file: Path, *, private: bool = False) -> bytes:
    try:
        if private:
            require_private(file)
        if not file.is_file():
            raise TlsFilesError(option, f"{file} is {'not a file' if file.exists() else 'missing'}")
        with open_plain(file) as opened:
            found = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise TlsFilesError(option, unreadable(file, error)) from None
    except ValueError as error:
        raise TlsFilesError(option, str(error)) from None
    if len(found) > MOST_BYTES:
        raise TlsFilesError(option, f"{file} is too large to be certificates or a key")
    return found


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
