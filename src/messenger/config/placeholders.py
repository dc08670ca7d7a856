"""``%env(NAME)%`` with Symfony's processors, and ``%parameter%``, in the texts of messenger.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from messenger.config.mistakes import Mistakes, NotSet, Unresolved

# A % before two hexadecimal digits is part of an encoded DSN (p%C3%A9ss) rather than the start of a parameter.
_PLACEHOLDER = re.compile(r"%%|%env\(([^()]*)\)%|%(?![0-9A-F]{2})([A-Za-z_][A-Za-z0-9_.:-]*)%")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST = 20  # placeholders within what placeholders stand for


class Placeholders:
    """Replaces the placeholders of one file.

    Args:
        path: The file; Symfony's `%kernel.…%` parameters follow from where it is.
        environment: The variables.
        parameters: The file's own `parameters:`. `env(NAME)` among them is the default of a variable.
        mistakes: Makes the errors.
    """

    def __init__(
        self, path: Path, environment: Mapping[str, str], parameters: Mapping[str, Any], mistakes: Mistakes
    ) -> None:
        self._directory = path.parent
        self._environment = environment
        self._parameters = _kernel_parameters(path.parent, environment) | dict(parameters)
        self._mistakes = mistakes
        self._depth = 0

    def expand(self, value: Any, where: str) -> Any:
        """Return `value` with each placeholder in its texts replaced, and ``%%`` by ``%``.

        A text that is one placeholder becomes whatever that stands for, such as a number. Raises ConfigError.

        Args:
            value: Of YAML.
            where: Its key, for the error.
        """
        if isinstance(value, Mapping):
            return {self._key(key, where): self.expand(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand(item, f"{where}.{index}") for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            expanded = self.resolve(value)
        except Unresolved as error:
            raise self._mistakes.error(where, str(error)) from None
        if expanded != value:
            self._mistakes.expanded(expanded, value)
        return expanded

    def _key(self, key: Any, where: str) -> Any:
        """A key stays as it is: errors name keys, and what a variable gave may be a secret."""
        if isinstance(key, str) and any(match[0] != "%%" for match in _PLACEHOLDER.finditer(key)):
            raise self._mistakes.error(
                where, f"found the key {key!r}; allowed: a name without %env(…)% and %parameters%"
            )
        return key

    def resolve(self, text: str) -> Any:
        """Return the value of a text with placeholders.

        Raises:
            Unresolved: A placeholder has no value.
        """
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                raise Unresolved("found parameters that stand for each other; allowed: no such loops")
            whole = _PLACEHOLDER.fullmatch(text)
            if whole is not None:
                return self._value(whole)
            if "%env(" in _PLACEHOLDER.sub("", text):
                raise Unresolved("found %env( without its end; allowed: %env(NAME)%, and %% for a percent sign")
            return _PLACEHOLDER.sub(self._text, text)
        finally:
            self._depth -= 1

    def variable(self, name: str) -> Any:
        """Return a variable, or its default in `parameters`.

        Raises:
            Unresolved: It has neither.
        """
        if not _NAME.fullmatch(name):
            raise Unresolved(f"found %env({name})%; allowed: %env(NAME)%, or %env(PROCESSOR:NAME)%")
        if name in self._environment:
            value = self._environment[name]
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Unresolved(f"the environment variable {name} is not UTF-8 text") from None
            return value
        default = f"env({name})"
        if default in self._parameters:
            return self._resolved(self._parameters[default])
        raise NotSet(f"the environment variable {name} is not set; set it, or write it into .env beside the file")

    def parameter(self, name: str) -> Any:
        """Return a parameter.

        Raises:
            Unresolved: No parameter has this name.
        """
        if name not in self._parameters:
            known = ", ".join(sorted(key for key in self._parameters if not key.startswith("env(")))
            needs = "APP_ENV is not set" if name in _OF_APP_ENV else f"known: {known}"
            raise Unresolved(
                f"found the parameter %{name}%, which is not known here ({needs}); "
                "write the value itself, %env(NAME)%, or %% for a percent sign"
            )
        return self._resolved(self._parameters[name])

    @property
    def directory(self) -> Path:
        """Where the file is: what a relative path begins at."""
        return self._directory

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item) for item in value]
        return self.resolve(value) if isinstance(value, str) else value

    def _value(self, match: re.Match[str]) -> Any:
        expression, parameter = match.groups()
        if expression is not None:
            if ":" not in expression:
                return self.variable(expression)
            from messenger.config.processors import process  # few files need it

            return process(expression, self)
        return self.parameter(parameter) if parameter is not None else "%"

    def _text(self, match: re.Match[str]) -> str:
        value = self._value(match)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unresolved(
                f"found {match[0]} in the middle of a text, and it stands for no text; allowed: {match[0]} alone"
            )
        return str(value)


_OF_APP_ENV = {"kernel.environment", "kernel.runtime_environment", "kernel.debug"}


def _kernel_parameters(directory: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Symfony's parameters that can be known without its kernel."""
    is_symfony_project = directory.parts[-2:] == ("config", "packages")
    found: dict[str, Any] = {
        "kernel.project_dir": _literal(str(directory.parents[1] if is_symfony_project else directory))
    }
    name = environment.get("APP_ENV")
    if name:
        debug = environment.get("APP_DEBUG", "" if name == "prod" else "1")
        found["kernel.environment"] = _literal(name)
        found["kernel.runtime_environment"] = _literal(environment.get("APP_RUNTIME_ENV") or name)
        found["kernel.debug"] = debug.lower() not in ("", "0", "false", "off", "no")
    return found


def _literal(text: str) -> str:
    return text.replace("%", "%%")
