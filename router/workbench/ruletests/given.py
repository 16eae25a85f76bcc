"""What a test of rules starts from: a hub, its registrations, Service Users and an activation.

Only what matters needs to be written. Left out, a hub is a commissioned SMETS2 hub, an activation
is a successful one of that hub, and a registration is one of that hub, of the usual meter point of
its kind, from 2020 on.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from router.config.usersfile import DuisVersion
from router.domain.facts import Activation, Hub, Registration
from router.domain.identifiers import ShortText, UserId, Word
from router.domain.inventory import Home
from router.domain.users import ServiceUser
from router.domain.words import Point, Role, UserStatus
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.problems import Problem
from router.files.suggestions import did_you_mean
from router.language.rules import Rules
from router.ports import Options

HUB = {
    "device_id": "90-B3-D5-1F-30-00-10-01",
    "status": "Commissioned",
    "smets_version": "SMETS2",
}
ACTIVATION = {
    "firmware_version": "9002",
    "activated_at": "2026-06-01T12:00:00Z",
    "outcome": "success",
}
MPXN: dict[str, str] = {
    Point.IMPORT_MPAN: "1800021679848",
    Point.EXPORT_MPAN: "1012345678903",
    Point.MPRN: "3938424403",
}
SINCE = "2020-01-01"


class GivenHub(Hub):
    """The hub of a test; a key that facts do not know is a mistake here."""

    model_config = ConfigDict(extra="forbid")


class GivenActivation(Activation):
    """The activation of a test."""

    model_config = ConfigDict(extra="forbid")


class GivenRegistration(Registration):
    """A registration of a test."""

    model_config = ConfigDict(extra="forbid")


class GivenUser(Options):
    """A Service User of a test; it needs no channels."""

    id: UserId
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    name: ShortText = "a Service User"
    status: UserStatus = UserStatus.ACTIVE
    subscriptions: tuple[Word, ...] = ()
    duis_version: DuisVersion | None = None


class Given(Options):
    """What a test starts from."""

    hub: GivenHub
    registrations: tuple[GivenRegistration, ...] = ()
    users: tuple[GivenUser, ...] = ()
    activation: GivenActivation

    @property
    def home(self) -> Home:
        """The hub and its registrations."""
        return Home(self.hub, self.registrations)

    @property
    def service_users(self) -> dict[str, ServiceUser]:
        """The Service Users by id."""
        return {
            each.id: ServiceUser(
                id=each.id,
                name=each.name,
                roles=frozenset(each.roles),
                status=each.status,
                subscriptions=each.subscriptions,
                duis_version=each.duis_version,
            )
            for each in self.users
        }


def check(document: Document, given: Given, *place: str | int) -> None:
    """Add what is wrong between the parts of what is given, which stands at `place`.

    What is not there is what the file gives to all its tests, and is told once for all of them.
    """

    def add(where: Place, message: str, code: Code) -> None:
        shared = ("given", *where)
        own = (*place, *where)
        at = document.at(*(own if own in document.values else shared))
        problem = Problem(at, message, code)
        if problem not in document.problems:
            document.problems.append(problem)

    if given.activation.device_id != given.hub.device_id:
        message = "the activation must be one of the hub that is given"
        add(("activation", "device_id"), message, Code.CONFLICT)
    first: dict[str, int] = {}
    for number, user in enumerate(given.users):
        if first.setdefault(user.id, number) != number:
            message = f"user {user.id} is given twice"
            add(("users", number, "id"), message, Code.DUPLICATE_NAME)


def check_rule(document: Document, name: str, rules: Rules, *place: str | int) -> None:
    """Add that there is no rule of this name, which stands at `place`."""
    known = {rule.name for rule in rules.rules}
    if name not in known:
        message = f"there is no rule {name!r}{did_you_mean(name, known)}"
        document.add(document.at(*place), message, Code.UNKNOWN_RULE)


def filled(given: Any, shared: Any = None) -> Any:
    """What is given, as read from YAML, with what it left out: from `shared`, or the usual."""
    own = {} if given is None else given
    if not isinstance(own, dict):
        return own
    both = {**shared, **own} if isinstance(shared, dict) else dict(own)
    both["hub"] = _join(HUB, _part(shared, "hub"), own.get("hub"))
    of_hub = _part(both["hub"], "device_id")
    usual = {"device_id": of_hub or HUB["device_id"], **ACTIVATION}
    both["activation"] = _join(usual, _part(shared, "activation"), own.get("activation"))
    listed = both.get("registrations")
    if isinstance(listed, list):
        both["registrations"] = [_registration(each, usual["device_id"]) for each in listed]
    return both


def _registration(each: Any, device_id: str) -> Any:
    point = _part(each, "point")
    mpxn = MPXN.get(point) if isinstance(point, str) else None
    usual = {"device_id": device_id, "mpxn": mpxn or MPXN[Point.IMPORT_MPAN]}
    return _join({**usual, "effective_from": SINCE}, None, each)


def _part(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _join(usual: dict[str, str], shared: Any, own: Any) -> Any:
    """All three, the later beats the earlier; what is not a mapping is left to be found wrong."""
    if own is not None and not isinstance(own, dict):
        return own
    return {**usual, **(shared if isinstance(shared, dict) else {}), **(own or {})}
