"""Which parts of a messenger.yaml count: `messenger`, `parameters`, and those of the `when@ENV` that APP_ENV names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from messenger.errors import ConfigError

_KEYS = ("framework", "messenger", "parameters")
_WHEN = "when@"


class Sections(NamedTuple):
    """The part of a file that applies.

    Attributes:
        root: The key that the configuration is below, for errors.
        messenger: The configuration.
        parameters: The parameters of the file.
        when: The `when@ENV` part that is applied, or "".
        notes: Keys that were ignored.
    """

    root: str
    messenger: dict[str, Any]
    parameters: dict[str, Any]
    when: str
    notes: tuple[str, ...]


def choose_sections(path: Path, document: Any, app_env: str) -> Sections:
    """Return the sections of a document that count.

    Args:
        path: The file, for errors.
        document: Its YAML.
        app_env: The value of APP_ENV, "" when it is not set.

    Raises:
        ConfigError: A part is missing or of another kind, in one line.
    """
    _check_keys(path, document, "")
    root, messenger = _messenger(path, document, "")
    parameters = _map(path, "parameters", document.get("parameters"))
    others = [str(key) for key in document if str(key).startswith(_WHEN)]
    when = f"{_WHEN}{app_env}" if f"{_WHEN}{app_env}" in document and app_env else ""
    if when:
        part = document[when] or {}
        _check_keys(path, part, when)
        messenger = _with_overrides(messenger or {}, _messenger(path, part, when)[1] or {})
        parameters = parameters | _map(path, f"{when}.parameters", part.get("parameters"))
    if messenger is None:
        only = f"; {', '.join(others)} counts where APP_ENV says so, and it is {app_env or 'not set'}" if others else ""
        raise ConfigError(f"{path}: no map under 'framework: messenger:' or 'messenger:'{only}")
    return Sections(root, messenger, parameters, when, tuple(_notes(path, others, app_env)))


def _notes(path: Path, others: list[str], app_env: str) -> Iterator[str]:
    if others and not app_env:
        yield f"{path}: APP_ENV is not set, so {', '.join(others)} is not applied; set it, e.g. in .env beside the file"


def _check_keys(path: Path, document: Any, where: str) -> None:
    place = f"{path}: {where}" if where else f"{path}"
    if not isinstance(document, dict):
        raise ConfigError(f"{place}: found no map; allowed: 'framework: messenger: …' or 'messenger: …'")
    for key in document:
        if key not in _KEYS and (where or not str(key).startswith(_WHEN)):
            allowed = ", ".join(_KEYS if where else (*_KEYS, f"{_WHEN}…"))
            raise ConfigError(f"{place}: unknown key {key!r}; allowed: {allowed}")


def _messenger(path: Path, document: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any] | None]:
    """The section and its key; None where the document has none."""
    framework = document.get("framework")
    if document.get("messenger") is None and isinstance(framework, dict) and framework.get("messenger") is not None:
        key, section = "framework.messenger", framework["messenger"]
    elif "messenger" in document:
        key, section = "messenger", document["messenger"]
    else:
        return "framework.messenger", None
    if not isinstance(section, dict):
        place = f"{path}: {where}" if where else f"{path}"
        raise ConfigError(f"{place}: no map under 'framework: messenger:' or 'messenger:'")
    return key, section


def _map(path: Path, where: str, section: Any) -> dict[str, Any]:
    if section is None:
        return {}
    if not isinstance(section, dict) or not all(isinstance(name, str) for name in section):
        raise ConfigError(f"{path}: {where}: found no map; allowed: values by name")
    return section


def _with_overrides(former: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Two `messenger` sections as Symfony merges them: maps by key, but where a message goes is replaced."""
    merged: dict[str, Any] = _merged(
        former | {"transports": _with_dsn(former.get("transports"))},
        later | {"transports": _with_dsn(later.get("transports"))},
    )
    if isinstance(former.get("routing"), dict) and isinstance(later.get("routing"), dict):
        merged["routing"] = former["routing"] | later["routing"]
    return merged


def _merged(former: Any, later: Any) -> Any:
    """Merge two maps; any other value is replaced. An empty map removes nothing."""
    if not isinstance(former, dict) or not isinstance(later, dict):
        return former if isinstance(former, dict) and (later is None or later == []) else later
    return former | {name: _merged(former.get(name), value) for name, value in later.items()}


def _with_dsn(transports: Any) -> Any:
    """Each transport in its long form, so that a DSN replaces a DSN, and the rest stays."""
    if not isinstance(transports, dict):
        return transports
    return {name: {"dsn": value} if isinstance(value, str) else value for name, value in transports.items()}
