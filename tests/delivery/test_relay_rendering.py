"""Alerts whose adapter makes bytes of its own, and can't always."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from support.relaying import Recipient, relaying
from support.samples import device

from router.ports import Alert, ChannelFault, Closed, Reason, Refused, RenderError

HUBS = [device(number) for number in range(1, 4)]


class Forgetful(Recipient):
    """An adapter with bytes of its own, which it can't make for one hub at first."""

    broken = True

    def render(self, alert: Alert) -> bytes:
        if self.broken and alert.device_id == device(2):
            raise ValueError("no key")
        return f"signed {alert.sequence}".encode()


async def test_what_can_not_be_rendered_stops_nobody_else(tmp_path: Path) -> None:
    broken, well = Forgetful(), Recipient()
    async with relaying(tmp_path, broken, well, window=1) as running:
        await running.record(HUBS)
        await running.until(lambda: well.got == [1, 2, 3])
        await running.quiet()
        assert broken.bodies == [b"signed 1"]
        assert ("retry", "bug") in await running.outcomes()
        broken.broken = False
        await running.hurry_until_idle()
        assert broken.bodies == [b"signed 1", b"signed 2", b"signed 3"]


class Unable(Recipient):
    """An adapter that says why there are no bytes: of one Alert, or at present of none."""

    expired = True

    def render(self, alert: Alert) -> bytes:
        if self.expired:
            raise RenderError(Closed(ChannelFault.CREDENTIALS, "expired"))
        if alert.device_id == device(2):
            raise RenderError(Refused(Reason.REJECTED, "can't be written"))
        return f"signed {alert.sequence}".encode()


async def test_what_has_no_bytes_is_refused_or_held_as_its_adapter_says(tmp_path: Path) -> None:
    unable, well = Unable(), Recipient()
    async with relaying(tmp_path, unable, well, window=1) as running:
        await running.record(HUBS)
        await running.until(lambda: well.got == [1, 2, 3])
        await running.quiet()
        assert unable.bodies == []
        assert ("closed", "credentials") in await running.outcomes()
        unable.expired = False
        running.passes(timedelta(seconds=61))  # when a lane that closed by itself is tried again
        await running.hurry_until_idle()
        assert unable.bodies == [b"signed 1", b"signed 3"]
        assert ("parked", "rejected") in await running.outcomes()
