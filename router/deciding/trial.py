"""Rules that are not live yet, compiled and evaluated in a child process.

A ruleset that durable_rules does not take well can hang with the GIL held or end the process.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from router.errors import EngineError

if TYPE_CHECKING:
    from router.language.rules import Rules


def trial(rules: Rules, timeout_s: float = 10.0) -> None:
    """Compile and evaluate in a child process first: a bad ruleset can hang with the GIL held.

    EngineError when it does not come through within `timeout_s` seconds.
    """
    with Trial(timeout_s) as child:
        child.evaluate(rules)


class Trial:
    """The child, which gets the engine ready while its parent still reads the rules."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        # It ends itself, too: we may be killed meanwhile, which ends what it waits for. SIGHUP,
        # sent to all processes of a service, is for the router.
        code = (
            "import json, signal, sys; longest = int(sys.argv[2]); signal.alarm(longest); "
            "signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.path[:] = json.loads(sys.argv[1]); "
            "from router.deciding.trial_child import child; signal.alarm(0); "
            "rules = sys.stdin.buffer.read(); signal.alarm(longest); child(rules)"
        )
        path, longest = json.dumps(_import_path(sys.path)), str(math.ceil(timeout_s) + 1)
        # Isolated: else a json.py in the folder where somebody checks foreign rules would be run.
        command = [sys.executable, "-I", "-c", code, path, longest]
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            command,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._child.kill()  # which waits for rules that will not come, or hangs
        self._child.communicate()

    def evaluate(self, rules: Rules) -> None:
        """Compile and evaluate them there, once. EngineError when it does not come through."""
        try:
            _, said = self._child.communicate(pickle.dumps(rules), self._timeout_s)
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"durable_rules did not come through with these rules within {self._timeout_s:g} "
                "s; they were not taken up. Look at the rules that changed last"
            ) from None
        if (ended := self._child.returncode) != 0:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise EngineError(
                "durable_rules can't be trusted with these rules, they were not taken up: "
                + (last or f"the trial ended with {ended}")
            )


def _import_path(path: Iterable[str]) -> list[str]:
    """What the child may import from: all but the working directory, unless the router is there.

    Then it comes last, so that nothing in it is taken for a module that stands elsewhere.
    """
    home = str(Path(__file__).resolve().parents[2])
    try:
        here = str(Path.cwd())
    except FileNotFoundError:  # deleted
        here = ""
    found = [each for each in path if Path(each).is_absolute() and os.path.realpath(each) != here]
    return [*found, here] if here == home else found
