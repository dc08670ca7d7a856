#!/usr/bin/env python3
"""The key table of docs/messenger-yaml.md and docs/messenger.schema.json, made from messenger.config.model.

What a key means stands in the docstring of its class, one after the other: `key: meaning`.

scripts/config_reference.py            say which of the two is not up to date
scripts/config_reference.py --write    write them
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import generated
import msgspec

from messenger.config.model import MessengerConfig, SendersConfig

Schema = dict[str, Any]

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN = "<!-- keys: made by scripts/config_reference.py from src/messenger/config/model.py -->"
END = "<!-- end of keys -->"

_ROOT = {"$ref": "#/$defs/MessengerConfig"}
# Known only when the environment is.
_VARIABLE = r"%env\([^()]*\)%|%[A-Za-z_][A-Za-z0-9_.:-]*%"
# As PHP writes an empty map.
_EMPTY_LIST: Schema = {"type": "array", "maxItems": 0}
_DSNS = [
    "%env(MESSENGER_TRANSPORT_DSN)%",
    "redis://localhost:6379/messages",
    "doctrine://default?queue_name=failed",
    "in-memory://",
    "sync://",
]
# What an editor is told beside the type and the meaning of a key.
_MORE: dict[tuple[str, str], Schema] = {
    ("TransportConfig", "dsn"): {"examples": _DSNS},
    ("SigningConfig", "key"): {"examples": ["%env(MESSENGER_SIGNING_KEY)%"]},
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "array": "list of text",
    "object": "map",
    "null": "`null`",
}


# --- the model as a JSON schema ------------------------------------------------------------------------------------


def definitions() -> dict[str, Schema]:
    """The model's structs as msgspec describes them, with the shorter forms that the loader takes too."""
    _, found = msgspec.json.schema_components((MessengerConfig, SendersConfig), ref_template="#/$defs/{name}")
    for name, struct in found.items():
        del struct["title"]
        struct["description"], meanings = _read_docstring(struct["description"], struct["properties"])
        for key, value in struct["properties"].items():
            if key not in meanings:
                raise SystemExit(f"{name}.{key} has no meaning; write one in src/messenger/config/model.py")
            struct["properties"][key] = value = {"description": meanings[key], **value, **_MORE.get((name, key), {})}
            if not isinstance(value.get("default"), str | bool | int | float):
                value.pop("default", None)  # said by the keys below it, or by nothing at all
            if "enum" in value:
                value.pop("anyOf", None)
    _add_shorter_forms(found)
    return found


def _read_docstring(text: str, keys: Iterable[str]) -> tuple[str, dict[str, str]]:
    """What the docstring of a struct says of it, and of each of these keys."""
    first, _, rest = inspect.cleandoc(text).partition("\n\n")
    parts = re.split(rf"^({'|'.join(keys)}): ", rest, flags=re.MULTILINE)
    return first, {key: " ".join(says.split()) for key, says in zip(parts[1::2], parts[2::2], strict=True)}


def _add_shorter_forms(found: dict[str, Schema]) -> None:
    """What the loader takes beyond the model: nothing for an empty map, a DSN for a transport, a name for a route."""
    keys = found["MessengerConfig"]["properties"]
    for key in ("transports", "routing", "buses", "connections", "rate_limiters"):
        keys[key] |= {"type": ["object", "array", "null"], "maxItems": 0}
    dsn = {"type": "string", "examples": _DSNS}
    for key, before, after in (
        ("transports", [dsn], []),
        ("routing", [{"type": "string"}], [{"$ref": "#/$defs/SendersConfig"}]),
        ("buses", [], [{"type": "null"}, _EMPTY_LIST]),
    ):
        keys[key]["additionalProperties"] = {"anyOf": [*before, keys[key]["additionalProperties"], *after]}
    signals = keys["stop_worker_on_signals"]
    signals["anyOf"] = [{key: signals.pop(key) for key in ("type", "items")}, {"type": "string"}, {"type": "integer"}]
    strategy = found["TransportConfig"]["properties"]["retry_strategy"]
    strategy["anyOf"] = [{"$ref": strategy.pop("$ref")}, {"type": "string"}]
    _add_forms_of_middleware(found["BusConfig"]["properties"]["middleware"])


def _add_forms_of_middleware(middleware: Schema) -> None:
    """Symfony takes one for a list of one, nothing for no arguments, and the long form of its own."""
    step = middleware.pop("items")
    for form in step["anyOf"]:
        if form.get("type") == "object":
            long = {"id": {"type": "string"}, "arguments": {"type": ["array", "null"]}}
            form.pop("maxProperties")
            form["if"] = {"required": ["id"], "properties": {"id": {"type": "string"}}}
            form["then"] = {"properties": long, "additionalProperties": False}
            form["else"] = {"maxProperties": 1}
    middleware["anyOf"] = [{"type": middleware.pop("type"), "items": step}, *step["anyOf"]]


