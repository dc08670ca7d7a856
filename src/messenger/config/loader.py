"""Reads messenger.yaml. A mistake is one line: file, key, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from messenger.config.environment import expand, read_environment
from messenger.config.features import RateLimiterConfig
from messenger.config.mistakes import Mistakes
from messenger.config.model import BusConfig, MessengerConfig, SendersConfig, TransportConfig
from messenger.config.references import check_references
from messenger.config.strict_yaml import load_yaml
from messenger.errors import ConfigError


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
        self._mistakes = Mistakes(path, "messenger")

    def read(self) -> MessengerConfig:
        raw = self._messenger_section(self._parse())
        try:
            raw = expand(raw, self._environment, "", self._mistakes)
        except RecursionError:
            raise self._mistakes.error("", "found an alias inside its own anchor; allowed: no such loops") from None
        readers: dict[str, Callable[[str, Any], Any]] = {
            "transports": self._transport,
            "buses": lambda where, value: self._convert(_or_empty(value), BusConfig, where),
            "rate_limiters": lambda where, value: self._convert(value, RateLimiterConfig, where),
            "connections": lambda where, value: self._convert(value, str, where),
            "routing": self._route,
        }
        for key, reader in readers.items():
            raw[key] = {name: reader(f"{key}.{name}", value) for name, value in self._map(raw, key).items()}
        config: MessengerConfig = self._convert(raw, MessengerConfig, "")
        check_references(config, self._mistakes)
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
            self._mistakes = Mistakes(self._path, "framework.messenger")
            section = document["framework"].get("messenger")
        if not isinstance(section, dict):
            raise ConfigError(f"{self._path}: no map under 'framework: messenger:' or 'messenger:'")
        return section

    def _map(self, raw: dict[str, Any], key: str) -> dict[Any, Any]:
        found: dict[Any, Any] = self._convert(_or_empty(raw.get(key)), dict[Any, Any], key)
        for name in found:
            if not isinstance(name, str):
                raise self._mistakes.error(key, f"found the key {name!r}; allowed: text, if need be in quotes")
        return found

    def _transport(self, where: str, value: Any) -> TransportConfig:
        """A DSN alone, or a map."""
        found: str | TransportConfig = self._convert(value, str | TransportConfig, where)
        return TransportConfig(found) if isinstance(found, str) else found

    def _route(self, where: str, value: Any) -> list[str]:
        """One transport, several, or a map that names them."""
        found: str | list[str] | SendersConfig = self._convert(value, str | list[str] | SendersConfig, where)
        if isinstance(found, SendersConfig):
            return found.senders
        return [found] if isinstance(found, str) else found

    def _convert(self, value: Any, wanted: Any, where: str) -> Any:
        try:
            return msgspec.convert(value, wanted, from_attributes=True)
        except msgspec.ValidationError as error:
            raise self._mistakes.explain(str(error), value, wanted, where) from None


def _or_empty(value: Any) -> Any:
    """An empty map where nothing is written, or what PHP writes for one: an empty list."""
    return {} if value is None or value == [] else value
