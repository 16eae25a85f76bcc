"""What is meant by the words in the search field of the status page."""

from __future__ import annotations

import pytest
from support.estate import HUB, S1

from router.domain.users import ServiceUser
from router.service.statuspage.search import HubAsked, Several, UserAsked, understand

GONE = "90-B3-D5-1F-30-01-00-77"
MEANT = {
    "a Device ID": (HUB, HubAsked(HUB)),
    "without case and hyphens": (HUB.replace("-", "").lower(), HubAsked(HUB)),
    "spaces around": (f"  {HUB} ", HubAsked(HUB)),
    "a User ID": (S1, UserAsked(S1)),
    "of one who has a lane only": (GONE.lower(), UserAsked(GONE)),
    "one name": ("acme", UserAsked(S1)),
    "nothing": ("", Several([])),
    "spaces": ("   ", Several([])),
    "too short": (HUB[:-1], Several([])),
    "too long": (HUB + "0", Several([])),
}


@pytest.mark.parametrize(("words", "meant"), MEANT.values(), ids=MEANT)
def test_words_are_understood(words: str, meant: object) -> None:
    users = {S1: ServiceUser(S1, "Acme Energy", frozenset())}
    assert understand(words, users, {GONE}) == meant
