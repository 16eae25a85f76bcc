"""What all tests share: how hard hypothesis tries, one RabbitMQ node, the DCC's tools."""

import os
from collections.abc import Iterator

import pytest
from broker import Broker
from dcc import Parser, Validator, parsing, validating
from hypothesis import settings

# No deadline: tests do not assert on time. In CI a run must mean the same when it is run again.
settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
# for the other versions of Python, after a whole run on one of them
settings.register_profile("brief", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A private RabbitMQ node; whoever stops it starts it again."""
    with Broker() as running:
        yield running


@pytest.fixture(scope="session")
def validator() -> Iterator[Validator]:
    """Says whether the DCC would take a message."""
    with validating() as started:
        yield started


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    """Says what Service Users' software makes of a message."""
    with parsing() as started:
        yield started
