"""The one door between the core and what others write: sources, delivery adapters, verifiers.

A source gives Messages and is told which of them are committed. A delivery adapter gets
Deliveries and answers one Outcome for each. Whoever writes one imports what stands here and
nothing else of `router`; what stands here changes only with a line in CHANGELOG.md.
"""

from router.errors import PublishError, SignatureError, UsageError
from router.files.codes import Code
from router.files.keyfiles import require_private
from router.files.redaction import in_one_line
from router.ports.alerts import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    NAMESPACE,
    Alert,
    alert_id,
    batch_body,
    batch_id,
)
from router.ports.delivery import (
    Adapter,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    Reason,
    Refused,
    RenderError,
    Renders,
    Retry,
)
from router.ports.entrypoints import ADAPTERS, SOURCES, VERIFIERS, Verify, installed
from router.ports.links import Link, Linked
from router.ports.options import AmqpUrl, HttpUrl, Options, OptionsT, Secret, Unfit, is_loopback
from router.ports.parties import Certificate, Certified, Introduced, Originator, Recipient
from router.ports.sources import (
    Aimed,
    CountsFiles,
    Cursor,
    FileCounts,
    Message,
    Outgoing,
    Publisher,
    Publishes,
    Source,
)

__all__ = [
    "ADAPTERS",
    "BATCH_CONTENT_TYPE",
    "CONTENT_TYPE",
    "EVENT_TYPE",
    "NAMESPACE",
    "SOURCES",
    "VERIFIERS",
    "Adapter",
    "Aimed",
    "Alert",
    "AmqpUrl",
    "Certificate",
    "Certified",
    "ChannelFault",
    "Closed",
    "Code",
    "CountsFiles",
    "Cursor",
    "Delivered",
    "Delivery",
    "FileCounts",
    "HttpUrl",
    "Introduced",
    "Link",
    "Linked",
    "Message",
    "Options",
    "OptionsT",
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
    "alert_id",
    "batch_body",
    "batch_id",
    "in_one_line",
    "installed",
    "is_loopback",
    "require_private",
]
