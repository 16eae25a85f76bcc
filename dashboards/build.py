"""Writes the dashboards into grafana/*.json: `python dashboards/build.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.delivery import delivery
from dashboards.intake import intake
from dashboards.overview import overview
from dashboards.recipients import recipients
from dashboards.rules import rules

FOLDER = Path(__file__).parent / "grafana"


def build() -> dict[str, str]:
    """Each dashboard's file name, and what belongs in it."""
    encoder = JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False)
    made = (overview(), recipients(), rules(), delivery(), intake())
    return {f"{each.uid}.json": f"{encoder.encode(each)}\n" for each in made}


def main() -> int:
    """Write what is new or has changed, and take away what is no more."""
    files = build()
    for stale in {file.name for file in FOLDER.glob("*.json")} - files.keys():
        (FOLDER / stale).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