def _add_nulls(found: dict[str, Schema]) -> None:
    """Nothing after a key is its default, where there is one."""
    for struct in found.values():
        for key, value in struct["properties"].items():
            if key in struct["required"]:
                continue
            if "anyOf" in value:
                value["anyOf"] = [*value["anyOf"], *[{"type": "null"}] * ({"type": "null"} not in value["anyOf"])]
            elif isinstance(value.get("type"), list):
                value["type"] = [*value["type"], *["null"] * ("null" not in value["type"])]
            else:
                told = {name: value.pop(name) for name in ("description", "default", "examples") if name in value}
                struct["properties"][key] = {**told, "anyOf": [dict(value), {"type": "null"}]}


def schema() -> Schema:
    """JSON Schema 2020-12 of a whole file, for editors. Keywords that older editors do not know are not used."""
    found = definitions()
    _add_nulls(found)
    found = {name: _with_variables(struct) for name, struct in found.items()}
    messenger = found["MessengerConfig"]
    # As the loader has it: with several buses one must be the default.
    messenger["if"] = {"required": ["buses"], "properties": {"buses": {"type": "object", "minProperties": 2}}}
    messenger["then"] = {"required": ["default_bus"], "properties": {"default_bus": {"type": "string"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "messenger.yaml",
        "description": "Made by scripts/config_reference.py from src/messenger/config/model.py.",
        "type": "object",
        "properties": {
            "framework": {"description": "Symfony's form: `messenger` stands below it. Other keys are passed over."},
            "messenger": {"description": messenger["description"], "anyOf": [_ROOT, {"type": "null"}]},
            "parameters": {
                "description": "Symfony's: values for `%NAME%`, and defaults of variables, `env(NAME)`.",
                "type": ["object", "null"],
            },
        },
        "patternProperties": {"^when@": {"description": "What counts beside the rest where APP_ENV is the name."}},
        "additionalProperties": False,
        "if": {"properties": {"messenger": {"type": "null"}}},
        "then": {
            "required": ["framework"],
            "properties": {
                "framework": {"type": "object", "required": ["messenger"], "properties": {"messenger": _ROOT}}
            },
        },
        "$defs": found,
    }


def _with_variables(node: Any) -> Any:
    """The schema with ``%env(NAME)%`` allowed wherever only certain texts are: what it stands for is not known here."""
    if isinstance(node, list):
        return [_with_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _with_variables(value) for key, value in node.items()}
    if isinstance(node.get("pattern"), str):
        node["pattern"] += f"|{_VARIABLE}"
    if node.get("type") in ("integer", "number", "boolean"):
        told = {name: node.pop(name) for name in ("description", "default", "examples") if name in node}
        node = {**told, "anyOf": [node, {"type": "string", "pattern": f"^({_VARIABLE})$"}]}
    if isinstance(node.get("enum"), list):
        node["anyOf"] = [{"enum": node.pop("enum")}, {"type": "string", "pattern": _VARIABLE}]
    return node


# --- the table -----------------------------------------------------------------------------------------------------


def table() -> str:
    """Every key: what is allowed, its default, what it means."""
    rows = [("key", "allowed", "default", "meaning"), ("---",) * 4, *_rows(definitions(), "MessengerConfig", "")]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows)


def _rows(found: dict[str, Schema], struct: str, prefix: str) -> Iterator[tuple[str, ...]]:
    """The rows of a struct's keys, each followed by those of the keys below it."""
    for key, value in found[struct]["properties"].items():
        name, form = f"{prefix}{key}", value
        if "additionalProperties" in value:
            name, form = f"{name}.NAME", value["additionalProperties"]
        default = _text(value["default"]) if "default" in value else ""
        if key in found[struct]["required"]:
            default = "required"
        yield f"`{name}`", _allowed(form), default, value["description"]
        for below in form.get("anyOf", [form]):
            if "$ref" in below:
                yield from _rows(found, below["$ref"].rsplit("/", 1)[1], f"{name}.")


def _allowed(value: Schema) -> str:
    """What may stand there, in words."""
    if "anyOf" in value:
        *forms, last = (_allowed(form) for form in value["anyOf"] if "maxItems" not in form)
        return f"{', '.join(forms)} or {last}"
    if "enum" in value:
        return " or ".join(_text(choice) for choice in value["enum"])
    text = _TYPES["object" if "$ref" in value else value["type"]]
    if "exclusiveMinimum" in value:
        return f"{text}, more than {value['exclusiveMinimum']}, at most {value['maximum']}"
    if "maximum" in value:
        return f"{text}, {value['minimum']} to {value['maximum']}"
    if "minimum" in value:
        return f"{text}, at least {value['minimum']}"
    return f"{text} matching `{value['pattern']}`" if "pattern" in value else text


def _text(value: Any) -> str:
    """A value as it is written in the file."""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value).removesuffix('.0')}`"


# --- the files -----------------------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """Both files as they should be."""
    page = DOCS / "messenger-yaml.md"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    return {
        page: f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}",
        DOCS / "messenger.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
    }


if __name__ == "__main__":
    sys.exit(generated.main("scripts/config_reference.py", __doc__, files))
