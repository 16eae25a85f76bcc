"""JSON Schemas of facts and of the files that operators edit, for senders and for editors.

They are made from the very models that read those files, so they cannot drift from them. What
needs more than one value to check (check digits, two channels of one name) is left to `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from router.config.configfile import ConfigFile
from router.config.installed import InstalledKinds
from router.config.usersfile import ChannelKeys, UsersFile
from router.domain.facts import DATA, Activation, Envelope
from router.entrypoints import ADAPTERS, SOURCES
from router.files.model_keys import known_models, secret_keys
from router.ports import Options
from router.workbench import ruleschema
from router.workbench.ruleschema import Schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def fact() -> Schema:
    """One CloudEvents event; which `data` it has goes by its `type`."""
    kinds = list(DATA.values())
    of, defs = _schemas(Envelope, *kinds)
    envelope = of[Envelope]
    choices = []
    for kind in kinds:
        properties = {
            **envelope["properties"],
            "type": {"const": kind.type.value},
            "datacontenttype": {"const": "application/json"},
            "data": {"$ref": f"#/$defs/{kind.__name__}"},
        }
        required = ["specversion", "id", "source", "type", "data"]
        needs_time = [] if kind is Activation else ["time"]
        choices.append(
            {
                "title": kind.type.value,
                "description": kind.__doc__,
                "type": "object",
                "properties": properties,
                "required": required + needs_time,
            }
        )
    return _document(
        "A fact for Hubherald",
        "One CloudEvents 1.0 event in structured JSON; unknown attributes are kept. Its data may"
        " also come as `data_base64` or as JSON text, and events in an array.",
        {"oneOf": choices},
        defs,
    )


def users() -> Schema:
    """service_users.yaml with the options of every installed adapter."""
    adapters = _usable(ADAPTERS)
    of, defs = _schemas(UsersFile, ChannelKeys, *adapters.values())
    channels = [
        _with_adapter(kind, of[model], secret_keys(model), of[ChannelKeys])
        for kind, model in adapters.items()
    ]
    defs["UserEntry"]["properties"]["channels"]["items"] = {"oneOf": channels}
    return _document(
        "service_users.yaml of Hubherald",
        "The Service Users that can be told, and the channels that reach them.",
        _with_variables(of[UsersFile]),
        _with_variables(defs),
    )


def config() -> Schema:
    """hubherald.yaml with the options of every installed source."""
    sources = _usable(SOURCES)
    of, defs = _schemas(ConfigFile, *sources.values())
    choices = [
        _with_adapter(kind, of[model], secret_keys(model), _ADAPTER_ONLY)
        for kind, model in sources.items()
    ]
    named = of[ConfigFile]["properties"]["sources"]
    named["patternProperties"] = {key: {"oneOf": choices} for key in named["patternProperties"]}
    named["additionalProperties"] = False
    return _document(
        "hubherald.yaml",
        "Where facts come from, where everything is kept, and who sends the Alerts. "
        "Any text may hold ${NAME} of the environment; relative paths start at the file's folder.",
        _with_variables(of[ConfigFile]),
        _with_variables(defs),
    )


_ADAPTER_ONLY: Schema = {
    "properties": {"adapter": {"type": "string", "description": "what brings the facts"}},
    "required": ["adapter"],
}


def rules() -> Schema:
    """One file of rules."""
    file, defs = ruleschema.rules()
    return _document(
        "A file of rules for Hubherald",
        "Which Service User is told about which activation. Suppress beats alert.",
        file,
        defs,
    )


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "fact": fact,
    "rules": rules,
    "users": users,
    "config": config,
}


def _usable(group: str) -> dict[str, type[Options]]:
    """The options of all that are installed, by kind, but for those that can't be described."""
    kinds = InstalledKinds(group)
    described = kinds.schemas()
    models = kinds.models().items()
    return {kind: model for kind, model in models if isinstance(described[kind], dict)}


class _Untitled(GenerateJsonSchema):
    """Without titles that only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(*models: type[BaseModel]) -> tuple[dict[type[BaseModel], Schema], Schema]:
    """The schema of each model, and the definitions that they refer to."""
    places, shared = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_Untitled
    )
    defs: Schema = shared.get("$defs", {})
    found: dict[type[BaseModel], Schema] = {}
    for model in models:
        place = places[model, "validation"]
        name = str(place.get("$ref", "")).rpartition("/")[2]
        found[model] = defs[name] if name else place
    for inner in _within(models):
        if secrets := secret_keys(inner):
            defs[inner.__name__] = _with_files(defs[inner.__name__], secrets)
    return found, defs


def _within(models: Iterable[type[BaseModel]]) -> set[type[BaseModel]]:
    """The options that stand within those of adapters."""
    asked = ((model, name) for model in models for name in model.model_fields)
    found = (inner for model, name in asked for inner in known_models(model, name))
    return {inner for inner in found if issubclass(inner, Options)}


def _document(title: str, description: str, top: Schema, defs: Schema) -> Schema:
    head = {"$schema": DRAFT, "title": title, "description": description}
    rest = {key: value for key, value in top.items() if key not in head}
    wanted = _referred(rest, defs, set())
    kept = {name: schema for name, schema in sorted(defs.items()) if name in wanted}
    return {**head, **rest, **({"$defs": kept} if kept else {})}


_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}


def _with_variables(schema: Any) -> Any:
    """The same, but where a file needs a number, a word of a list or the like, ${NAME} will do."""
    if isinstance(schema, list):
        return [_with_variables(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    narrow = schema.get("type") in {"integer", "number", "boolean"}
    if narrow or "pattern" in schema or "enum" in schema:
        return {"anyOf": [schema, _VARIABLE]}
    return {key: _with_variables(inner) for key, inner in schema.items()}


def _referred(schema: Any, defs: Schema, seen: set[str]) -> set[str]:
    """The names of the definitions that a schema needs, and those that they need."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            _referred(defs[name], defs, seen)
    inner = schema.values() if isinstance(schema, dict) else schema
    for each in inner if isinstance(schema, dict | list) else ():
        _referred(each, defs, seen)
    return seen


def _with_adapter(kind: str, options: Schema, secrets: set[str], own: Schema) -> Schema:
    """The keys of one adapter beside the router's own; a secret may come from a file."""
    properties = {**own["properties"], **options.get("properties", {})}
    both = {
        "title": f"adapter {kind}",
        "description": options.get("description", ""),
        "type": "object",
        "properties": {**properties, "adapter": {**properties["adapter"], "const": kind}},
        "required": [*own["required"], *options.get("required", [])],
        "additionalProperties": False,
    }
    return _with_files(both, secrets)


def _with_files(options: Schema, secrets: set[str]) -> Schema:
    """The same, where a secret may come from a file."""
    properties, required = options["properties"], options.get("required", [])
    from_file = {f"{name}_file": _secret_file(name) for name in sorted(secrets)}
    choices = [
        {"oneOf": [{"required": [name]}, {"required": [f"{name}_file"]}]}
        for name in sorted(secrets)
        if name in required
    ]
    return {
        **options,
        "properties": {**from_file, **properties},
        "required": [name for name in required if name not in secrets],
        **({"allOf": choices} if choices else {}),
    }


def _secret_file(name: str) -> Schema:
    what = f"a file that holds {name}, closed to others (chmod 600)"
    return {"type": "string", "format": "path", "description": what}
