"""What was decided, as records: facts, grounds, decisions, Alerts and their deliveries.

Rows are tuples in the order of their columns: of one fact there are twenty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count

from sqlalchemy import Connection, select

from router.deciding.batch import Accepted, Standing
from router.deciding.decisions import Due
from router.domain.facts import Activation, Fact
from router.domain.timestamps import stamp
from router.ledger.claims import NewDelivery, NewOnLane
from router.ledger.dialects import upsert
from router.ledger.packing import Packer
from router.ledger.prepared import Prepared, among, listed
from router.ledger.quarantine import arrival_values
from router.ledger.recorder import Recorder
from router.ledger.tables import alerts, decisions, evaluations, facts, sequences
from router.ports import Alert
from router.ports.alerts import alert_id

_SEQUENCES = Prepared(
    select(sequences.c.service_user_id, sequences.c.last).where(
        sequences.c.service_user_id.in_(among("users"))
    ),
    ("users",),
)
_GIVEN = upsert(sequences)
_NUMBERED = Prepared(
    _GIVEN.on_conflict_do_update(
        index_elements=["service_user_id"], set_={"last": _GIVEN.excluded.last}
    ),
    ("service_user_id", "last"),
)


def add_accepted(
    recorder: Recorder, accepted: Sequence[Accepted], decided_at: datetime, standing: Standing
) -> Mapping[int, NewOnLane]:
    """Adds facts, and all that was decided on them; gives by lane what is to be delivered."""
    packer = Packer(recorder.connection)
    due: list[tuple[int, Accepted]] = []
    for each in accepted:
        number = _add_fact(recorder, packer, each)
        if each.grounds is not None:
            _add_grounds(recorder, packer, number, each, standing)
            _add_decisions(recorder, packer, number, each)
            due.append((number, each))
    return _add_alerts(recorder, packer, due, decided_at, standing)


def _add_fact(recorder: Recorder, packer: Packer, accepted: Accepted) -> int:
    fact, data = accepted.fact, accepted.fact.data
    activation = data if isinstance(data, Activation) else None
    number = recorder.number(facts)
    row = (
        *(number, fact.source, fact.id, data.type.value, data.device_id, accepted.effect.value),
        activation.firmware_version if activation else None,
        stamp(activation.activated_at) if activation else None,
        activation.outcome.value if activation else None,
        *arrival_values(accepted.arrival),
        *(fact.content_digest, fact.body, recorder.link),
    )
    recorder.put(facts, row, packer.fact(row))
    return number


def _add_grounds(
    recorder: Recorder, packer: Packer, fact_id: int, accepted: Accepted, standing: Standing
) -> None:
    assert accepted.grounds is not None
    hub, registered = accepted.grounds
    told = ",".join([each.model_dump_json(exclude_none=True) for each in registered])
    row = (
        *(fact_id, recorder.at, standing.rules_digest, standing.users_digest),
        *(hub.model_dump_json(exclude_none=True), f"[{told}]", recorder.link),
    )
    recorder.put(evaluations, row, packer.evaluation(row, accepted.fact.data.device_id))


def _add_decisions(recorder: Recorder, packer: Packer, fact_id: int, accepted: Accepted) -> None:
    for each in accepted.decisions:
        party = each.party
        row = (
            *(recorder.number(decisions), fact_id, party.id if party else None),
            *(party.role.value if party else None, each.verdict.value),
            *(each.rule, each.reason, each.alert_code, recorder.link),
        )
        recorder.put(decisions, row, packer.decision(row))


def _add_alerts(
    recorder: Recorder,
    packer: Packer,
    decided: Sequence[tuple[int, Accepted]],
    decided_at: datetime,
    standing: Standing,
) -> Mapping[int, NewOnLane]:
    """Adds the Alerts, with their sequences; gives their deliveries, which have no rows yet."""
    at, link = recorder.at, recorder.link
    numbers = _next_sequences(recorder.connection, [each for _, each in decided])
    new = {
        lane.id: NewOnLane(lane.id, decided_at + lane.hold)
        for user in numbers
        for lane in standing.lanes.get(user, ())
    }
    for fact_id, accepted in decided:
        for each in accepted.due:
            sequence = next(numbers[each.service_user_id])
            alert = _alert(accepted.fact, each, sequence, decided_at, standing)
            event, wording, previous = packer.event(alert)
            number = recorder.number(alerts)
            own = (number, str(alert.id), fact_id, alert.service_user_id, alert.sequence)
            recorder.put(
                alerts,
                (*own, alert.device_id, at, event, link),
                (*own, at, event if wording is None else None, link, wording, previous),
            )
            delivery = NewDelivery(number, alert, event, accepted.arrival.received_at)
            for lane in standing.lanes.get(alert.service_user_id, ()):
                new[lane.id].deliveries.append(delivery)
    return {number: lane for number, lane in new.items() if lane.deliveries}


def _alert(fact: Fact, due: Due, sequence: int, decided_at: datetime, standing: Standing) -> Alert:
    activation = fact.data
    assert isinstance(activation, Activation)
    return Alert(
        id=alert_id(fact.source, fact.id, due.service_user_id, due.alert_code),
        alert_code=due.alert_code,
        dcc_id=standing.dcc_id,
        service_user_id=due.service_user_id,
        device_id=activation.device_id,
        firmware_version=activation.firmware_version,
        previous_firmware_version=activation.previous_firmware_version,
        activated_at=activation.activated_at,
        decided_at=decided_at,
        roles=tuple(due.rules),
        rules=due.rules,
        sequence=sequence,
        rules_digest=standing.rules_digest,
    )


def _next_sequences(
    connection: Connection, accepted: Sequence[Accepted]
) -> dict[str, Iterator[int]]:
    """The next numbers of each user, gapless, in the sorted order of users (a row lock each)."""
    wanted = Counter(due.service_user_id for each in accepted for due in each.due)
    if not wanted:
        return {}
    last: dict[str, int] = dict(_SEQUENCES.ask(connection, listed(sorted(wanted))))
    given = {user: last.get(user, 0) + number for user, number in sorted(wanted.items())}
    _NUMBERED.run(connection, list(given.items()))
    return {user: count(last.get(user, 0) + 1) for user in given}
