"""The contract: the one door between the core and what others write, version 1.

Whoever writes a delivery adapter, a source or a verifier imports what stands here and nothing else
of `router`, names its class under an entry point (`hubherald.adapters`, `hubherald.sources`,
`hubherald.verifiers`) and reads the docstrings of `Adapter`, `Source` and `Options`: they say what
is called when, how often and how many at a time, and what becomes of what goes wrong.

**In a word.** A source gives Messages and is told which of them are committed. A delivery adapter
gets Deliveries and answers one Outcome for each; it never retries, logs deliveries or counts, as
the relay does, once, for all. One event loop runs everything: what blocks it blocks everybody, so
whatever may block (files, a library without asyncio) goes to a thread (`Aside`).

**Units.** Times are seconds (float) or `timedelta`, moments are aware `datetime`s in UTC, sizes are
bytes of `bytes` and characters of `str`. Ids of users and hubs are EUI-64 in upper case.

**Whatever breaks the contract costs its own lanes and nobody else**: they are closed as
`adapter_broken`, with the adapter, its distribution and its file. Nobody waits for it longer than
is written here; an adapter that goes on when it is cancelled is given up.

**Version.** `CONTRACT` is its number. While it stays, what is written here stays: nothing is taken
away or renamed, nothing new must be implemented, no limit gets narrower. There may come optional
methods and protocols, fields and parameters with defaults, members of `Reason` and `ChannelFault`
(that no adapter need answer), wider limits. Whatever else changes raises the number, with a line in
CHANGELOG.md that says what an author has to do; `hubherald adapters` goes on to name what no longer
fits. What the core alone needs it imports from the modules of this package: these are no contract.
"""

from router.entrypoints import Verify
from router.errors import PublishError, SignatureError, UsageError
from router.files.codes import Code
from router.files.keyfiles import exposure, require_private, unreadable
from router.files.newfiles import Access, make_file, make_folder
from router.files.plainfile import open_plain
from router.files.redaction import in_one_line
from router.ports.alerts import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    Alert,
    batch_body,
    batch_id,
)
from router.ports.aside import Aside, silent
from router.ports.delivery import (
    MAX_BATCH,
    MAX_DETAIL,
    MAX_RENDERED,
    MAX_WAIT,
    Adapter,
    Answering,
    ChannelFault,
    Closed,
    Delivered,
    DeliversEach,
    Delivery,
    Outcome,
    Probes,
    Reason,
    Refused,
    RenderError,
    Renders,
    Retry,
)
from router.ports.discretion import redactor
from router.ports.links import Link, Linked
from router.ports.options import RESERVED, AmqpUrl, HttpUrl, Options, Secret, Unfit, is_loopback
from router.ports.parties import (
    Certificate,
    Certified,
    Introduced,
    Originator,
    Peered,
    Recipient,
)
from router.ports.sources import (
    MAX_BODY,
    Aimed,
    CountsFiles,
    Cursor,
    FileCounts,
    Message,
    Outgoing,
    Publisher,
    Publishes,
    Source,
    beginning_of,
)

CONTRACT = 1
"""The version of the contract that this Hubherald keeps."""

__all__ = [
    "BATCH_CONTENT_TYPE",
    "CONTENT_TYPE",
    "CONTRACT",
    "EVENT_TYPE",
    "MAX_BATCH",
    "MAX_BODY",
    "MAX_DETAIL",
    "MAX_RENDERED",
    "MAX_WAIT",
    "RESERVED",
    "Access",
    "Adapter",
    "Aimed",
    "Alert",
    "AmqpUrl",
    "Answering",
    "Aside",
    "Certificate",
    "Certified",
    "ChannelFault",
    "Closed",
    "Code",
    "CountsFiles",
    "Cursor",
    "Delivered",
    "DeliversEach",
    "Delivery",
    "FileCounts",
    "HttpUrl",
    "Introduced",
    "Link",
    "Linked",
    "Message",
    "Options",
    "Originator",
    "Outcome",
    "Outgoing",
    "Peered",
    "Probes",
    "PublishError",
    "Publisher",
    "Publishes",
    "Reason",
    "Recipient",
    "Refused",
    "RenderError",
    "Renders",
    "Retry",
    "Secret",
    "SignatureError",
    "Source",
    "Unfit",
    "UsageError",
    "Verify",
    "batch_body",
    "batch_id",
    "beginning_of",
    "exposure",
    "in_one_line",
    "is_loopback",
    "make_file",
    "make_folder",
    "open_plain",
    "redactor",
    "require_private",
    "silent",
    "unreadable",
]
