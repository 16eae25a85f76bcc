"""`hubherald simulate`: a made-up estate."""

from __future__ import annotations

from pathlib import Path

import click

from router.cli.bar import Bar
from router.cli.printing import as_object, line, output
from router.files.counts import plural
from router.simulation import simulate
from router.workbench.starter import shipped_rules

MOST = 100_000_000
"""Of anything that is made up."""


@click.command("simulate")
@click.option("--hubs", type=click.IntRange(1, MOST), required=True, help="So many hubs.")
@click.option("--users", type=click.IntRange(1, MOST), required=True, help="So many Service Users.")
@click.option(
    "--activations", type=click.IntRange(0, MOST), required=True, help="So many activations."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same gives the same.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where to: a new or empty folder.",
)
@output
def command(*, hubs: int, users: int, activations: int, seed: int, out: Path, output: str) -> None:
    """Make up an estate, its files and facts, for trials and benchmarks.

    Writes hubs.csv, registrations.csv, service_users.yaml, hubherald.yaml, rules/,
    inbox/facts.jsonl and expected.json: the Alerts that must follow, by code that shares
    nothing with the router.

    \b
    Example:
      hubherald simulate --hubs 1000 --users 20 --activations 500 --seed 1 --out estate
      cd estate
      hubherald inventory import --hubs hubs.csv --registrations registrations.csv
      hubherald run --until-idle
    """
    with Bar("simulating", hubs + activations) as bar:
        made = simulate(
            hubs, users, activations, seed, out, rules=shipped_rules(), progress=bar.advance
        )
    if output == "json":
        counts = ("hubs", "registrations", "users", "activations")
        as_object({"folder": out, **{name: getattr(made, name) for name in counts}})
        return
    line(
        f"{out}: {plural(made.hubs, 'hub')}, {plural(made.registrations, 'registration')}, "
        f"{plural(made.users, 'Service User')}, {plural(made.activations, 'activation')}"
    )
