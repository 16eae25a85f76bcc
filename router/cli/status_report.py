"""How the router and its files stand, a line for each thing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.files.counts import plural
from router.service.attention import TOLD, Attention, StatusLine


@dataclass(frozen=True, slots=True)
class Heard:
    """What the router says of itself."""

    ready: bool
    reason: str
    """Why it is not ready."""
    digests: frozenset[str] = frozenset()
    """Of the rules that are live."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The files that operators edit."""

    mistakes: Sequence[str]
    warnings: Sequence[str]
    certificates: Sequence[str]
    """What is wrong with keys, secrets and certificates, or will be soon."""
    digest: str | None
    """Of the rules; None where they have mistakes."""
    names: Mapping[str, str]
    """Of the Service Users, by id."""


def of_router(heard: Heard | str) -> StatusLine:
    """Whether it takes facts; as text, why it can't be asked."""
    if isinstance(heard, str):
        return StatusLine("router", Attention.ACT, heard)
    if heard.ready:
        return StatusLine("router", Attention.OK, "ready: facts are taken")
    return StatusLine("router", Attention.ACT, f"not ready: {'; '.join(heard.reason.splitlines())}")


def of_ledger(sizes: Mapping[str, int], full: str | None) -> StatusLine:
    """How large it is, and whether there is room for more; `full` says why not."""
    if full is not None:
        return StatusLine("ledger", Attention.ACT, full, "HubheraldLedgerUnavailable")
    return StatusLine("ledger", Attention.OK, f"{sum(sizes.values()) / 1e6:,.1f} MB on disk")


def of_files(found: OnDisk, heard: Heard | str) -> Iterator[StatusLine]:
    """Whether the rules on disk are those that are live, and what is wrong with the files."""
    for kind, texts in (("mistake", found.mistakes), ("warning", found.warnings)):
        for text in texts[:TOLD]:
            yield StatusLine(
                "files", Attention.ACT, text if kind == "mistake" else f"warning: {text}"
            )
        if more := len(texts[TOLD:]):
            detail = f"{plural(more, f'more {kind}')}: hubherald check"
            yield StatusLine("files", Attention.ACT, detail)
    for text in found.certificates[:TOLD]:
        yield StatusLine("certificates", Attention.ACT, text, "HubheraldCertificateExpiring")
    if not found.certificates and found.digest is not None:
        detail = "of none a file is missing or of no use, none ends within 30 days"
        yield StatusLine("certificates", Attention.OK, detail)
    if found.digest is None:
        return
    live = heard.digests if isinstance(heard, Heard) else frozenset()
    if live and found.digest not in live:
        detail = (
            f"{found.digest[:12]} on disk is not what is live ({min(live)[:12]}); hubherald reload"
        )
        yield StatusLine("rules", Attention.ACT, detail)
    else:
        yield StatusLine("rules", Attention.OK, f"{found.digest[:12]}{' is live' if live else ''}")
