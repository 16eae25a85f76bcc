"""Who we are to an SSH server, and how we know that it is the right one: both from files.

Nothing else counts: no agent, no key or configuration of the user that the router runs as.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router.ports import open_plain, require_private, unreadable

if TYPE_CHECKING:
    from asyncssh import SSHKey, SSHKnownHosts

MOST_BYTES = 1_000_000
"""A file of known hosts may have thousands of lines."""


class KeysError(Exception):
    """A file of keys is of no use: which option names it, and why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"{option}: {why}")
        self.option = option
        self.why = why


@dataclass(frozen=True, slots=True)
class Keys:
    """Both, as they were read."""

    ours: SSHKey
    theirs: SSHKnownHosts


def read_keys(key_file: Path, known_hosts_file: Path, host: str, port: int) -> Keys:
    """KeysError where one is of no use. Reads files."""
    return Keys(_ours(key_file), _theirs(known_hosts_file, host, port))


def faults(key_file: Path, known_hosts_file: Path, host: str, port: int) -> list[KeysError]:
    """All that is wrong with them."""
    found = []
    for read in (lambda: _ours(key_file), lambda: _theirs(known_hosts_file, host, port)):
        try:
            read()
        except KeysError as error:
            found.append(error)
    return found


def _ours(file: Path) -> SSHKey:
    from asyncssh import KeyEncryptionError, KeyImportError, import_private_key  # noqa: PLC0415

    try:
        require_private(file)
        return import_private_key(_read("key_file", file))
    except KeyEncryptionError:
        why = f"{file} wants a password; give the key without one, closed to others"
        raise KeysError("key_file", why) from None
    except KeyImportError as error:
        if "passphrase" in str(error).lower():
            why = f"{file} wants a password; give the key without one, closed to others"
        else:
            why = f"{file} holds no private key that can be used"
        raise KeysError("key_file", why) from None
    except OSError as error:
        raise KeysError("key_file", unreadable(file, error)) from None
    except ValueError as error:
        raise KeysError("key_file", str(error)) from None


def _theirs(file: Path, host: str, port: int) -> SSHKnownHosts:
    from asyncssh import import_known_hosts  # noqa: PLC0415

    try:
        found = import_known_hosts(_read("known_hosts_file", file).decode())
        known = any(found.match(host, "", port)[:3])
    except ValueError as error:
        why = f"{file} is no file of known hosts ({error}); make it with ssh-keyscan"
        raise KeysError("known_hosts_file", why) from None
    if not known:
        name = host if port == 22 else f"[{host}]:{port}"
        how = f"put there what `ssh-keyscan -p {port} {host}` says, once its owner says the same"
        raise KeysError("known_hosts_file", f"{file} has no key of {name}; {how}")
    return found


def _read(option: str, file: Path) -> bytes:
    try:
        with open_plain(file) as opened:
            found = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise KeysError(option, unreadable(file, error)) from None
    except ValueError as error:
        raise KeysError(option, str(error)) from None
    if len(found) > MOST_BYTES:
        raise KeysError(option, f"{file} is too large to be keys")
    return found
