"""What a server said, and what it means for the ledger."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from router.errors import LedgerError
from router.ledger.store import LedgerUnavailable, LedgerUnreachable

_TRIED = re.compile(r"^(- |connection failed: )*(connection to server .*? failed: )?(FATAL: +)?")
_NO_WORD = re.compile(r"(Is the server running|Multiple connection attempts failed)")
HOLDS = (
    psycopg.OperationalError,  # away, starting, ending, full, locked, out of connections
    psycopg.InterfaceError,  # the connection was closed under us
    psycopg.InternalError,  # read-only, in recovery
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.InvalidSchemaName,
)
"""What may be over the next time, because somebody mends it there."""


def words(error: BaseException) -> str:
    """What the server said, in one line; else what the driver says."""
    diagnosed = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    if diagnosed:
        detail = error.diag.message_detail if isinstance(error, psycopg.Error) else None
        return f"{diagnosed} ({detail})" if detail else diagnosed
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    told = [_TRIED.sub("", each) for each in lines if not _NO_WORD.match(each)] or lines
    return "; ".join(dict.fromkeys(told)) or type(error).__name__


def explained(error: BaseException) -> LedgerError | None:
    """LedgerUnavailable for what may be over the next time; None for what is no failure of it."""
    if isinstance(error, errors.LockNotAvailable):
        return LedgerUnavailable("the ledger can't be used now: it is locked by another program")
    if isinstance(error, HOLDS):
        return LedgerUnavailable(f"the ledger can't be used now: {words(error)}")
    return None


def why_closed(name: str, user: str, error: BaseException) -> LedgerError:
    """Why a ledger can't be opened, and what to do."""
    said = words(error)
    if isinstance(error, errors.InsufficientPrivilege):
        return LedgerError(
            f"{name}: {user} may not do what a ledger needs ({said}): "
            f"`GRANT CREATE, USAGE ON SCHEMA public TO {user}`, or make {user} the owner of the "
            f"database; tables that are there must be its own"
        )
    for part, advice in _ADVICE.items():
        if part in said:
            return LedgerError(f"{name}: {advice} ({said})")
    if "FATAL" not in str(error) and isinstance(error, psycopg.OperationalError):
        return LedgerUnreachable(f"{name}: the server can't be reached: {said}")
    return LedgerError(f"{name}: the ledger can't be opened: {said}")


_ADVICE = {
    "password authentication failed": "the password is wrong: mend ledger.password_file, or the "
    "user in ledger.url",
    "no password supplied": "the server wants a password: set ledger.password_file",
    "no pg_hba.conf entry": "the server lets nobody in from here: mend its pg_hba.conf",
    "does not exist": "the server has no such database or user: make it, or mend ledger.url",
    "starting up": "the server is starting: try again",
    "shutting down": "the server is ending: try again",
    "too many clients": "the server is out of connections: raise its max_connections",
    "remaining connection slots": "the server is out of connections: raise its max_connections",
    "permission denied for database": "the user may not connect: GRANT CONNECT",
    "certificate": "the server's certificate is not to be trusted: it must name the host in "
    "ledger.url, and be signed by who this machine trusts (or by `?sslrootcert=FILE`)",
    "server does not support SSL": "the server has no TLS, without which it is asked only on this "
    "machine: give it a certificate",
    "canceling statement due to lock timeout": "the ledger is locked by another program: wait for "
    "it (a long import?)",
}
"""By what a server or libpq says: what that means here."""
