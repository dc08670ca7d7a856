"""Reads messenger.yaml. A mistake is one line: file, key, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from messenger.config.environment import read_environment
from messenger.config.features import RateLimiterConfig
from messenger.config.mistakes import Mistakes
from messenger.config.model import BusConfig, MessengerConfig, SendersConfig, TransportConfig
from messenger.config.placeholders import Placeholders
from messenger.config.references import check_references
from messenger.config.sections import choose_sections
from messenger.config.short_forms import bus, or_empty, signals, transport, without_nulls
from messenger.config.strict_yaml import load_yaml
from messenger.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A checked configuration and where it came from.

    Attributes:
        path: The file.
        messenger: The configuration.
        environment: The `.env` files beside the file, overlaid with the real environment.
        when: The `when@ENV` part that was applied, or "".
        notes: Keys that were ignored.
    """

    path: Path
    messenger: MessengerConfig
    environment: Mapping[str, str]
    when: str = ""
    notes: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The directory of the file, links resolved: a release directory on a host."""
        return self.path.parent

    @property
    def state_dir(self) -> Path:
        """Where SQLite files are: MESSENGER_STATE_DIR, or `var` beside the file."""
        return Path(self.environment.get("MESSENGER_STATE_DIR") or self.directory / "var")


def load_config(path: Path, environ: Mapping[str, str]) -> LoadedConfig:
    """Read and check a messenger.yaml; Symfony's own loads unchanged.

    Args:
        path: The file.
        environ: The environment.

    Raises:
        ConfigError: The file cannot be used; the error is one line.
    """
    path = path.resolve()
    environment = read_environment(path.parent, environ)
    sections = choose_sections(path, _parse(path), environment.get("APP_ENV", ""))
    mistakes = Mistakes(path, sections.root)
    try:
        raw = Placeholders(path, environment, sections.parameters, mistakes).expand(sections.messenger, "")
    except RecursionError:
        raise mistakes.error("", "found an alias inside its own anchor; allowed: no such loops") from None
    return LoadedConfig(path, _Reader(mistakes).read(raw), environment, sections.when, sections.notes)


def _parse(path: Path) -> Any:
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; name it with --config or MESSENGER_CONFIG") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(f"{path}{line}: not YAML: {problem}") from None


class _Reader:
    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes

    def read(self, raw: dict[str, Any]) -> MessengerConfig:
        raw = raw | {"stop_worker_on_signals": signals(raw.get("stop_worker_on_signals"))}
        readers: dict[str, Callable[[str, Any], Any]] = {
            "transports": self._transport,
            "buses": lambda where, value: self._convert(bus(value), BusConfig, where),
            "rate_limiters": lambda where, value: self._convert(value, RateLimiterConfig, where),
            "connections": lambda where, value: self._convert(value, str, where),
            "routing": self._route,
        }
        for key, reader in readers.items():
            raw[key] = {name: reader(f"{key}.{name}", value) for name, value in self._map(raw, key).items()}
        config: MessengerConfig = self._convert(raw, MessengerConfig, "")
        check_references(config, self._mistakes)
        return config

    def _map(self, raw: dict[str, Any], key: str) -> dict[Any, Any]:
        found: dict[Any, Any] = self._convert(or_empty(raw.get(key)), dict[Any, Any], key)
        for name in found:
            if not isinstance(name, str):
                raise self._mistakes.error(key, f"found the key {name!r}; allowed: text, if need be in quotes")
        return found

    def _transport(self, where: str, value: Any) -> TransportConfig:
        """A DSN alone, or a map."""
        found: str | TransportConfig = self._convert(transport(value), str | TransportConfig, where)
        return TransportConfig(found) if isinstance(found, str) else found

    def _route(self, where: str, value: Any) -> list[str]:
        """One transport, several, or a map that names them."""
        found: str | list[str] | SendersConfig = self._convert(value, str | list[str] | SendersConfig, where)
        if isinstance(found, SendersConfig):
            return found.senders
        return [found] if isinstance(found, str) else found

    def _convert(self, value: Any, wanted: Any, where: str) -> Any:
        try:
            return msgspec.convert(without_nulls(value, wanted), wanted, from_attributes=True)
        except msgspec.ValidationError as error:
            raise self._mistakes.explain(str(error), value, wanted, where) from None
