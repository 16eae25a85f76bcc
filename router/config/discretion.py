"""Every secret that the files of a configuration hold, for who must not tell one."""

from __future__ import annotations

from router.config.loading import Config
from router.ports.discretion import Discretion


def discretion_of(config: Config) -> Discretion:
    """What takes them out of texts."""
    own = (config.sources, config.operations, config.ledger, config.dcc)
    return Discretion(config.users, *own)
