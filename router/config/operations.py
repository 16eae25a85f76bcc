"""What must be right of `operations:` before its port is opened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from router.config.configfile import OperationsOptions
from router.config.installed import SILENT
from router.files.codes import Code
from router.files.document import Document
from router.files.problems import Problem
from router.files.servercertificate import ServerPair, UnfitPairError, read_pair
from router.ports.inquiry import Inquiry
from router.ports.options import is_loopback

SOON = timedelta(days=30)
"""Before its end a certificate is told of."""


def check_operations(document: Document, found: OperationsOptions, inquiry: Inquiry) -> None:
    """Beyond this machine it takes a token and TLS; of a certificate, what is wrong with it."""
    if missing := found.missing:
        listed = " and ".join(", ".join(missing).rsplit(", ", 1))
        message = f"{listed}: missing; a certificate and its key go together"
        if not is_loopback(found.host):
            message = (
                f"listen: {found.listen} is open to whoever reaches it, and its page says who is "
                f"told what; it takes {listed}, too, or listen on 127.0.0.1"
            )
        where = document.at("operations", "listen")
        document.add(where, message, Code.CONFLICT)
    elif found.certificate_file is not None and found.key_file is not None:
        ask = partial(read_pair, found.certificate_file, found.key_file)
        try:
            pair = inquiry.ask(found.certificate_file.parent, ask)
        except UnfitPairError as error:
            where = document.at("operations", error.option)
            document.papers.add(Problem(where, str(error), Code.KEY_FILE), warning=False)
        except TimeoutError:
            where = document.at("operations", "certificate_file")
            said = Problem(where, f"certificate_file: {SILENT}", Code.KEY_FILE)
            document.papers.add(said, warning=False)
        else:
            _warn(document, pair)


def _warn(document: Document, pair: ServerPair) -> None:
    if pair.expires_at - datetime.now(UTC) < SOON:
        where = document.at("operations", "certificate_file")
        message = f"certificate_file: it expires on {pair.expires_at:%Y-%m-%d}"
        document.papers.add(Problem(where, message, Code.KEY_FILE), warning=True)
