"""Reads messenger.yaml. A mistake is one line: file, key, what was found, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
import yaml
from msgspec import Struct
from msgspec.structs import fields

from messenger.config.environment import expand, read_environment
from messenger.config.model import (
    SERIALIZER,
    BusConfig,
    MessengerConfig,
    RateLimiterConfig,
    RetryStrategyConfig,
    SendersConfig,
    TransportConfig,
)
from messenger.config.strict_yaml import load_yaml
from messenger.errors import ConfigError, printable_line

T = TypeVar("T")
_LOCATION = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WORDS = {
    "object": "a map",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    " | ": " or ",
}
_SECRET = ("signing", "signing.key", "signing.previous_key")  # no error shows what stands there
_LONGEST = 2000  # characters of an error
_TYPES = re.compile(r"\b(?:object|array|str|int|float|bool)\b| \| ")


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A checked configuration and where it came from.

    environment: `.env` beside the file, overlaid with the real environment.
    """

    path: Path
    messenger: MessengerConfig
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """The directory of the file, links resolved: a release directory on a host."""
        return self.path.parent


def load_config(path: Path, environ: Mapping[str, str]) -> LoadedConfig:
    """Read and check a messenger.yaml; Symfony's own loads unchanged. Raises ConfigError with one line."""
    path = path.resolve()
    environment = read_environment(path.parent, environ)
    return LoadedConfig(path, _Reader(path, environment).read(), environment)


