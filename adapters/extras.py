"""Packages that one adapter alone needs: extras of the distribution, which may not be there."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from router.ports import Aside


def missing(package: str, extra: str) -> str | None:
    """What to say, and do, where a package is not installed; None where it is."""
    if find_spec(package) is not None:
        return None
    how = f"run: pip install 'hubherald[{extra}]', then restart the router"
    return f"needs the package {package}, which is not installed; {how}"


async def loaded(module: str) -> None:
    """Have one of our modules, and the package that it needs, imported beside the event loop."""
    if module not in sys.modules:
        await Aside("import").call(import_module, module)
