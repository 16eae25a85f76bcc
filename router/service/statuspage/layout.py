"""What all views share: the document around them, tables, moments, links.

Links are relative: a proxy may have the page below any path that ends in a slash.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import htpy as h
from markupsafe import Markup

from router.domain.timestamps import lasting, rfc3339
from router.files.redaction import escaped

STYLE = (Path(__file__).parent / "style.css").read_text()
_DIGEST = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: this style and nothing else; no script, no picture, no frame."""
LONGEST = 100
"""Characters of a question."""


def document(title: str, *, asked: str, version: str, now: datetime, main: h.Node) -> str:
    """The whole page, as HTML."""
    return str(
        h.html(lang="en-GB")[
            h.head[
                h.meta(charset="utf-8"),
                h.meta(name="viewport", content="width=device-width, initial-scale=1"),
                h.title[f"{title} · Hubherald"],
                h.style[Markup(STYLE)],  # noqa: S704 - our own file; its digest is in the policy
            ],
            h.body[
                h.header[
                    h.a(".name", href=".")["Hubherald"],
                    h.form(action=".", method="get", role="search")[
                        h.label(for_="q")["Device ID, or Service User by id or name"],
                        h.input(
                            id="q",
                            name="q",
                            type="search",
                            value=asked,
                            maxlength=LONGEST,
                            autocomplete="off",
                            spellcheck="false",
                        ),
                        h.button(type="submit")["Search"],
                    ],
                ],
                h.main[main],
                h.footer[
                    f"Hubherald {version}. As of ",
                    to_the_second(now),
                    ". Times are UTC. This page changes nothing: operators work with ",
                    h.code["hubherald --help"],
                    ". ",
                    h.a(href="metrics")["Metrics"],
                ],
            ],
        ]
    )


def banner(kind: str, words: str, more: h.Node = None) -> h.Renderable:
    """How something stands, first of all in words; `kind` is good, wait or bad."""
    return h.div(class_=["banner", kind])[h.p[h.strong[words]], more]


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[h.Node]], *, more: h.Node = None
) -> h.Renderable:
    """Rows with the first cell as their head; on a narrow screen each row is a card.

    Roles are written out: a table that is laid out otherwise is none to a screen reader.
    """
    lines = list(rows)
    return h.fragment[
        h.table(role="table")[
            h.caption[caption],
            h.thead(role="rowgroup")[
                h.tr(role="row")[(h.th(scope="col", role="columnheader")[head] for head in heads)]
            ],
            h.tbody(role="rowgroup")[(_row(heads, cells) for cells in lines)],
        ],
        more,
    ]


def _row(heads: Sequence[str], cells: Sequence[h.Node]) -> h.Renderable:
    first, *others = cells
    return h.tr(role="row")[
        h.th(scope="row", role="rowheader")[first],
        (
            h.td(role="cell", data_label=head)[h.span[cell]]
            for head, cell in zip(heads[1:], others, strict=True)
        ),
    ]


def to_the_second(at: datetime | None) -> h.Node:
    """A moment, as precisely as people want it."""
    if at is None:
        return "-"
    return h.time(datetime=rfc3339(at))[f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"]


def ago(at: datetime | None, now: datetime) -> h.Node:
    """A moment, and how long ago that is."""
    return to_the_second(at) if at is None else [to_the_second(at), f" ({lasting(now - at)} ago)"]


def clean(text: str | None) -> str:
    """Text from outside, as it may be shown."""
    return escaped(text or "")


def search(words: str, shown: h.Node = None) -> h.Renderable:
    """A link to what these words find."""
    return h.a(".id", href=f"?{urlencode({'q': words})}")[shown or words]


def who(service_user_id: str, names: Mapping[str, str]) -> h.Node:
    """A party by id; a Service User by name too, and linked."""
    if service_user_id not in names:
        return h.span(".id")[service_user_id]
    return [h.span(".who")[names[service_user_id]], " ", search(service_user_id)]


def facts(pairs: Iterable[tuple[h.Node, h.Node]]) -> h.Renderable:
    """What there is to say, each under its name."""
    return h.dl[((h.dt[name], h.dd[value]) for name, value in pairs)]
