"""Alerts into the log: for a first look, and beside other channels when one wants to watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

from router.ports import Adapter, Delivered, Delivery, Options, Outcome


class LogOptions(Options):
    """It takes none."""


class LogAdapter(Adapter[LogOptions]):
    """Writes a line in the router's log for each Alert."""

    Config = LogOptions
    batch: int = 100

    def __init__(self, config: LogOptions) -> None:
        import structlog  # noqa: PLC0415 - who checks files makes no adapter and logs nothing

        self._log: FilteringBoundLogger = structlog.get_logger()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        for delivery in deliveries:
            alert = delivery.alert
            self._log.info(
                "alert",
                id=str(alert.id),
                user=alert.service_user_id,
                device=alert.device_id,
                version=alert.firmware_version,
                sequence=alert.sequence,
            )
        return [Delivered("logged")] * len(deliveries)
