"""The names of Service Users, for whoever only wants to call them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router.domain import eui
from router.files.yamlfile import read

USUAL = "service_users.yaml"


def user_names(file: Path) -> Mapping[str, str]:
    """By id, as the users file of the router says whose hubherald.yaml is `file`.

    What can't be read has no name: a mistake is for `check`, and keeps nobody from asking.
    """
    config = read(file, guarded=True).value
    users = config.get("service_users", USUAL) if isinstance(config, dict) else None
    if not isinstance(users, str):
        return {}
    found = read(file.absolute().parent / users, guarded=True).value
    listed = found.get("service_users") if isinstance(found, dict) else None
    return dict(filter(None, map(_named, listed if isinstance(listed, list) else [])))


def _named(user: Any) -> tuple[str, str] | None:
    if not isinstance(user, dict):
        return None
    known, name = user.get("id"), user.get("name")
    if not (isinstance(known, str) and isinstance(name, str)):
        return None
    try:
        return eui.eui64(known), name
    except ValueError:
        return None
