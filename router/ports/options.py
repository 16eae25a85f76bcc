"""What an adapter or source takes in the files that operators edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from router.files.codes import Code

RESERVED = frozenset({"adapter", "name", "window", "rate", "timeout", "hold_hours"})
"""The keys of a channel that are the router's own: no option of an adapter may be called so. Of the
keys of a source, `adapter` alone is."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why an adapter can't work with a party or an option, for the file where it stands."""

    key: str
    """The name of the field above or of the option, which is also the key in the file."""
    message: str
    """What is wrong and what to do, for people; never a secret."""
    warning: bool = False
    """It works, or will until a later day: told by `check` and at the start, which goes on."""
    code: Code = Code.KEY_FILE
    """The kind of mistake, as `check` names it."""


class Options(BaseModel):
    """The root of what an adapter takes in YAML: unknown keys are mistakes.

    A pydantic model: a ValueError of a validator is told at the line where the value stands, so say
    what it must be and how to make one, and never repeat it. `Annotated[...,
    Field(description=...)]` is what `hubherald adapters` and editors show. Whatever else a
    validator raises is a fault of the adapter. Models are compared at a reload to see whether a
    channel has changed.

    A field of type Path that is relative is made relative to `folder` of the validation context:
    the folder of the file that the option stands in. For a field `x` of type Secret the file may
    give `x_file` instead; the reader of the file sees to that, the model never knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def unfit(self) -> Sequence[Unfit]:
        """Which files that the options name are of no use as they are now, and why.

        For `check`, and for whoever starts the router: it runs all the same, and whoever needs the
        file says so for itself. Reads files, sends nothing. Called in a thread, within 5 s, at each
        start, check and reload; a list or tuple, and what it raises closes the lane.
        """
        return ()

    @field_validator("*", mode="after")
    @classmethod
    def _beside_its_file(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Path):
            return value
        if not str(value).isprintable():
            raise ValueError("must be a path without control characters")
        folder = info.context.get("folder") if isinstance(info.context, Mapping) else None
        return folder / value if isinstance(folder, Path) else value


OptionsT = TypeVar("OptionsT", bound=Options)
"""The options of one adapter or source."""
Secret = Annotated[SecretStr, Field(min_length=1)]
"""What nobody may see: `get_secret_value()` gives it, and printing shows stars."""


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _encrypted(plain: str) -> Callable[[str], str]:
    """A check that a URL is of the scheme `plain` with TLS, or on loopback without it."""

    def check(url: str) -> str:
        secure = f"{plain}s"
        if not url.isprintable() or " " in url:
            raise ValueError("must not hold spaces or invisible characters")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"must be a URL such as {secure}://host.example/") from None
        if parts.scheme not in {plain, secure} or not host:
            raise ValueError(f"must be a URL such as {secure}://host.example/")
        if parts.scheme == plain and not is_loopback(host):
            raise ValueError(f"must use TLS ({secure}://...): {host!r} is not this machine")
        return url

    return check


_ANONYMOUS = "must not hold a user or password: URLs are logged; use other options"


def _anonymous(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError(_ANONYMOUS)
    return url


_amqp = _encrypted("amqp")


def _nodes(url: str) -> str:
    """Of one node, or of several of a cluster: `amqps://one,two:5671/vhost`."""
    netloc = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in netloc:
        raise ValueError(_ANONYMOUS)
    for node in netloc.split(","):
        _amqp(url.replace(netloc, node, 1))
    if "?" in url or "#" in url:
        raise ValueError(
            "must end with the virtual host: what others write behind `?` are keys beside `url`"
            " here (`ca_file`, `certificate_file`, `key_file`), or not to be chosen"
        )
    return url


_URI = WithJsonSchema({"type": "string", "format": "uri"})
HttpUrl = Annotated[str, AfterValidator(_encrypted("http")), AfterValidator(_anonymous), _URI]
"""https:// anywhere, http:// to loopback addresses; may be shown."""
AmqpUrl = Annotated[str, AfterValidator(_nodes), _URI]
"""amqps:// anywhere, amqp:// to loopback addresses, of one node or of several with commas between
them; its path is the virtual host."""