class _Reader:
    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._root = "messenger"

    def read(self) -> MessengerConfig:
        raw = self._messenger_section(self._parse())
        try:
            raw = expand(raw, self._environment, self._root, self._error)
        except RecursionError:
            raise self._error(self._root, "found an alias inside its own anchor; allowed: no such loops") from None
        raw["transports"] = {
            name: self._transport(str(name), value) for name, value in self._map(raw, "transports").items()
        }
        raw["buses"] = {
            name: self._convert({} if _is_empty(value) else value, BusConfig, f"buses.{name}")
            for name, value in self._map(raw, "buses").items()
        }
        raw["rate_limiters"] = {
            name: self._rate_limiter(str(name), value) for name, value in self._map(raw, "rate_limiters").items()
        }
        raw["connections"] = {
            name: self._convert(value, str, f"connections.{name}")
            for name, value in self._map(raw, "connections").items()
        }
        raw["routing"] = {key: self._route(str(key), value) for key, value in self._map(raw, "routing").items()}
        config = self._convert(raw, MessengerConfig, "")
        self._check_references(config)
        return config

    def _parse(self) -> Any:
        try:
            return load_yaml(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{self._path}: no such file; name it with --config or MESSENGER_CONFIG") from None
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self._path}: is not UTF-8 text") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark is not None else ""
            problem = getattr(error, "problem", None) or "it cannot be read"
            raise ConfigError(f"{self._path}{line}: not YAML: {problem}") from None

    def _messenger_section(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise ConfigError(f"{self._path}: found no map; allowed: 'framework: messenger: …' or 'messenger: …'")
        for key in document:
            if key not in ("framework", "messenger") and not str(key).startswith("when@"):
                raise ConfigError(f"{self._path}: unknown key {key!r}; allowed: framework, messenger, when@…")
        section = document.get("messenger")
        if section is None and isinstance(document.get("framework"), dict):
            self._root = "framework.messenger"
            section = document["framework"].get("messenger")
        if not isinstance(section, dict):
            raise ConfigError(f"{self._path}: no map under 'framework: messenger:' or 'messenger:'")
        return section

    def _map(self, raw: dict[str, Any], key: str) -> dict[Any, Any]:
        value = raw.get(key)
        if _is_empty(value):
            return {}
        if not isinstance(value, dict):
            raise self._error(f"{self._root}.{key}", f"found {_shown(value)}; allowed: a map")
        for name in value:
            if not isinstance(name, str):
                raise self._error(f"{self._root}.{key}", f"found the key {name!r}; allowed: text, if need be in quotes")
        return value

    def _transport(self, name: str, value: Any) -> TransportConfig:
        where = f"transports.{name}"
        if isinstance(value, str):
            value = {"dsn": value}
        if not isinstance(value, dict):
            raise self._error(f"{self._root}.{where}", f"found {_shown(value)}; allowed: a DSN, or a map with 'dsn'")
        config = self._convert(value, TransportConfig, where)
        if config.serializer not in (None, SERIALIZER):
            raise self._error(
                f"{self._root}.{where}.serializer",
                f"found {_shown(config.serializer)}; allowed: {SERIALIZER} (JSON; PHP's serialize() is not read here)",
            )
        retry = config.retry_strategy
        if retry.service is not None and retry != RetryStrategyConfig(service=retry.service):
            raise self._error(
                f"{self._root}.{where}.retry_strategy", "found other keys beside 'service'; allowed: 'service' alone"
            )
        return config

    def _rate_limiter(self, name: str, value: Any) -> RateLimiterConfig:
        where = f"rate_limiters.{name}"
        config = self._convert(value, RateLimiterConfig, where)
        if config.service is None and config.limit == 0:
            raise self._error(f"{self._root}.{where}", "missing key 'limit', at least 1, or 'service'")
        if config.service is not None and not value.keys() <= {"service", "key"}:
            raise self._error(f"{self._root}.{where}", "found other keys beside 'service'; allowed: service, key")
        return config

    def _route(self, key: str, value: Any) -> list[str]:
        where = f"routing.{key}"
        if isinstance(value, str):
            return [value]
        if isinstance(value, dict):
            return self._convert(value, SendersConfig, where).senders
        if not isinstance(value, list):
            raise self._error(
                f"{self._root}.{where}", f"found {_shown(value)}; allowed: a transport's name, or a list of names"
            )
        return self._convert(value, list[str], where)

    def _convert(self, value: Any, wanted: type[T], where: str) -> T:
        try:
            return msgspec.convert(value, wanted, from_attributes=True)
        except msgspec.ValidationError as error:
            raise self._explain(str(error), value, wanted, where) from None

    def _explain(self, message: str, value: Any, wanted: type, where: str) -> ConfigError:
        match = _LOCATION.match(message)
        what = match["what"] if match else message
        path = ((match["path"] or "") if match else "").lstrip(".")
        key = ".".join(part for part in (self._root, where, path) if part).replace(".[", "[")
        unknown = _UNKNOWN.match(what)
        if unknown:
            return self._error(key, f"unknown key {unknown[1]!r}; allowed: {', '.join(_keys_at(wanted, path))}")
        if "missing required field" in what:
            return self._error(key, what.replace("Object missing required field", "missing key").replace("`", "'"))
        found = "a value of another kind" if path in _SECRET else _shown(_value_at(value, path))
        if "enum value" in what:
            return self._error(key, f"found {found}; allowed: {_choices_at(wanted, path)}")
        allowed = what.replace("Expected ", "").replace("`", "").split(", got ")[0]
        return self._error(key, f"found {found}; allowed: {_TYPES.sub(lambda m: _WORDS[m[0]], allowed)}")

    def _check_references(self, config: MessengerConfig) -> None:
        known = ", ".join(config.transports) or "none"
        references = [("failure_transport", config.failure_transport)]
        references += [
            (f"transports.{name}.failure_transport", transport.failure_transport)
            for name, transport in config.transports.items()
        ]
        references += [(f"routing.{key}", name) for key, names in config.routing.items() for name in names]
        for where, name in references:
            if isinstance(name, str) and name not in config.transports:
                raise self._error(
                    f"{self._root}.{where}", f"found {_shown(name)}, which is no transport; allowed: {known}"
                )
        limiters = ", ".join(config.rate_limiters) or "none"
        for transport_name, transport in config.transports.items():
            if transport.rate_limiter is not None and transport.rate_limiter not in config.rate_limiters:
                where = f"{self._root}.transports.{transport_name}.rate_limiter"
                raise self._error(
                    where, f"found {_shown(transport.rate_limiter)}, which is no rate limiter; allowed: {limiters}"
                )
        if len(config.buses) > 1 and config.default_bus is None:
            raise self._error(f"{self._root}.default_bus", f"missing; allowed: {', '.join(config.buses)}")
        if config.default_bus is not None and config.buses and config.default_bus not in config.buses:
            raise self._error(
                f"{self._root}.default_bus", f"found {_shown(config.default_bus)}; allowed: {', '.join(config.buses)}"
            )

    def _error(self, key: str, reason: str) -> ConfigError:
        return ConfigError(printable_line(f"{self._path}: {key}: {reason}", limit=_LONGEST))


def _is_empty(value: Any) -> bool:
    """Whether nothing is written where a map may be. PHP writes an empty map as a list."""
    return value is None or value == []


def _keys_at(wanted: Any, path: str) -> list[str]:
    """The keys of the struct that `path` leads to."""
    return [item.encode_name for item in fields(_struct_in(_type_at(wanted, path)))]


def _struct_in(wanted: Any) -> Any:
    """The struct itself, or the one among several types."""
    if get_origin(wanted) in (Union, UnionType):
        return next(member for member in get_args(wanted) if isinstance(member, type) and issubclass(member, Struct))
    return wanted


def _choices_at(wanted: Any, path: str) -> str:
    """What may stand where a few fixed texts are allowed, and perhaps true, false or a map."""
    wanted = _type_at(wanted, path)
    members = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    choices = [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]
    choices += ["true", "false"] * (bool in members)
    return ", ".join(choices) + " or a map" * (len(members) > 1)


def _type_at(wanted: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        for item in fields(_struct_in(wanted)):
            if item.name == part:
                wanted = get_args(item.type)[0] if get_origin(item.type) is Annotated else item.type
    return wanted


def _value_at(value: Any, path: str) -> Any:
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
    return value


def _shown(value: Any) -> str:
    """A value for an error: short, and never a DSN with its password."""
    if isinstance(value, str) and "://" in value:
        return "a DSN"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)[:60]
