"""What a page of HTML says: in one, proxies and frameworks tell what went wrong. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser


def words_of(text: str) -> str:
    """The words of a page, or of its beginning, without tags; any other text as it is."""
    if not re.match(r"(?i)\s*<(!doctype html|html)\b", text):
        return text
    page = _Words()
    try:
        page.feed(text)
        page.close()
    except AssertionError:  # its way to say that it does not understand a declaration
        return text
    return " ".join(" ".join(page.words).split())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.unseen = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.unseen = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.unseen = False

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.words.append(data)
