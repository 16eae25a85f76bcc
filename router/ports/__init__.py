"""The one door between the core and what others write: sources, delivery adapters, verifiers.

A source gives Messages and is told which of them are committed. A delivery adapter gets
Deliveries and answers one Outcome for each. Whoever writes one imports what stands here and
nothing else of `router`; what stands here changes only with a line in CHANGELOG.md. What the core
alone needs, such as finding what is installed, it imports from the modules of this package.
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
    Adapter,
    Answering,
    ChannelFault,
    Closed,
    Delivered,
    DeliversEach,
    Delivery,
    Outcome,
    Reason,
    Refused,
    RenderError,
    Renders,
    Retry,
)
from router.ports.discretion import redactor
from router.ports.links import Link, Linked
from router.ports.options import AmqpUrl, HttpUrl, Options, Secret, Unfit
from router.ports.parties import Certificate, Certified, Introduced, Originator, Recipient
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

__all__ = [
    "BATCH_CONTENT_TYPE",
    "CONTENT_TYPE",
    "EVENT_TYPE",
    "MAX_BODY",
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
    "make_file",
    "make_folder",
    "open_plain",
    "redactor",
    "require_private",
    "silent",
    "unreadable",
]
