"""What may be repeated of a value where secrets may stand, and what must go out of other texts.

A secret that is written slightly wrong stands where nobody looks for one: under a misspelt key, as
the name of a variable or of a file, in a URL. So there it is not asked what looks like a secret,
but what can't be one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from router.files.spellings import Rendition, folded, in_base64, renditions, uncut

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
_FEW = 16
"""So many known texts are looked for one by one."""
_SHORT = 100
"""Characters of a text that is worth being remembered."""
_LONGEST_KEY = 40
_Span = tuple[int, int, str]
"""From where to where, and what is shown there."""


def plain_key(name: str) -> bool:
    """Whether a key that nothing reads may be named: letters alone, as keys have them."""
    return len(name) <= _LONGEST_KEY and _KEY.fullmatch(name) is not None


def plain_variable(name: str) -> bool:
    """Whether a variable that is not set may be named: words in capitals."""
    return _VARIABLE.fullmatch(name) is not None


def doubtful(text: str) -> bool:
    """Whether a value may be a secret that stands at a wrong place."""
    if re.search(r"@|:/|-----|whsec|whsk_|[0-9]{10}", text):
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


@dataclass(frozen=True, slots=True)
class _Private:
    """What nobody may see, and what is shown in its place."""

    text: str
    """Folded."""
    shown: str
    is_word: bool
    """It looks like any word, and means nothing within a longer one."""


class Redactor:
    """Takes out of what comes back what we know and nobody may see, in whatever spelling."""

    def __init__(
        self,
        names: Iterable[tuple[str, str]],
        beside: Callable[[], Redactor | None] = lambda: None,
    ) -> None:
        """`names`: texts, and what is shown in their place. `beside`: one that knows more, at each
        time another perhaps; a text is read once for both."""
        self._beside = beside
        self._other: Redactor | None = None
        known = {form: name for text, name in names for form in _forms(text)}
        self._known = [_Private(text, name, _is_word(text)) for text, name in known.items()]
        self._by_beginning: dict[str, list[_Private]] = {}
        for each in self._known:
            self._by_beginning.setdefault(each.text[:_BEGINNING], []).append(each)
        self._short = [each for each in self._known if len(each.text) < _BEGINNING]
        self._longest = max(map(len, known), default=0)
        self._remembered = lru_cache(maxsize=8)(self._hidden)

    def __call__(self, text: str) -> str:
        """The text without them, also where it was cut (`...`) within one."""
        other = self._beside()
        if other is not self._other:
            self._other = other
            self._remembered.cache_clear()
        knows = self._known or (other is not None and other._known)
        if not knows or len(text) < _BEGINNING:
            return text
        # what takes an Alert says the same of each
        return self._remembered(text) if len(text) <= _SHORT else self._hidden(text)

    def _hidden(self, text: str) -> str:
        cuts = [found.start() for found in re.finditer(r"\.\.\.", text)]
        spans = [span for each in renditions(text) for span in self._spans(each, cuts)]
        text = _replaced(text, spans)
        return re.sub(r"\b(\w+_file): \1\b", r"\1: FILE", text)

    def _spans(self, rendition: Rendition, cuts: Sequence[int]) -> Iterator[_Span]:
        """From where to where in the original something known stands."""
        text, starts = folded(rendition.text), rendition.starts
        for known in self._maybe_in(text):
            for at in _places(text, known):
                yield starts[at], starts[at + len(known.text)], known.shown
        ends = {bisect_left(starts, cut) for cut in cuts}
        for end in ends:
            longest = max(self._longest, self._other._longest if self._other else 0)
            before = text[max(0, end - longest - 10) : end]
            if length := self._begun(before):
                yield starts[end - length], starts[end], HIDDEN
        for begin, end, said in in_base64(rendition.text):
            if self._tells(said, cut=end in ends):
                yield starts[begin], starts[end], HIDDEN

    def _tells(self, said: str, *, cut: bool) -> bool:
        """Whether what stood in base64 holds something known, or was cut within it."""
        texts = [folded(each.text) for each in renditions(said)]
        whole = any(known.text in text for text in texts for known in self._maybe_in(text))
        return whole or (cut and self._begun(texts[0].rstrip("\ufffd")) > 0)

    def _maybe_in(self, text: str) -> Sequence[_Private]:
        """Those whose beginning stands in it: of the secrets of a thousand users, next to none."""
        more = self._other._maybe_in(text) if self._other is not None else []
        if len(self._known) <= _FEW:
            return [*self._known, *more]
        windows = {text[at : at + _BEGINNING] for at in range(len(text))}
        found = self._by_beginning.keys() & windows
        mine = (each for key in found for each in self._by_beginning[key])
        return [*self._short, *mine, *more]

    def _begun(self, text: str) -> int:
        """How many characters at the end of what was cut are the beginning of something known."""
        known = [*self._known, *(self._other._known if self._other else ())]
        for plain in (text, uncut(text)):
            if found := max(_overlap(plain, each.text) for each in known):
                return len(text) - len(plain) + found
        return 0


def _forms(text: str) -> set[str]:
    """How a text may come back: without regard to case, and to how many spaces are in it."""
    return {folded(text), folded(" ".join(text.split()))} - {""}


def _is_word(text: str) -> bool:
    return len(text) < _SHORTEST or text.isalpha()


def _places(text: str, known: _Private) -> Iterator[int]:
    """Where it stands."""
    at = text.find(known.text)
    while at >= 0:
        end = at + len(known.text)
        within = text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()
        if known.is_word and within:
            end = at + 1
        else:
            yield at
        at = text.find(known.text, end)


def _overlap(text: str, known: str) -> int:
    """How long a beginning of `known` the text ends with; 0 where that is next to nothing."""
    if text[-_BEGINNING:] not in known:
        return 0
    lengths = range(min(len(known), len(text)), _BEGINNING - 1, -1)
    return next((each for each in lengths if text.endswith(known[:each])), 0)


def _replaced(text: str, spans: Iterable[_Span]) -> str:
    """The text with what is shown in place of each span; those that overlap are one."""
    kept: list[str] = []
    end = 0
    for begin, stop, shown in sorted(spans, key=lambda span: (span[0], -span[1])):
        if begin >= end:
            kept += [text[end:begin], shown]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


def private_parts(url: str) -> Iterator[str]:
    """What of a URL may be a secret, in the forms in which it may come back."""
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    whole = [parts.path, parts.query, parts.fragment, parts.username or "", parts.password or ""]
    fields = [each.partition("=") for each in re.split("[&;]", parts.query)]
    values = [value if sign else name for name, sign, value in fields]
    below = [piece for each in (parts.path, *values) for piece in re.split("[/;:=,@|]", each)]
    for each in dict.fromkeys([*whole, *parts.path.split("/"), *values, *below]):
        for form in dict.fromkeys([each, unquote(each)]):
            if len(form) >= _SHORTEST:
                yield form
