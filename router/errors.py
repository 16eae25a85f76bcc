"""What can go wrong, as an operator meets it.

    RouterError
    ├── FilesError    configuration, users or rules are not fit to run (carries every Problem)
    │   └── ConfigUnreadError  the configuration is not there, or can't be read
    ├── LedgerError   the ledger is missing, locked, newer than the program or unreachable
    ├── EngineError   durable_rules did not build, hangs or contradicts the second opinion
    ├── PublishError  facts could not be put where a source takes them from
    ├── SignatureError  a document does not bear the signature that it should
    └── UsageError    the command cannot do what was asked (no such Alert, a taken port, ...)

Each message says what, where and what to do; none carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.files.problems import Problem

MOST_PROBLEMS = 300
"""That are told at once, of all files together."""


class RouterError(Exception):
    """The root: whatever Hubherald raises on purpose for an operator to read."""


class FilesError(RouterError):
    """Files that operators edit hold mistakes; `problems` has them in file order.

    Of very many it has the first, and in `more` how many others there are.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:MOST_PROBLEMS])
        self.more = len(problems) - len(self.problems)
        shown = [problem.render() for problem in self.problems]
        if self.more:
            shown.append(f"and {self.more:,} more problems, not told; mend these first")
        super().__init__("\n".join(shown))


class ConfigUnreadError(FilesError):
    """There is no configuration where it was said to be: nothing of it was read."""


class LedgerError(RouterError):
    """The ledger cannot be used as it is; the message is one line."""


class EngineError(RouterError):
    """The rules engine cannot be trusted with these rules."""


class PublishError(RouterError):
    """Not every fact is confirmed; which ones is not known. The message is one line."""


class SignatureError(RouterError):
    """A signature is not valid, or not that of the certificate given; the message is one line."""


class UsageError(RouterError):
    """What was asked for cannot be done; the message is one line."""
