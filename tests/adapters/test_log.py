"""The log as a channel."""

from collections.abc import Callable

import structlog

from adapters.log import LogAdapter
from router.ports import Delivered, Delivery


async def test_one_line_for_each_alert(delivery: Callable[[int], Delivery]) -> None:
    with structlog.testing.capture_logs() as lines:
        async with LogAdapter(LogAdapter.Config()) as adapter:
            outcomes = await adapter.deliver([delivery(1), delivery(2)])
    assert outcomes == [Delivered("logged"), Delivered("logged")]
    assert lines == [
        {
            "event": "alert",
            "log_level": "info",
            "id": str(delivery(number).alert.id),
            "user": "90-B3-D5-1F-30-01-00-01",
            "device": "90-B3-D5-1F-30-02-00-01",
            "version": "01020304",
            "sequence": number,
        }
        for number in (1, 2)
    ]
