"""What a batch of messages comes to. Pure but for the engine, which keeps no state between calls.

Facts apply in the order of arrival: a hub or registration fact counts for every activation
behind it. Activations are then evaluated together, since durable_rules is fast in batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.deciding.batch import (
    Accepted,
    Arrival,
    Batch,
    Effect,
    Known,
    Quarantined,
    activation_key,
)
from router.deciding.case import Case
from router.deciding.decisions import ABOUT_SOMEBODY, Decision, Verdict, due
from router.deciding.engine import Engine, EngineAnomaly
from router.domain.acceptance import Acceptance, CheckDigits
from router.domain.facts import Activation, Defect, Fact, Hub, Registration
from router.domain.inventory import Running, registration_key
from router.domain.timestamps import rfc3339
from router.domain.users import ServiceUser
from router.domain.words import ActivationOutcome, QuarantineReason
from router.language.rules import Rules

USUAL = Acceptance()
Found = tuple[Arrival, Fact | Defect]


@dataclass(slots=True)
class _Opened:
    """An activation that is decided in this batch."""

    arrival: Arrival
    fact: Fact
    activation: Activation
    case: Case | None
    """None for one that waited: it is opened when all registrations of the batch are known."""


@dataclass(slots=True)
class _Docket:
    """A batch while it is worked through."""

    batch: Batch
    came: Mapping[int, int]
    """The arrivals of this batch by identity, in order; all others wait in quarantine."""
    whole: bool
    """All that came together is here: no registration of it is still to come."""
    opened: list[_Opened] = field(default_factory=list)
    early: defaultdict[str, list[tuple[Arrival, Fact]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By hub: facts that came before it, or activations before its first registration."""
    behind: defaultdict[str, list[tuple[Arrival, Fact]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By hub: activations that let others pass which wait in quarantine, or are still to come."""
    asked: set[int] = field(default_factory=set)
    """Those of `early` from quarantine that were found to be new: asked a second time, they would
    be taken for their own redelivery, and be gone."""


class Judgement:
    """Rules and users under which facts are decided, and how strictly facts are taken."""

    def __init__(
        self,
        rules: Rules,
        users: Mapping[str, ServiceUser],
        engine: Engine,
        acceptance: Acceptance = USUAL,
    ) -> None:
        self.rules = rules
        self.users = users
        self.engine = engine
        self.acceptance = acceptance

    def judge(
        self,
        found: Sequence[Found],
        known: Known,
        now: datetime,
        waiting: Sequence[Found] = (),
        *,
        whole: bool = True,
    ) -> Batch:
        """What these messages come to, given what the ledger knows, at the moment `now`.

        `waiting` are the facts in quarantine that wait for a hub or registration among `found`:
        they count from there on, as those of this batch do that came too early. Where these are
        not the `whole` of what came together, activations that waited go on until it is.
        """
        came = {id(arrival): place for place, (arrival, _) in enumerate(found)}
        docket = _Docket(Batch(now), came, whole)
        for arrival, fact in waiting:
            if isinstance(fact, Fact):
                docket.early[fact.data.device_id].append((arrival, fact))
        for arrival, fact in found:
            if arrival.message.cursor is not None:
                cursor = arrival.message.cursor
                docket.batch.cursors[(arrival.intake, cursor.key)] = cursor
            if isinstance(fact, Defect):
                _quarantine(docket.batch, arrival, fact.reason, fact.detail, fact)
            elif objection := self._objection(fact, now):
                _quarantine(docket.batch, arrival, QuarantineReason.INVALID, objection, fact)
            elif self._is_new(docket.batch, arrival, fact, known):
                self._place(docket, arrival, fact, known)
        self._keep_waiting(docket, known)
        self._decide(docket, known)
        docket.batch.quarantined.sort(key=lambda each: came.get(id(each.arrival), -1))
        return docket.batch

    def _objection(self, fact: Fact, now: datetime) -> str | None:
        """Why a fact that can be read is not taken all the same."""
        if ahead := fact.ahead(now, self.acceptance.clock_tolerance):
            return f"{ahead} of this router's clock, {rfc3339(now, 'seconds')}"
        if self.acceptance.check_digits is CheckDigits.REFUSE and fact.misfit:
            return f"data: {fact.misfit}"
        return None

    def _place(self, docket: _Docket, arrival: Arrival, fact: Fact, known: Known) -> None:
        data, device_id = fact.data, fact.data.device_id
        if not isinstance(data, Hub) and device_id not in known.inventory.hubs:
            docket.early[device_id].append((arrival, fact))
        elif isinstance(data, Activation):
            self._open(docket, arrival, fact, known, waited=False)
        else:
            _apply(docket.batch, known, arrival, fact)
            self._take_along(docket, device_id, known)

    def _take_along(self, docket: _Docket, device_id: str, known: Known) -> None:
        """Those that waited for this hub or its first registration, registrations before others."""
        early = docket.early.pop(device_id, [])
        for then, each in sorted(early, key=lambda pair: isinstance(pair[1].data, Activation)):
            if id(then) not in docket.came and id(then) not in docket.asked:
                docket.asked.add(id(then))
                if not self._is_new(docket.batch, then, each, known):
                    continue
            if isinstance(each.data, Activation):
                self._open(docket, then, each, known, waited=True)
            else:
                self._place(docket, then, each, known)

    def _open(
        self, docket: _Docket, arrival: Arrival, fact: Fact, known: Known, *, waited: bool
    ) -> None:
        """An activation of a known hub is decided in this batch, or waits."""
        activation = fact.data
        assert isinstance(activation, Activation)
        device_id = activation.device_id
        if known.held.get(device_id):
            docket.behind[device_id].append((arrival, fact))
        elif self._waits(arrival, activation, known, docket.batch.decided_at):
            docket.early[device_id].append((arrival, fact))
        elif _lets_pass(docket, arrival, device_id, known, waited=waited):
            docket.behind[device_id].append((arrival, fact))
        else:
            # for one that waited, the registrations right behind are to count
            case = None if waited else self._case(activation, docket, known)
            docket.opened.append(_Opened(arrival, fact, activation, case))

    def _waits(self, arrival: Arrival, activation: Activation, known: Known, now: datetime) -> bool:
        """Whether an activation must wait for the first registration of its hub."""
        if known.inventory.was_registered(activation.device_id):
            return False
        waits = arrival.waits_as is QuarantineReason.NO_REGISTRATION
        since = arrival.waits_since if waits else None
        return now - (since or now) < self.acceptance.await_registration

    def _case(self, activation: Activation, docket: _Docket, known: Known) -> Case:
        home = known.inventory.home(activation.device_id)
        return Case.opened(activation, home, self.users, docket.batch.decided_at)

    def _keep_waiting(self, docket: _Docket, known: Known) -> None:
        """What is still too early goes to quarantine; or stays, now for its hub's registration."""
        for device_id, early in docket.early.items():
            reason = QuarantineReason.UNKNOWN_HUB
            detail = f"hub {device_id} is not in the inventory; waits for it"
            if device_id in known.inventory.hubs:
                reason = QuarantineReason.NO_REGISTRATION
                detail = f"hub {device_id} never had a registration; waits for the first"
            for arrival, fact in early:
                if id(arrival) in docket.came or arrival.waits_as is not reason:
                    _quarantine(docket.batch, arrival, reason, detail, fact)
        for device_id, behind in docket.behind.items():
            detail = (
                f"facts of hub {device_id} that came before have yet to be taken up; waits behind"
            )
            for arrival, fact in behind:
                if arrival.quarantined_id is None:  # the others stay as they are
                    _quarantine(
                        docket.batch, arrival, QuarantineReason.NO_REGISTRATION, detail, fact
                    )
        docket.batch.more = bool(docket.behind)

    def _is_new(self, batch: Batch, arrival: Arrival, fact: Fact, known: Known) -> bool:
        taken = known.taken.get(fact.key)
        waiting = known.waiting.get(fact.key)
        if any(seen not in {None, fact.content_digest} for seen in (taken, waiting)):
            detail = f"id {fact.id!r} of {fact.source!r} came before with other data"
            _quarantine(batch, arrival, QuarantineReason.CONFLICTING_ID, detail, fact)
            return False
        if taken is not None:
            if arrival.quarantined_id is not None:
                batch.resolved.append(arrival.quarantined_id)
            return False
        # A fact that comes back out of quarantine has itself left its digest there; the same
        # from a source is a redelivery, and what waits is the one that will be decided.
        if waiting is not None and arrival.quarantined_id is None:
            return False
        known.taken[fact.key] = fact.content_digest
        return True

    def _decide(self, docket: _Docket, known: Known) -> None:
        cases = [each.case or self._case(each.activation, docket, known) for each in docket.opened]
        matched = self.engine.evaluate([values for case in cases for values in case.values])
        position = 0
        for each, case in zip(docket.opened, cases, strict=True):
            hits = matched[position : position + len(case.values)]
            position += len(case.values)
            anomaly = next((hit for hit in hits if isinstance(hit, EngineAnomaly)), None)
            if anomaly is not None:
                reason = QuarantineReason.ENGINE
                _quarantine(docket.batch, each.arrival, reason, str(anomaly), each.fact)
                continue
            decided = case.decided(
                [hit for hit in hits if isinstance(hit, frozenset)], self.engine.rules
            )
            decided = _once(each.activation, decided, known)
            _note_running(docket.batch, known, each.activation)
            grounds, alerts = (case.hub, case.registrations), tuple(due(decided))
            _accept(
                docket.batch,
                Accepted(each.fact, each.arrival, Effect.DECIDED, grounds, tuple(decided), alerts),
            )


def _lets_pass(
    docket: _Docket, arrival: Arrival, device_id: str, known: Known, *, waited: bool
) -> bool:
    """Whether an activation goes behind others, though its hub is registered.

    None overtakes what waits for its hub; and what waited itself is not decided on part of what
    came together.
    """
    if arrival.quarantined_id is not None:
        return not docket.whole
    if device_id in known.held or device_id in docket.behind:
        return True
    return waited and not docket.whole


def _once(activation: Activation, decided: list[Decision], known: Known) -> list[Decision]:
    """The same, unless the activation was decided before under another event id.

    One that nobody could be told about bars no other: it may come again, as senders repeat what
    went wrong, when somebody is registered.
    """
    key = activation_key(activation)
    if key in known.activations:
        reason = "the same activation was decided under another event id"
        return [Decision(Verdict.SAME_ACTIVATION, reason=reason)]
    if any(each.verdict in ABOUT_SOMEBODY for each in decided):
        known.activations.add(key)
    return decided


def _accept(batch: Batch, accepted: Accepted) -> None:
    batch.accepted.append(accepted)
    if accepted.arrival.quarantined_id is not None:
        batch.resolved.append(accepted.arrival.quarantined_id)


def _quarantine(
    batch: Batch, arrival: Arrival, reason: QuarantineReason, detail: str, found: Fact | Defect
) -> None:
    batch.quarantined.append(Quarantined(arrival, reason, detail, found))


def _note_running(batch: Batch, known: Known, activation: Activation) -> None:
    """The newest successful activation is what the hub runs, whatever order they come in."""
    if activation.outcome is not ActivationOutcome.SUCCESS:
        return
    now = known.inventory.running.get(activation.device_id)
    if now is None or activation.activated_at > now.activated_at:
        running = Running(activation.firmware_version, activation.activated_at)
        known.inventory.running[activation.device_id] = running
        batch.running[activation.device_id] = running


def _apply(batch: Batch, known: Known, arrival: Arrival, fact: Fact) -> None:
    """Let a hub or registration fact change the inventory, unless a newer one already has."""
    assert fact.time is not None
    inventory = known.inventory
    data = fact.data
    effect = Effect.APPLIED
    if isinstance(data, Hub):
        if fact.time < inventory.hub_times.get(data.device_id, fact.time):
            effect = Effect.STALE
        else:
            inventory.put_hub(data, fact.time)
            batch.hubs[data.device_id] = (data, fact.time)
    elif isinstance(data, Registration):
        key = registration_key(data)
        if fact.time < inventory.registration_times.get(key, fact.time):
            effect = Effect.STALE
        else:
            inventory.put_registration(data, fact.time)
            batch.registrations[key] = (data, fact.time)
    _accept(batch, Accepted(fact, arrival, effect))
