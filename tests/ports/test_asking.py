"""What an adapter says of itself: of the right kind to the last value, and no secret in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from router.ports import Certificate, Link
from router.ports.asking import Questions
from router.ports.origins import Origin

ORIGIN = Origin("acme")


def hide(text: str) -> str:
    return text.replace("hunter2", "***")


def test_a_value_of_the_wrong_kind_is_no_answer() -> None:
    questions = Questions(ORIGIN, hide)
    assert questions.ask("link", lambda: Link(False, cast(Any, "x")), Link) is None
    assert questions.taken("certificates", Certificate("client", cast(Any, 7))) is None
    right = Certificate("client", datetime.now(UTC))
    assert questions.taken("certificates", right) == right


def test_texts_come_without_secrets() -> None:
    found = Questions(ORIGIN, hide).ask("link", lambda: Link(True, 1, "hunter2 4.0"), Link)
    assert found is not None
    assert found.peer == "*** 4.0"
