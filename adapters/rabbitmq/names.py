"""Names of exchanges and queues: RabbitMQ takes any text, and so do we.

The library takes letters of ASCII, digits and a few signs, as AMQP 0-9-1 has it; what others have
made may be called otherwise, and can't be renamed.
"""

from __future__ import annotations

import re

from pamqp import constants

LONGEST = 255
"""Bytes in a name, as in a routing key (AMQP 0-9-1, shortstr)."""

for _kind in ("exchange-name", "queue-name"):
    constants.DOMAIN_REGEX[_kind] = re.compile(".*", re.DOTALL)
