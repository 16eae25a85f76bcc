"""service_users.yaml: who can be told, and through which channels.

A channel's keys have two owners: a few are the router's own, for every channel alike; all others
go to the adapter that the channel names, which alone knows what they mean.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from router.config.installed import InstalledKinds
from router.domain.identifiers import ShortText, UserId, Word
from router.domain.users import Channel, ServiceUser, ServiceUsers
from router.domain.words import Role, UserStatus
from router.entrypoints import ADAPTERS
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.problems import Papers, Problem
from router.files.secretfiles import find_exposed
from router.files.values import expand, has_adapter, read_model
from router.files.yamlfile import read
from router.ports import Options
from router.ports.inquiry import Inquiry
from router.ports.options import RESERVED

_DUIS_VERSION = r"^[0-9]{1,2}\.[0-9]{1,2}$"


def _duis_version(text: str) -> str:
    if not re.fullmatch(_DUIS_VERSION, text):
        raise ValueError('must be a version of DUIS, such as "5.4"')
    return text


DuisVersion = Annotated[
    str,
    AfterValidator(_duis_version),
    WithJsonSchema({"type": "string", "pattern": _DUIS_VERSION}),
]


class ChannelKeys(BaseModel):
    """The keys of a channel that are the router's own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    adapter: Annotated[str, Field(description="what delivers, such as webhook")]
    name: Annotated[
        Word | None, Field(description="needed when a user has two channels of one adapter")
    ] = None
    window: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="sends under way at once, none so many ahead of an unanswered one; 1:"
            " strict order",
        ),
    ] = 16
    rate: Annotated[
        float | None,
        Field(ge=0.001, allow_inf_nan=False, description="the most Alerts per second"),
    ] = None
    timeout: Annotated[float, Field(gt=0, le=300, description="seconds for one whole send")] = 30.0
    hold_hours: Annotated[
        float,
        Field(gt=0, le=8784, description="hours from the decision until an Alert is parked"),
    ] = 48.0


class UserEntry(Options):
    """One Service User."""

    id: Annotated[UserId, Field(description="User ID: an EUI-64 of eight hyphenated hex octets")]
    name: Annotated[ShortText, Field(description="for people")]
    roles: Annotated[tuple[Role, ...], Field(min_length=1, description="what it is to homes")]
    status: Annotated[UserStatus, Field(description="suspended: its Alerts are held")] = (
        UserStatus.ACTIVE
    )
    subscriptions: Annotated[
        tuple[Word, ...], Field(max_length=100, description="free words that rules can ask for")
    ] = ()
    duis_version: Annotated[
        DuisVersion | None, Field(description='as text, such as "5.4": 5.10 is not 5.1')
    ] = None
    channels: Annotated[
        tuple[dict[str, Any], ...],
        Field(min_length=1, max_length=20, description="every channel gets every Alert"),
    ]


class UsersFile(Options):
    """The whole file."""

    service_users: Annotated[tuple[UserEntry, ...], Field(min_length=1)]


OWN = frozenset(ChannelKeys.model_fields)
assert OWN == RESERVED, "the contract says which names are taken"


def load(
    file: Path,
    environment: Mapping[str, str],
    papers: Papers | None = None,
    inquiry: Inquiry | None = None,
) -> tuple[ServiceUsers | None, list[Problem]]:
    """Read service_users.yaml: the users, or every problem of the file.

    What there is to say of keys and certificates that channels name is put into `papers`.
    """
    document = read(file, guarded=True)
    document.papers = papers or document.papers
    if document.value is None:
        if not document.problems:
            message = "nothing stands in this file; write service_users: and the users"
            document.add(document.location(0, 0), message, Code.EMPTY)
        return None, document.problems
    expand(document, environment)
    users = _Users(document, inquiry).read()
    if document.problems or users is None or document.cover is None:
        return None, document.problems
    find_exposed(document)
    text = document.cover.trust()  # without secrets and comments, which are no evidence of anything
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ServiceUsers({user.id: user for user in users}, digest, text), []


