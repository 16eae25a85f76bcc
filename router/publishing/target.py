"""Which source of hubherald.yaml facts are published to."""

from __future__ import annotations

from router.config.loading import Sourced
from router.config.unready import UnreadyOptions
from router.entrypoints import SOURCES, installed
from router.errors import UsageError
from router.ports import Aimed, Publisher, Publishes


def publisher_of(settings: Sourced, name: str | None) -> Publisher:
    """The publisher of source `name`, or of the only one that has one. UsageError when unclear."""
    able = {}
    for each, configured in settings.sources.items():
        if isinstance(configured.options, UnreadyOptions):
            if name in {each, None}:
                raise UsageError(f"{settings.file}: source {each}: {configured.options.why}")
            continue
        kind = installed(SOURCES)[configured.adapter].load()
        source = kind(each, configured.options)
        if isinstance(source, Publishes):
            able[each] = source
    names = ", ".join(able)
    if not able:
        raise UsageError(
            f"{settings.file} has no source that facts can be published to; add this line below"
            ' `sources:`, with your broker:  dsp: {adapter: rabbitmq, url: "amqp://localhost/"}'
        )
    if name is not None and name not in able:
        raise UsageError(f"no facts can be published to {name!r}, only to: {names}")
    if name is None and len(able) > 1:
        raise UsageError(f"facts can be published to several sources: {names}; say --source NAME")
    return able[name or next(iter(able))].publisher()


def target_of(publisher: Publisher) -> str:
    """Where it puts facts, for people."""
    return publisher.target if isinstance(publisher, Aimed) else "the source"
