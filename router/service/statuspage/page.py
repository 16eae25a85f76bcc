"""The status page: reads the ledger aside and shows what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import htpy as h

from router.errors import LedgerError
from router.ledger.database import Database, Use, open_database
from router.ledger.queries.homes import find_home
from router.ledger.queries.lists import list_alerts
from router.ledger.queries.overview import overview
from router.ledger.queries.wanted import Filter
from router.ledger.queries.why import why
from router.service.endpoint import Page
from router.service.statuspage import hub as hubs
from router.service.statuspage import recipient as recipients
from router.service.statuspage.layout import LONGEST, POLICY, banner, document, facts, search
from router.service.statuspage.overview import front_page
from router.service.statuspage.search import HubAsked, Several, UserAsked, understand
from router.service.statuspage.state import RouterState

LONGEST_READ = 5.0
"""Seconds for which the ledger is read for one page."""
MOST_WAITING = 5
"""Pages that are made or wait for it; each takes the time of the router's own process."""


class StatusPage:
    """Answers what browsers ask, one after the other, with a connection of its own."""

    def __init__(
        self, ledger_url: str, state: Callable[[], RouterState], *, password: str | None = None
    ) -> None:
        self._ledger_url = ledger_url
        self._password = password
        self._state = state
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def answer(self, asked: str) -> Page:
        """The front page, or what the words in the search field find; 404 when that is nothing."""
        if self._waiting >= MOST_WAITING:
            return Page(503, "too many are looking at this page: try again\n", POLICY)
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                state = self._state()
                return await asyncio.to_thread(self._make, asked[:LONGEST].strip(), state)
        finally:
            self._waiting -= 1

    def _make(self, asked: str, state: RouterState) -> Page:
        try:
            if state.lost is not None:
                raise LedgerError(state.lost)  # whoever opens what stands there may spoil it
            database = open_database(self._ledger_url, Use.READ, password=self._password)
            try:
                database.give_up_after(LONGEST_READ)
                status, title, main = _view(database, asked, state)
            finally:
                database.close()
        except LedgerError as error:
            status, title, main = 200, "Status", front_page(state, None, str(error))
        html = document(title, asked=asked, version=state.version, now=state.now, main=main)
        return Page(status, html, POLICY)


def _view(database: Database, asked: str, state: RouterState) -> tuple[int, str, h.Node]:
    seen = overview(database)
    if not asked:
        return 200, "Status", front_page(state, seen, None)
    users = state.config.users.by_id
    match understand(asked, users, {lane.service_user_id for lane in seen.lanes}):
        case UserAsked(service_user_id):
            lanes = [lane for lane in seen.lanes if lane.service_user_id == service_user_id]
            newest = list_alerts(database, Filter(user=service_user_id), limit=recipients.NEWEST)
            title = users[service_user_id].name if service_user_id in users else service_user_id
            view = recipients.recipient(
                service_user_id, state, lanes, parked=seen.parked, newest=newest
            )
            return 200, title, view
        case HubAsked(device_id):
            told = why(database, device_id, newest=hubs.NEWEST)
            home = find_home(database, device_id)
            if not told and home is None:
                return _nothing(f"Nothing is known about a hub or Service User {device_id}")
            return 200, device_id, hubs.hub(device_id, told, home, names=state.names, now=state.now)
        case Several(found):
            if not found:
                return _nothing("No Service User has a name like this, and it is no Device ID")
            listed = ((user.name, search(user.id)) for user in found)
            return 200, asked, [h.h1["Service Users"], facts(listed)]


def _nothing(words: str) -> tuple[int, str, h.Node]:
    advice = "Give a Device ID such as 90-B3-D5-1F-30-01-00-00, or a Service User by id or name."
    return 404, "Nothing found", [h.h1["Nothing found"], banner("wait", words, h.p[advice])]
