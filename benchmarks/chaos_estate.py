"""The estate of a chaos run: its files, its Service Users in many shapes, its facts and imports.

Each home is one hub with one import meter point, so that for each moment exactly one company may be
told. Whatever changes that (an import) has a file of its own, whose name the ledger keeps with the
import: the order of such records in the ledger is the order in which things became true.
"""

from __future__ import annotations

import csv
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

RULES = Path(__file__).parents[1] / "rules"
SOURCE = "chaos"
USERS = 8
COPY = "copy"
"""The name of the second channel that a user has for a while."""
Channel = dict[str, Any]
User = dict[str, Any]


def eui(number: int) -> str:
    """An EUI-64 as it is written."""
    return "-".join(f"{octet:02X}" for octet in number.to_bytes(8, "big"))


def user_id(number: int) -> str:
    """The Service User of this number, from 1."""
    return eui(0x90B3D51F30010000 + number)


def device_id(number: int) -> str:
    """The hub of this number, from 1."""
    return eui(0x00155F0000000000 + number)


def mpan(number: int) -> str:
    """A meter point number with its check digit."""
    digits = [int(each) for each in f"{number:012d}"]
    weights = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
    check = sum(a * b for a, b in zip(digits, weights, strict=True)) % 11 % 10
    return f"{number:012d}{check}"


def free_port() -> int:
    """A port that nobody listens at now; `reload` asks the router there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def now() -> str:
    """The moment as facts say it."""
    return datetime.now(UTC).isoformat()


@dataclass
class Home:
    """One hub, and who supplies its home as the files say so far."""

    number: int
    supplier: int
    since: date = date(2020, 1, 1)
    activations: int = 0

    @property
    def device(self) -> str:
        return device_id(self.number)


@dataclass
class Sent:
    """What was fed in."""

    homes: dict[str, Home] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    """By hub: the supplier that its first registration names, and the only one of a fact."""
    activations: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By hub and version: the ids of the facts that say so."""
    broken: int = 0
    """Lines that are no fact at all."""
    imports: dict[str, dict[str, str]] = field(default_factory=dict)
    """By file of registrations: hub to the supplier that it names."""
    lines: int = 0