class _Users:
    """Reads one document; channels also of users with mistakes, to find all in one go."""

    def __init__(self, document: Document, inquiry: Inquiry | None) -> None:
        self.document = document
        self.kinds = InstalledKinds(ADAPTERS, inquiry)

    def read(self) -> list[ServiceUser] | None:
        value = self.document.value
        entries = value.get("service_users") if isinstance(value, dict) else None
        channels = [
            [] if self.document.is_full else self._channels(entry, number)
            for number, entry in enumerate(entries if isinstance(entries, list) else [])
        ]
        found = read_model(self.document, UsersFile, value)
        self._find_duplicates(entries)
        if found is None:
            return None
        users = self._users(found, channels)
        for number, user in enumerate(users):
            self._find_unfit(user, number)
        return users

    def _users(self, found: UsersFile, channels: list[list[Channel]]) -> list[ServiceUser]:
        return [
            ServiceUser(
                id=entry.id,
                name=entry.name,
                roles=frozenset(entry.roles),
                status=entry.status,
                subscriptions=entry.subscriptions,
                duis_version=entry.duis_version,
                channels=tuple(own),
            )
            for entry, own in zip(found.service_users, channels, strict=True)
        ]

    def _find_unfit(self, user: ServiceUser, number: int) -> None:
        """What the adapters of its channels need to know of a user, and do not."""
        for kind in sorted({channel.adapter for channel in user.channels}):
            adapter = self.kinds.introduced(kind)
            if adapter is None:
                continue
            ask = partial(adapter.unfit_recipient, user.recipient)
            for unfit in self.kinds.asked(kind, ask, "channels"):
                where = self.document.at("service_users", number, unfit.key)
                if unfit.code is Code.UNKNOWN_ADAPTER:  # a fault of its code, and no mistake here
                    problem = Problem(where, f"{unfit.key}: {unfit.message}", unfit.code)
                    self.document.papers.add(problem, warning=False)
                    continue
                there = ("service_users", number, unfit.key) in self.document.values
                code = Code.VALUE if there else Code.MISSING_KEY
                problem = Problem(where, f"{unfit.key}: {unfit.message}", code)
                if problem not in self.document.problems:
                    self.document.add(where, problem.message, code)

    def _find_duplicates(self, entries: Any) -> None:
        first: dict[str, int] = {}
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            identity = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(identity, str):
                continue
            before = first.setdefault(identity.upper(), number)
            if before != number:
                line = self.document.at("service_users", before, "id").line
                where = self.document.at("service_users", number, "id")
                message = f"id: the same user stands in line {line}; join the two"
                self.document.add(where, message, Code.DUPLICATE_NAME)

    def _channels(self, entry: Any, number: int) -> list[Channel]:
        raw = entry.get("channels") if isinstance(entry, dict) else None
        found: list[Channel] = []
        names: dict[str, int] = {}
        for index, value in enumerate(raw if isinstance(raw, list) else []):
            place = ("service_users", number, "channels", index)
            channel = self._channel(value, place) if isinstance(value, dict) else None
            if channel is None:
                continue
            found.append(channel)
            first = names.setdefault(channel.name, index)
            if first != index:
                line = self.document.at(*place[:-1], first).line
                hint = "another `name:`" if value.get("name") else "a `name:` of its own"
                message = (
                    f"a second channel {channel.name!r} (the first: line {line}); give it {hint}"
                )
                self.document.add(self.document.at(*place), message, Code.DUPLICATE_NAME)
        return found

    def _channel(self, value: dict[str, Any], place: Place) -> Channel | None:
        if not has_adapter(self.document, value, *place):
            return None
        own = {key: inner for key, inner in value.items() if key in OWN}
        keys = read_model(self.document, ChannelKeys, own, *place)
        options = self.kinds.options(self.document, value, *place, own=OWN)
        if keys is None:
            return None
        return Channel(
            name=keys.name or keys.adapter,
            adapter=keys.adapter,
            options=options,
            window=keys.window,
            rate=keys.rate,
            timeout=keys.timeout,
            hold_hours=keys.hold_hours,
        )
