"""Who asks at the operations port, and whether they may.

A page anywhere can have a browser ask a name of its own that leads here (DNS rebinding) and read
the answer; so only names that are known as ours are answered. Whoever listens beyond this machine
should ask for a token: the page says who is told what about which home.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import pwd
import sys
from collections.abc import Collection
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from pydantic import SecretStr

from router.files.redaction import in_one_line

OPEN = ("/-/healthy", "/-/ready")
"""For probes, which have no token."""
_SOCKETS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
MOST_SOCKETS = 100_000
"""Lines of these that are looked at."""


def is_ours(host: str | None, names: Collection[str]) -> bool:
    """Whether a `Host` is an address, this machine's own name, or one of `names`.

    An address leads here and nowhere else; old probes send no `Host`, browsers always do.
    """
    if host is None:
        return True
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    else:
        name = name.partition(":")[0].removesuffix(".")
    with suppress(ValueError):
        return bool(ip_address(name))
    return name == "localhost" or name in {each.lower().removesuffix(".") for each in names}


def knows(token: SecretStr, authorization: str | None) -> bool:
    """Whether the header holds the token: as Bearer, or as the password of Basic for browsers."""
    kind, _, given = (authorization or "").partition(" ")
    given = given.strip()
    if kind.lower() == "basic":
        _, given = _basic(given)
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(
        given.encode(errors="surrogateescape"), token.get_secret_value().encode()
    )


def asker(request: web.Request) -> str:
    """Who sent a request, as well as can be known, in one line for the record."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    known = [f"{peer[0]} port {peer[1]}" if peer else "unknown"]
    if peer and (user := _local_user(str(peer[0]), int(peer[1]))):
        known.append(f"user {user} of this machine")
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    claims = {
        "calls itself": _basic(given)[0] if kind.lower() == "basic" else "",
        "forwarded for": request.headers.get("X-Forwarded-For", ""),
        "with": request.headers.get("User-Agent", ""),
    }
    known += [f"{name} {in_one_line(said, 100)}" for name, said in claims.items() if said]
    return ", ".join(known)


def _basic(given: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return user, password


def _local_user(address: str, port: int) -> str | None:
    """Whose process holds the other end, where that is on this machine (Linux)."""
    end = f":{port:04X}"
    for file in _SOCKETS:
        with suppress(OSError), file.open(encoding="ascii", errors="replace") as sockets:
            for _, line in zip(range(MOST_SOCKETS), sockets, strict=False):
                parts = line.split()
                if len(parts) > 7 and parts[1].endswith(end) and _means(parts[1], address):
                    return _name(int(parts[7]))
    return None


def _means(written: str, address: str) -> bool:
    """Whether an address as the kernel writes it (words in its byte order) is this one."""
    raw = bytes.fromhex(written.partition(":")[0])
    step = -1 if sys.byteorder == "little" else 1
    words = [raw[start : start + 4][::step] for start in range(0, len(raw), 4)]
    found, meant = ip_address(b"".join(words)), ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) == meant or found == meant


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)
