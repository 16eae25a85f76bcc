"""Secrets of the options stay where they are."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import structlog

from router.conformance.harness import Harness, Peer
from router.conformance.scenario import scenario
from router.conformance.situations import Ability, Situation
from router.conformance.suite.answers import FAILS, able
from router.conformance.trial import meeting, options_of
from router.delivery.sending import words

_TROUBLES = (*FAILS, Situation.HANGS_UP, Situation.GARBAGE)


def _spelled(secret: str, peer: Peer) -> list[str]:
    """A secret as it is, and as programs write it."""
    others = [value for value in peer.options.values() if isinstance(value, str)]
    pairs = [secret, *(f"{other}:{secret}" for other in others)]
    coded = [base64.b64encode(each.encode()).decode() for each in pairs]
    return [secret, quote(secret, safe=""), secret.encode().hex(), *coded]


def _shows(text: str, peer: Peer) -> bool:
    return any(each in text for secret in peer.secrets for each in _spelled(secret, peer))


@contextmanager
def _log() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, by `logging` and by structlog."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    before, level = structlog.get_config(), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=text))
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        structlog.configure(**before)


class SecrecyTests:
    """Of the suite: secrets."""

    @scenario(Ability.SECRETS)
    async def test_no_outcome_holds_a_secret(self, harness: Harness) -> None:
        """Not even before the router takes out what it knows to be one."""
        for situation in (Situation.TAKES, *able(harness, _TROUBLES)):
            async with meeting(harness, situation, raw=True) as (peer, trial):
                said = words(await trial.number(601))
                assert not _shows(said, peer), f"{situation}: an Outcome holds a secret"

    @scenario(Ability.SECRETS, Situation.ECHOES)
    async def test_what_the_other_side_repeats_is_not_told(self, harness: Harness) -> None:
        """As it is told: the router takes out what it knows to be secret."""
        async with meeting(harness, Situation.ECHOES) as (peer, trial):
            said = words(await trial.number(602))
            assert not _shows(said, peer), "an Outcome repeats a secret"

    @scenario(Ability.SECRETS)
    async def test_no_log_holds_a_secret(self, harness: Harness) -> None:
        """Nor one that a library of the adapter writes, at any level."""
        with _log() as log:
            for situation in (Situation.TAKES, *able(harness, _TROUBLES)):
                async with meeting(harness, situation) as (peer, trial):
                    await trial.number(603)
                    assert not _shows(log.getvalue(), peer), (
                        f"{situation}: a line of the log holds a secret"
                    )

    @scenario(Ability.SECRETS)
    async def test_no_secret_is_printed(self, harness: Harness) -> None:
        """With the options or the adapter, as tracebacks and debuggers do."""
        async with meeting(harness) as (peer, trial):
            shown = f"{options_of(harness, peer)!r} {trial.plain!r} {trial.plain}"
            assert not _shows(shown, peer), (
                "options or adapter show a secret; make it a Secret of router.ports"
            )
