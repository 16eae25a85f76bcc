"""What may be shown of text that comes from outside: nothing that moves the cursor, no secret.

The one place of that rule, for terminals, logs, pages and messages alike.
"""

from __future__ import annotations

import re

_KEY = re.compile(r"""(?<![\w-])([\w-]++)["']?\s*+:\s*+""")
_SECRET = re.compile(r"(?i)secret|password|passphrase|token|api_?key")
_IN_QUOTES = r"""\[[^\]\r\n]*|"[^"\r\n]*"?|'[^'\r\n]*'?"""
_BLOCK_VALUE = re.compile(rf"{_IN_QUOTES}|[^\r\n]*")
_FLOW_VALUE = re.compile(rf"{_IN_QUOTES}|[^,}}\r\n]*")
_USER_IN_URL = re.compile(r"(?<=://)[^/\s]*(?=@)")
ENDS = "\r\n\x85\u2028\u2029"
"""What ends a line, to `str.splitlines`."""


def escaped(text: str) -> str:
    """The text with all that can't be seen written out, such as `\\x1b` or `\\u202e`.

    What can't be seen could move the cursor, colour the screen or turn what stands beside it.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def escaped_lines(text: str) -> str:
    """The same for a text of several lines: what ends them (LF) stays."""
    return "\n".join(escaped(line) for line in text.split("\n"))


def in_one_line(text: str, longest: int = 300) -> str:
    """The same in one line, of at most `longest` characters and three dots."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[:longest]}..."


def covered(text: str, kept: str = "") -> str:
    """The text with a `?` for each character that can't be seen, so that columns stay true."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in kept else "?" for each in text)


def presentable(line: str) -> str:
    """A line of a file as it may be shown: covered, and without the value of a secret key.

    This goes by the look of a line and so also works in a file that is not YAML at all; what
    the options of an adapter call a secret is hidden besides. No character comes or goes, and the
    line keeps what ends it.
    """
    bare = line.rstrip(ENDS)
    end_of_line = line[len(bare) :]
    line = _USER_IN_URL.sub(lambda found: "*" * len(found[0]), covered(bare, kept="\t"))
    parts: list[str] = []
    end = 0
    for found in _KEY.finditer(line):
        is_secret = _SECRET.search(found[1]) and not found[1].lower().endswith("_file")
        if found.start() < end or not is_secret:
            continue
        alone = not line[: found.start()].strip(" -\"'") if not parts else False
        value = (_BLOCK_VALUE if alone else _FLOW_VALUE).match(line, found.end())
        assert value is not None
        parts += [line[end : value.start()], "*" * len(value[0])]
        end = value.end()
    return "".join([*parts, line[end:], end_of_line])
