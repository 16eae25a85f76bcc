"""A real terminal of so many columns, on which commands are typed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

_NEXT = "\x1e"
_TYPED = f"""
import json, sys
from router.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit:
        pass
    sys.stdout.write({_NEXT!r})
    sys.stdout.flush()
"""


def on_a_terminal(columns: int, *commands: Sequence[str], folder: Path) -> list[str]:
    """What each of the commands shows, errors and all; one process runs them, in `folder`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-c", _TYPED, json.dumps(commands)],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "NO_COLOR": "1", "TERM": "dumb"},
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 65_536):
                said += more
        except OSError:  # that is how the end of a terminal is told
            pass
        os.close(ours)
    text = said.decode().replace("\r\n", "\n").replace("\x1b[1m", "").replace("\x1b[0m", "")
    *shown, rest = text.split(_NEXT)
    assert (process.returncode, rest, len(shown)) == (0, "", len(commands)), text
    return shown
