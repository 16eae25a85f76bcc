"""`hubherald schema`: what facts and files may hold, for programs."""

from __future__ import annotations

import json

import click

from router.cli.printing import raw

WHAT = ("fact", "rules", "users", "config")


@click.command("schema")
@click.argument("what", type=click.Choice(WHAT))
def command(what: str) -> None:
    """Print a JSON Schema of facts, of rules, of service_users.yaml or of hubherald.yaml.

    \b
    Example:
      hubherald schema rules > rules/.schema.json
    and as the first line of a file of rules, for editors with a YAML language server:
      # yaml-language-server: $schema=.schema.json
    """
    from router.workbench.schema import SCHEMAS

    raw(json.dumps(SCHEMAS[what](), indent=2) + "\n")
