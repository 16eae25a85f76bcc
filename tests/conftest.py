"""What all tests share: how hard hypothesis tries, and one RabbitMQ node."""

import os
from collections.abc import Iterator

import pytest
from broker import Broker
from hypothesis import settings

# No deadline: tests do not assert on time. In CI a run must mean the same when it is run again.
settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A private RabbitMQ node; whoever stops it starts it again."""
    with Broker() as running:
        yield running
