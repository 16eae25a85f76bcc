"""Lines of files as they may be shown: problems quote them, and some hold secrets."""

from __future__ import annotations

import re

_KEY = re.compile(r"""(?<![\w-])([\w-]++)["']?\s*+:\s*+""")
_SECRET = re.compile(r"(?i)secret|password|passphrase|token|api_?key")
_IN_QUOTES = r"""\[[^\]\r\n]*|"[^"\r\n]*"?|'[^'\r\n]*'?"""
_BLOCK_VALUE = re.compile(rf"{_IN_QUOTES}|[^\r\n]*")
_FLOW_VALUE = re.compile(rf"{_IN_QUOTES}|[^,}}\r\n]*")
_USER_IN_URL = re.compile(r"(?<=://)[^/\s]*(?=@)")
_KEPT = "\t\r\n\x85\u2028\u2029"


def presentable(line: str) -> str:
    """The line as it may be shown: nothing that moves the cursor, no value of a secret key.

    This goes by the look of a line and so also works in a file that is not YAML at all; what
    the options of an adapter call a secret is hidden besides. No character comes or goes.
    """
    if not line.isprintable():
        line = "".join(each if each.isprintable() or each in _KEPT else "?" for each in line)
    line = _USER_IN_URL.sub(lambda found: "*" * len(found[0]), line)
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
    return "".join([*parts, line[end:]])
