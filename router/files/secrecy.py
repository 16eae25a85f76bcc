"""What may be repeated of a value where secrets may stand, and what must go out of other texts.

A secret that is written slightly wrong stands where nobody looks for one: under a misspelt key, as
the name of a variable or of a file, in a URL. So there it is not asked what looks like a secret,
but what can't be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "***"
_KEY = re.compile(r"[A-Za-z]{1,20}([_-][A-Za-z]{1,20}){0,4}")
_VARIABLE = re.compile(r"[A-Z]{1,20}(_[A-Z]{1,20}|_[0-9]{1,3}){0,6}")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2})*")
_WORD = re.compile(r"[\w+/=~.-]{6,}")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(?=[/?#]|$)")
_FILE_OF_OURS = re.compile(r"sqlite:///[^@?]*")
_SHORTEST = 6
"""Characters of a part of a path that may be a secret; `hook` and `v1` are none."""
_BEGINNING = 4
"""Characters of a secret that are not shown either, where a text was cut within it."""
_LONGEST_KEY = 40


def plain_key(name: str) -> bool:
    """Whether a key that nothing reads may be named: letters alone, as keys have them."""
    return len(name) <= _LONGEST_KEY and _KEY.fullmatch(name) is not None


def plain_variable(name: str) -> bool:
    """Whether a variable that is not set may be named: words in capitals."""
    return _VARIABLE.fullmatch(name) is not None


def doubtful(text: str) -> bool:
    """Whether a value may be a secret that stands at a wrong place."""
    if re.search(r"@|:/|-----|whsec|[0-9]{10}", text):
        return True
    return any(
        re.search(r"[A-Za-z]", word) and re.search(r"[0-9]", word)
        for word in _WORD.findall(text)
        if not _HEX_PAIRS.fullmatch(word)
    )


def bare(url: str) -> str:
    """How a URL begins, as far as everybody may see it: scheme, host and port, and no user."""
    if _FILE_OF_OURS.fullmatch(url):
        return url
    found = _ORIGIN.match(url)
    if found is None or "@" in url:
        return ""
    return url[: found.end() + url.startswith("/", found.end())]


class Redactor:
    """Takes out of what comes back what we know and nobody may see."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """`names`: texts, and what is shown in their place."""
        self._names = {text.lower(): name for text, name in names if text}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._texts = re.compile("|".join(map(_alone, longest_first)), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """The text without them, also where it was cut (`...`) within one."""
        if not self._names:
            return text
        # without regard to case more than one letter stands for another: `ſ` for `s`
        text = self._texts.sub(lambda found: self._names.get(found[0].lower(), HIDDEN), text)
        *cut, end = text.split("...")
        text = "...".join([*map(self._uncut, cut), end])
        return re.sub(r"\b(\w+_file): \1\b", r"\1: FILE", text)

    def _uncut(self, text: str) -> str:
        lower = text.lower()
        for known in self._names:
            if lower[-_BEGINNING:] not in known:
                continue
            for length in range(min(len(known), len(text)), _BEGINNING - 1, -1):
                if lower.endswith(known[:length]):
                    return text[:-length] + HIDDEN
        return text


def _alone(text: str) -> str:
    """A pattern for a text that is not a part of a longer word."""
    before = r"(?<![A-Za-z0-9])" if text[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if text[-1].isalnum() else ""
    return f"{before}{re.escape(text)}{after}"


def private_parts(url: str) -> Iterator[str]:
    """What of a URL may be a secret, in the forms in which it may come back."""
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    values = [value for _, value in parse_qsl(parts.query, keep_blank_values=True)]
    whole = [parts.path, parts.query, parts.fragment, parts.username or "", parts.password or ""]
    for each in (*whole, *parts.path.split("/"), *values):
        for form in {each, unquote(each)}:
            if len(form) >= _SHORTEST:
                yield form
