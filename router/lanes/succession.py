"""Channels that go and channels that come: which takes over what waits, and what waits in vain.

A channel goes when service_users.yaml names its user without it, and comes when it is named for
the first time, or again. Where one goes and one comes it is the same channel to whoever edited the
file. Everything else is for a person to decide. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from router.domain.timestamps import rfc3339
from router.lanes.values import Claimed, LaneKey, LaneRow

if TYPE_CHECKING:
    from router.lanes.lane import Lane


@dataclass(frozen=True, slots=True)
class Stranded:
    """Alerts that wait on a channel which no file names any more."""

    service_user_id: str
    channel: str
    waiting: int
    oldest: datetime
    """When the oldest of them was decided."""
    others: tuple[str, ...]
    """The channels that its user has; none where the file does not name the user."""

    @property
    def command(self) -> str:
        """What moves them to another channel, once for each that there is."""
        user = self.service_user_id
        commands = [
            f"`hubherald lanes move {user}/{self.channel} {user}/{other}`" for other in self.others
        ]
        return " or ".join(commands) or "`hubherald lanes move`, once the user has a channel again"

    def __str__(self) -> str:
        wait = "1 Alert waits" if self.waiting == 1 else f"{self.waiting:,} Alerts wait"
        return (
            f"{wait} on {self.service_user_id}/{self.channel}, which service_users.yaml does not "
            f"name any more, the oldest since {rfc3339(self.oldest, 'seconds')}; held until the "
            f"channel is back or you move them: {self.command}"
        )


def successions(
    rows: Mapping[LaneKey, LaneRow], wanted: Collection[LaneKey]
) -> dict[LaneKey, LaneKey]:
    """By channel that goes: the one that comes, for each user with exactly one of both.

    `rows` are the lanes as they were before, `wanted` those that the file names now. Of a user
    who was away, the channels that still hold something go.
    """
    found: dict[LaneKey, LaneKey] = {}
    before: dict[str, list[LaneRow]] = defaultdict(list)
    for row in rows.values():
        before[row.service_user_id].append(row)
    for user, now in _channels(wanted).items():
        named = {row.channel for row in before[user] if row.named}
        goes = named or {row.channel for row in before[user] if row.waiting}
        match sorted(goes - now), sorted(now - named):
            case [old], [new]:
                found[(user, old)] = (user, new)
    return found


def stranded(rows: Mapping[LaneKey, LaneRow], wanted: Collection[LaneKey]) -> list[Stranded]:
    """What waits in vain when the file names these: no channel of its user takes it over."""
    channels, taken = _channels(wanted), successions(rows, wanted)
    found = []
    for (user, channel), row in sorted(rows.items()):
        gone = user in channels and channel not in channels[user]
        if gone and row.oldest is not None and (user, channel) not in taken:
            others = tuple(sorted(channels[user]))
            found.append(Stranded(user, channel, row.waiting, row.oldest, others))
    return found


def _channels(wanted: Collection[LaneKey]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for user, channel in wanted:
        found[user].add(channel)
    return dict(found)


def heir(lanes: Iterable[Lane], lane: Lane, claimed: Sequence[Claimed]) -> Lane:
    """The lane that has a request now: another one where a channel took over meanwhile."""
    first = claimed[0].id
    if first in lane.in_flight:
        return lane
    return next((each for each in lanes if first in each.in_flight), lane)
