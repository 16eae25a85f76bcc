"""What it means that a file could not be put onto an SFTP server. Pure."""

from __future__ import annotations

import asyncssh
from asyncssh import (
    ChannelOpenError,
    HostKeyNotVerifiable,
    KeyExchangeFailed,
    PermissionDenied,
    SFTPError,
    SFTPNoSuchFile,
    SFTPPermissionDenied,
)

from adapters.http.answer import outcome_of_failure
from adapters.sftp.keys import KeysError
from adapters.sftp.options import SftpOptions
from adapters.sftp.session import LOST, OtherFileError
from router.ports import ChannelFault, Closed, Outcome, Reason, Refused, Retry, in_one_line

_SHOWN = 200
"""Characters of what a server says."""


def failure_of_put(error: Exception, name: str, options: SftpOptions) -> Outcome:
    """What becomes of the Alerts of a file that was not put there."""
    where, folder = options.where, options.path
    if isinstance(error, OtherFileError):
        what = f"{where}: {folder}/{name} is there with other content"
        return Refused(Reason.STORAGE, f"{what}; have it moved away, then retry the Alert")
    if isinstance(error, KeysError | HostKeyNotVerifiable | PermissionDenied):
        return Closed(ChannelFault.CREDENTIALS, _no_trust(error, options))
    if isinstance(error, KeyExchangeFailed | ChannelOpenError):
        said = in_one_line(str(error), _SHOWN)
        return Closed(ChannelFault.ENDPOINT, f"{where}: {said}; ask its owner for SFTP")
    return _lost(error, where) if isinstance(error, LOST) else _refused(error, where, folder)


def _no_trust(error: Exception, options: SftpOptions) -> str:
    if isinstance(error, KeysError):
        return f"{error}; nothing was sent"
    if isinstance(error, HostKeyNotVerifiable):
        what = f"the key that {options.where} shows is not in {options.known_hosts_file}"
        how = "ask its owner whether it was changed, then correct `known_hosts_file`"
        return f"{what}; nothing was sent; {how}"
    what = f"{options.where} does not let {options.user!r} in"
    how = f"ask its owner whether it knows the public half of {options.key_file}"
    return f"{what}; {how}, or correct `user`"


def _lost(error: Exception, where: str) -> Outcome:
    if isinstance(error, OSError):
        return outcome_of_failure(error, where, "")
    return Retry(Reason.NETWORK, f"{where}: the connection ended before the file was there")


def _refused(error: Exception, where: str, folder: str) -> Outcome:
    said = in_one_line(str(error), _SHOWN)
    if isinstance(error, SFTPNoSuchFile):
        how = "have the folder made, or correct `path`"
        return Closed(ChannelFault.ENDPOINT, f"{where}: {folder} is not there; {how}")
    if isinstance(error, SFTPPermissionDenied):
        how = "have `user` be let write there, or correct `path`"
        return Closed(ChannelFault.ENDPOINT, f"{where}: {folder}: {said}; {how}")
    if isinstance(error, SFTPError):
        how = "ask its owner to see to space and permissions"
        return Retry(Reason.STORAGE, f"{where}: {folder}: {said}; {how}")
    assert isinstance(error, asyncssh.Error)
    return Retry(Reason.SERVER, f"{where}: {said}")
