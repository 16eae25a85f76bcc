"""Secrets of others in what one adapter says: taken out, whoever's they are, in any spelling."""

from __future__ import annotations

import base64
import json

import pytest

from router.files.spellings import folded
from router.ports import Options, Secret
from router.ports.discretion import Discretion


class Locked(Options):
    """What somebody takes."""

    password: Secret
    url: str = "https://acme.example/notifications"


def locked(password: str) -> Locked:
    return Locked.model_validate({"password": password})


MINE = locked("swordfish-of-mine")


@pytest.mark.parametrize("many", [1, 500])
def test_secrets_of_others_are_hidden_in_any_spelling(many: int) -> None:
    others = {f"user-{number}": [locked(f"hunter-{number}-two")] for number in range(many)}
    hide = Discretion(others).beside(MINE)
    for said in ("hunter-0-two", "HUNTER-0-TWO", json.dumps("hunter\u002d0-two")):
        assert "0-two" not in hide(f"he said {said}!").lower()
    assert "***" in hide("in base64: " + base64.b64encode(b"x:hunter-0-two").decode())
    assert hide("swordfish-of-mine") == "***"
    assert hide("nothing of it stands here") == "nothing of it stands here"


def test_words_in_urls_of_others_are_left_alone() -> None:
    hide = Discretion(locked("hunter-two")).beside(
        locked("swordfish").model_copy(update={"url": ""})
    )
    assert hide("no notifications") == "no notifications"


def test_what_is_learnt_later_is_hidden_in_what_was_said_before() -> None:
    discretion = Discretion()
    hide = discretion.beside(MINE)
    assert hide("hunter-two") == "hunter-two"
    discretion.learn(locked("hunter-two"))
    assert hide("hunter-two") == discretion("hunter-two") == "***"


def test_no_letter_becomes_two_when_texts_are_folded() -> None:
    assert len(folded("İİß+")) == 4
    assert Discretion(locked("000000İİ")).beside(MINE)("refused=000000İİ") == "refused=***"
