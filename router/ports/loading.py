"""Other people's code before it runs: imported and asked in a thread, whatever it raises.

In a thread, since what raises SystemExit or KeyboardInterrupt there ends nobody, a Ctrl-C stays the
operator's own, and what never comes back keeps nobody for longer than it may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from router.entrypoints import ADAPTERS
from router.ports.aside import Aside
from router.ports.options import RESERVED, Options
from router.ports.origins import AdapterError, origin_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

LOAD_S = 30.0
"""Seconds that it has to be imported, or to look at its options."""
OWN = {ADAPTERS: RESERVED}
"""By group: the names of options that the router keeps for itself, beside `adapter`."""
T = TypeVar("T")


class TheirError(Exception):
    """Whatever somebody else's code raised, also what would end a process."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def caught(function: Callable[[], T]) -> Callable[[], T]:
    """The same, but what it raises comes as TheirError."""

    def guarded() -> T:
        try:
            return function()
        except BaseException as error:
            raise TheirError(error) from error

    return guarded


def aside(function: Callable[[], T]) -> T:
    """What it gives. TheirError for whatever it raises, TimeoutError when it hangs."""
    thread = Aside("loading")
    try:
        return thread.submit(caught(function)).result(LOAD_S)
    finally:
        thread.shutdown()


def load(point: EntryPoint) -> Any:
    """The class behind an entry point. AdapterError, in words, where there is none."""
    origin = origin_of(point)
    try:
        found = aside(point.load)
    except TheirError as raised:
        raise AdapterError(origin.blamed("can't be imported", raised.error)) from raised.error
    except TimeoutError:
        raise AdapterError(origin.blamed(f"was not imported within {LOAD_S:g} s")) from None
    if not isinstance(found, type):
        raise AdapterError(origin.blamed(f"is no class, but a {type(found).__name__}"))
    return found


def options_of(point: EntryPoint) -> type[Options]:
    """The model of what it takes in the files. AdapterError where it has none, or a wrong one."""
    found, origin = load(point), origin_of(point)
    try:
        model = aside(lambda: found.Config)
        if not (isinstance(model, type) and issubclass(model, Options)):
            raise AdapterError(origin.blamed("has no `Config` made from router.ports.Options"))
        taken = sorted(aside(lambda: _names(model)) & (OWN.get(point.group, set()) | {"adapter"}))
    except TheirError as raised:
        raise AdapterError(origin.blamed("has a broken `Config`", raised.error)) from raised.error
    except TimeoutError:
        raise AdapterError(origin.blamed("has a `Config` that does not answer")) from None
    if taken:
        names = " and ".join(f"`{name}`" for name in taken)
        what = f"calls an option {names}, which the router keeps for itself in every channel"
        raise AdapterError(origin.blamed(what, advice="call it otherwise"))
    return model


def described(point: EntryPoint, model: type[Options]) -> dict[str, Any]:
    """The JSON Schema of the options. AdapterError where it can't be made."""
    try:
        return aside(model.model_json_schema)
    except (TheirError, TimeoutError) as error:
        raised = error.error if isinstance(error, TheirError) else error
        what = "has options that can't be described"
        raise AdapterError(origin_of(point).blamed(what, raised)) from raised


def _names(model: type[Options]) -> set[str]:
    """All by which a file may give an option."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        names |= {each for each in (field.alias, field.validation_alias) if isinstance(each, str)}
    return names
