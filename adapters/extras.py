"""Packages that one adapter alone needs: extras of the distribution, which may not be there."""

from __future__ import annotations

from importlib.util import find_spec


def missing(package: str, extra: str) -> str | None:
    """What to say, and do, where a package is not installed; None where it is."""
    if find_spec(package) is not None:
        return None
    how = f"run: pip install 'hubherald[{extra}]', then restart the router"
    return f"needs the package {package}, which is not installed; {how}"
