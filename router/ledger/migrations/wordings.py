"""What migration 0012 says alike on SQLite and on PostgreSQL: how it abbreviates, and its views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# By the number of the character that stands for it; the first, which the others may hold, is the
# hub's id. Rows are written with these: another one needs another number, and none may change.
_HUB = {
    2: '{"device_id":"\x01","status":"Commissioned","smets_version":"SMETS2"',
    3: '{"device_id":"\x01","status":"Commissioned","smets_version":"SMETS1"',
    4: ',"csp_region":"',
    5: '","model":"',
    6: '","hardware_version":"',
    7: '","groups":[]}',
}
_REGISTRATIONS = {
    2: '{"device_id":"\x01","mpxn":"',
    3: '","point":"import_mpan","supplier_id":"',
    4: '","point":"export_mpan","supplier_id":"',
    5: '","point":"mprn","supplier_id":"',
    6: '","network_operator_id":"',
    7: '","effective_from":"',
    8: '","effective_to":"',
    11: '"},',
}
_BODY = {
    4: '"hubherald.firmware.activated.v1"',
    5: '"specversion"',
    6: '"datacontenttype"',
    7: '"application/json"',
    8: '"firmware_version"',
    11: '"previous_firmware_version"',
    14: '"activated_at"',
    15: '"device_id"',
    16: '"outcome"',
    17: '"success"',
}
# Tables have no short names here, so that a plan of a query says which it reads.
_EVALUATIONS = """
CREATE VIEW evaluations AS SELECT stored_evaluations.fact_id AS fact_id,
    stored_evaluations.decided_at AS decided_at,
    coalesce(stored_evaluations.rules_digest, standings.rules_digest) AS rules_digest,
    coalesce(stored_evaluations.users_digest, standings.users_digest) AS users_digest,
    {hub} AS hub,
    {registrations} AS registrations,
    stored_evaluations.link AS link
FROM stored_evaluations LEFT JOIN stored_facts ON stored_facts.id = stored_evaluations.fact_id
    LEFT JOIN standings ON standings.id = stored_evaluations.standing_id
"""
_DECISIONS = """
CREATE VIEW decisions AS SELECT stored_decisions.id AS id, stored_decisions.fact_id AS fact_id,
    stored_decisions.party_id AS party_id,
    coalesce(stored_decisions.role, verdicts.role) AS role,
    coalesce(stored_decisions.verdict, verdicts.verdict) AS verdict,
    coalesce(stored_decisions.rule, verdicts.rule) AS rule,
    coalesce(stored_decisions.reason, verdicts.reason) AS reason,
    coalesce(stored_decisions.alert_code, verdicts.alert_code) AS alert_code,
    stored_decisions.link AS link
FROM stored_decisions LEFT JOIN verdicts ON verdicts.id = stored_decisions.verdict_id
"""
_ALERTS = """
CREATE VIEW alerts AS SELECT stored_alerts.id AS id, stored_alerts.alert_id AS alert_id,
    stored_alerts.fact_id AS fact_id, stored_alerts.service_user_id AS service_user_id,
    stored_alerts.sequence AS sequence, stored_facts.device_id AS device_id,
    stored_alerts.decided_at AS decided_at,
    coalesce(stored_alerts.event, (
        SELECT {event} FROM wordings
        WHERE wordings.id = stored_alerts.wording_id
    )) AS event,
    stored_alerts.link AS link
FROM stored_alerts LEFT JOIN stored_facts ON stored_facts.id = stored_alerts.fact_id
"""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a database has other words for; `{}` stands for what is spelt."""

    character: str
    """The function that makes a character of its number."""
    event: str
    """The bytes of a text that is made by a template."""
    moment: str
    """Microseconds since 1970 as RFC 3339 has them."""

    def views(self, facts: str, body: str) -> Sequence[str]:
        """Each record whole, under its table's old name; `body` is an abbreviated fact."""
        quoted = {2: "'\"' || source || '\"'", 3: "'\"' || event_id || '\"'", 1: "device_id"}
        known = {number: self._literal(text) for number, text in _BODY.items()}
        hub = self._whole("stored_evaluations.hub", _HUB)
        registrations = self._whole("stored_evaluations.registrations", _REGISTRATIONS)
        return (
            facts.format(body=self._replaced(body, known | quoted)),
            _EVALUATIONS.format(hub=hub, registrations=registrations),
            _DECISIONS,
            _ALERTS.format(event=self.event.format(self._values())),
        )

    def _replaced(self, text: str, values: dict[int, str]) -> str:
        for number, value in values.items():
            text = f"replace({text}, {self.character}({number}), {value})"
        return text

    def _whole(self, column: str, phrases: dict[int, str]) -> str:
        known = {number: self._literal(text) for number, text in phrases.items()}
        return self._replaced(column, {**known, 1: "stored_facts.device_id"})

    def _literal(self, text: str) -> str:
        return "'" + text.replace("\x01", f"' || {self.character}(1) || '") + "'"

    def _values(self) -> str:
        quoted = "'\"' || stored_alerts.previous_firmware_version || '\"'"
        return ", ".join(
            (
                "wordings.template",
                "stored_alerts.alert_id",
                "stored_facts.device_id",
                self.moment.format("stored_alerts.decided_at"),
                "stored_facts.device_id",
                "stored_facts.firmware_version",
                f"coalesce({quoted}, 'null')",
                self.moment.format("stored_facts.activated_at"),
                "stored_alerts.service_user_id",
                "stored_alerts.sequence",
            )
        )
