"""The message of an Alert, or of several: words for people, the events for programs. Pure.

The same Alerts give the same bytes under the same Message-ID, so that who has one twice knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from router.ports import Alert, Delivery, batch_body, batch_id


def message_of(deliveries: Sequence[Delivery], sender: str, recipients: Sequence[str]) -> bytes:
    """One message for all of them, as it goes over SMTP."""
    alerts = [each.alert for each in deliveries]
    first = deliveries[0]
    if len(deliveries) == 1 and first.batch is None:
        known, kind, content = first.alert.id, "cloudevents+json", first.body
        subject = f"{first.alert.device_id} now runs firmware {first.alert.firmware_version}"
    else:
        known, kind = batch_id(alerts), "cloudevents-batch+json"
        content = batch_body(each.body for each in deliveries)
        subject = f"{len(alerts)} Communications Hubs now run other firmware"
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = format_datetime(max(alert.decided_at for alert in alerts))
    message["Message-ID"] = f"<{known}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_words(alerts), cte="7bit" if _words(alerts).isascii() else "base64")
    message.add_attachment(content, "application", kind, filename=f"{known}.json")
    message.set_boundary(f"=_{known}")  # else it is another each time
    return message.as_bytes()


def _words(alerts: Sequence[Alert]) -> str:
    lines = [line for alert in alerts for line in (*_told(alert), "")]
    return "\n".join([*lines, "The attachment says the same as CloudEvents.", ""])


def _told(alert: Alert) -> Sequence[str]:
    before = alert.previous_firmware_version
    instead = f" instead of {before}" if before else ""
    return (
        f"Alert {alert.alert_code}, number {alert.sequence}, {alert.id}",
        f"Communications Hub {alert.device_id}",
        f"runs firmware {alert.firmware_version}{instead}",
        f"since {alert.activated_at:%Y-%m-%d %H:%M:%S} UTC",
        f"told to {alert.service_user_id} as {', '.join(alert.roles)}",
    )