class Estate:
    """The folder of one run; everything that is written goes through here."""

    def __init__(self, folder: Path, url: str, broker: str | None, draw: Random) -> None:
        self.folder = folder
        self.url = url
        self.broker = broker
        self.draw = draw
        self.sent = Sent()
        self._facts = 0
        (folder / "inbox").mkdir(parents=True)
        config = {
            "sources": {"drop": {"adapter": "folder", "path": "inbox/", "poll": 0.05}},
            "rules": str(RULES),
            "service_users": "service_users.yaml",
            "ledger": {"url": "sqlite:///hubherald.db"},
            "dcc": {"id": "90-B3-D5-1F-30-00-00-02"},
            "operations": {"listen": f"127.0.0.1:{free_port()}"},
        }
        (folder / "hubherald.yaml").write_text(json.dumps(config))

    def write_users(self, users: Sequence[User]) -> str:
        """Put these users in place at once; gives the text."""
        return self.write_text(json.dumps({"service_users": users}) + "\n")

    def write_text(self, text: str) -> str:
        """Put this file of users in place at once, right or wrong."""
        aside = self.folder / ".service_users"
        aside.write_text(text)
        aside.replace(self.folder / "service_users.yaml")
        return text

    # --- users --------------------------------------------------------------------------------

    def usual(self) -> list[User]:
        """The users as they are at the start and at the end."""
        folder = {"adapter": "folder", "name": "main", "path": "alerts/4"}
        eighth: Channel = {"adapter": "folder", "name": "main", "path": "alerts/8"}
        if self.broker is not None:
            queue = {"exchange": "", "routing_key": "chaos", "batch": 5}
            eighth = {"adapter": "rabbitmq", "name": "main", "url": self.broker, **queue}
        channels: list[Channel] = [
            self.webhook("1/strict", window=1),
            self.webhook("2/wide", window=16),
            self.webhook("3/batch", batch=20, window=2),
            folder,
            self.webhook("5/rate", window=4, rate=20),
            {"adapter": "webhook", "url": f"{self.url}/6/unnamed"},
            self.webhook("7/small", batch=3, window=4),
            eighth,
        ]
        return [
            {
                "id": user_id(number),
                "name": f"User {number}",
                "roles": ["import_supplier"],
                "channels": [channel],
            }
            for number, channel in enumerate(channels, 1)
        ]

    def webhook(self, path: str, **options: object) -> Channel:
        """A webhook channel to our receiver."""
        return {"adapter": "webhook", "name": "main", "url": f"{self.url}/{path}", **options}

    def changed(self) -> tuple[str, list[User]]:
        """The usual users with one or two changes that an operator may make."""
        users = self.usual()
        elsewhere = self.webhook("2/moved", window=8)
        files = {"adapter": "folder", "name": "main", "path": "alerts/2"}
        second = {"adapter": "webhook", "name": COPY, "url": f"{self.url}/4/{COPY}"}
        changes: list[tuple[str, int, User]] = [
            ("the address of 2", 2, {"channels": [elsewhere]}),
            ("2 from webhook to folder, same name", 2, {"channels": [files]}),
            ("3 takes fewer in a batch", 3, {"channels": [self.webhook("3/batch", batch=7)]}),
            ("3 takes one by one", 3, {"channels": [self.webhook("3/single")]}),
            ("4 from folder to webhook", 4, {"channels": [self.webhook("4/http", batch=4)]}),
            ("4 has a second channel", 4, {"channels": [*users[3]["channels"], second]}),
            ("5 is suspended", 5, {"status": "suspended"}),
            ("1 is suspended", 1, {"status": "suspended"}),
            ("6 to a folder, another name", 6, {"channels": [{**files, "path": "alerts/6"}]}),
            ("6 to another name", 6, {"channels": [self.webhook("6/named")]}),
            ("8 to webhook", 8, {"channels": [self.webhook("8/http")]}),
            ("7 is removed", 7, {"id": ""}),
        ]
        picked = self.draw.sample(changes, self.draw.choice((1, 1, 2, 3)))
        for _, number, change in picked:
            users[number - 1] = {**users[number - 1], **change}
        return "; ".join(name for name, _, _ in picked), [each for each in users if each["id"]]

    # --- facts --------------------------------------------------------------------------------

    def home(self) -> Home:
        """One more home, of which nobody has heard yet."""
        home = Home(len(self.sent.homes) + 1, self.draw.randint(1, USERS))
        self.sent.homes[home.device] = home
        self.sent.first[home.device] = user_id(home.supplier)
        return home

    def hub(self, home: Home) -> str:
        """The fact that the hub is there."""
        data = {"device_id": home.device, "status": "Commissioned", "smets_version": "SMETS2"}
        return self._fact("hub.updated", data)

    def registration(self, home: Home) -> str:
        """The fact that its home has a supplier."""
        data = {
            "device_id": home.device,
            "mpxn": mpan(home.number),
            "point": "import_mpan",
            "supplier_id": user_id(home.supplier),
            "network_operator_id": None,
            "effective_from": home.since.isoformat(),
            "effective_to": None,
        }
        return self._fact("registration.updated", data)

    def activation(self, home: Home) -> list[str]:
        """A new version runs: one line, or two that say the same under one id or under two."""
        home.activations += 1
        version = f"{len(self.sent.activations) + 1:08d}"
        data = {
            "device_id": home.device,
            "firmware_version": version,
            "activated_at": now(),
            "outcome": "success",
        }
        lines = [self._fact("firmware.activated", data)]
        said = self.draw.random()
        if said < 0.05:
            lines.append(lines[0])
        elif said < 0.10:
            lines.append(self._fact("firmware.activated", data))
        ids = [str(json.loads(line)["id"]) for line in lines]
        self.sent.activations[(home.device, version)] = sorted(set(ids))
        return lines

    def put(self, lines: Sequence[str]) -> None:
        """Append to one of the files in the inbox; what is there is never changed."""
        with (self.folder / "inbox" / f"facts-{self.draw.randint(1, 4)}.jsonl").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
        self.sent.lines += len(lines)

    def _fact(self, kind: str, data: dict[str, Any]) -> str:
        self._facts += 1
        event = {
            "specversion": "1.0",
            "id": f"f{self._facts}",
            "source": SOURCE,
            "type": f"hubherald.{kind}.v1",
            "time": now(),
            "data": data,
        }
        return json.dumps(event)

    # --- imports ------------------------------------------------------------------------------

    def import_file(self, number: int, homes: Sequence[Home]) -> list[str]:
        """Write an import that gives each of these homes another supplier, from the day of the
        last one on or from the next; gives the words of the command."""
        names = (f"hubs-{number}.csv", f"registrations-{number}.csv")
        hubs = [(each.device, "Commissioned", "SMETS2") for each in homes]
        rows = []
        for home in homes:
            home.supplier = (home.supplier + self.draw.choice((0, 0, 0, 1))) % USERS + 1
            home.since += timedelta(days=self.draw.randint(0, 1))
            point = (home.device, mpan(home.number), "import_mpan", user_id(home.supplier))
            rows.append((*point, "", home.since.isoformat(), ""))
        registered = "device_id,mpxn,point,supplier_id,network_operator_id"
        self._sheet(names[0], "device_id,status,smets_version", hubs)
        self._sheet(names[1], f"{registered},effective_from,effective_to", rows)
        self.sent.imports[names[1]] = {each.device: user_id(each.supplier) for each in homes}
        return ["inventory", "import", "--hubs", names[0], "--registrations", names[1]]

    def _sheet(self, name: str, head: str, rows: Sequence[Sequence[str]]) -> None:
        with (self.folder / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head.split(","))
            writer.writerows(rows)
