"""Ansible action: check what an inventory says for the roles, on the controller, before anything changes.

Stricter than Ansible's own check of an argument spec, which takes `true` for the text "True", `2.5` for a number that
is cut to 2 later, `async` for a list, and null for nothing at all. What it answers is fit for a preflight: findings
with `where`, `found` and `change`, all of them at once. No value of a variable that may hold a secret is in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

ROLES = Path(__file__).resolve().parents[2] / "roles"
RULES = ROLES / "messenger_app/files/input_rules.yml"

Finding = dict[str, str]
Map = Mapping[str, Any]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
WHOLE = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?[0-9]+([.][0-9]+)?")
QUOTES = "'\""
YES_OR_NO = ("true", "false", "yes", "no", "on", "off", "1", "0")
KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "dict": "names with values",
         "list": "a list", "str": "text", "path": "text", "raw": "a value"}  # fmt: skip
SHOWN = ("int", "float", "bool")  # what is written there is no secret
ENVIRONMENT = "names of letters, digits and _, and values that are text or numbers without carriage returns"


def kind_of(value: object) -> str:
    """What a value is, for people who write YAML."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, str(value).lower()),
        ((int, float), str(value)[:40]),
        (str, "text"),
        (Mapping, "names with values"),
        (Sequence, "a list"),
    ]
    if value is None:
        return "empty (null)"
    return next((said for kind, said in kinds if isinstance(value, kind)), type(value).__name__)


def shown(value: object) -> str:
    """A value or a name as one line of a bearable length."""
    return repr(str(value)[:60])


def number(value: object, kind: str) -> float | None:
    """The number that `value` is or spells; None when it is none of this kind (`int` or `float`)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if kind == "int" and isinstance(value, float):
        return None
    if isinstance(value, str):
        spelled = WHOLE if kind == "int" else DECIMAL
        return float(value) if len(value) < 20 and spelled.fullmatch(value) else None
    return float(value) if math.isfinite(value) and abs(value) < 1e18 else None


def is_text(value: object) -> bool:
    """Whether a value can be written as text without a surprise: no null, list or map, and no true or false."""
    return value is not None and not isinstance(value, (bool, Mapping, list, tuple, set))


def is_kind(value: object, kind: str) -> bool:
    """Whether a value is of a kind of the argument spec."""
    if kind in ("int", "float"):
        return number(value, kind) is not None
    if kind == "raw":
        return value is not None
    if kind == "bool":
        return isinstance(value, bool) or str(value).lower() in YES_OR_NO
    if kind == "dict":
        return isinstance(value, Mapping)
    if kind == "list":
        return isinstance(value, Sequence) and not isinstance(value, str)
    return is_text(value)


def unfit_variables(environment: Map) -> list[str]:
    """What is wrong with the variables of an environment, for Supervisor's file as for messenger.env."""
    found = [f"{shown(name)} is no name" for name in environment if not NAME.fullmatch(str(name))]
    for name, value in environment.items():
        if not is_text(value) and not isinstance(value, bool):
            found.append(f"{shown(name).strip(QUOTES)} is {kind_of(value)}")
        elif re.search(r"[\r\0]", str(value)):
            found.append(f"{shown(name).strip(QUOTES)} has a carriage return or a NUL byte")
    return found


def is_mistake(error: AnsibleError) -> bool:
    """Return whether a variable's template is wrong by itself: a syntax error, or a name that is not defined."""
    # Ansible has a class for syntax errors since 2.19; before, only their words tell.
    return (
        isinstance(error, AnsibleUndefinedVariable)
        or type(error).__name__ == "AnsibleTemplateSyntaxError"
        or str(error).startswith("template error while templating string")
    )


class Inputs:
    """The checks of one role's variables.

    Args:
        rules: Limits beside the argument spec, by the variable's name, `LIST.KEY` for a key of its entries: `least` and
            `most` for numbers; `like`, a pattern of all of the text, and `say`, that pattern for people; `environment`;
            `instead`, for keys of Supervisor's that are not taken, what to write; `file`, the kind of file it names.
        unfit_file: What is wrong with the file of a kind that a value names; empty when it is fit.
    """

    def __init__(self, rules: Map, unfit_file: Callable[[str, str], str] = lambda kind, name: "") -> None:
        self._rules = rules
        self._unfit_file = unfit_file

    def value(self, rule: str, where: str, name: str, value: Any, option: Map) -> Iterator[Finding]:
        """What is wrong with a value, in all its depth. `rule` is its name in the rules."""
        limits, kind = self._rules.get(rule, {}), option.get("type", "str")
        wanted = self._wanted(limits, option)
        if "choices" in option:
            given = str(value).lower() if isinstance(value, bool) else value
            if given not in option["choices"]:
                yield self._unfit(where, name, value, wanted, tell=True)
        elif not is_kind(value, kind):
            yield self._unfit(where, name, value, KINDS[kind] if kind == "list" else wanted, tell=kind in SHOWN)
        elif kind in ("int", "float"):
            if not limits.get("least", -math.inf) <= (number(value, kind) or 0) <= limits.get("most", math.inf):
                yield self._unfit(where, name, value, wanted, tell=True)
        elif kind == "dict" and limits.get("environment"):
            for problem in unfit_variables(value):
                yield {"where": where, "found": f"{name}: {problem}" if name else problem, "change": ENVIRONMENT}
        elif kind == "list":
            yield from self._list(rule, where, name, value, option, limits)
        else:
            yield from self._text(where, name, value, limits, wanted)

    def _text(self, where: str, name: str, value: Any, limits: Map, wanted: str) -> Iterator[Finding]:
        if not self._fits(value, limits):
            yield self._unfit(where, name, value, wanted, tell=True)
        elif problem := self._unfit_file(limits.get("file", ""), str(value)):
            yield {"where": where, "found": problem, "change": "correct the path, or the file"}

    def _list(
        self, rule: str, where: str, name: str, value: Sequence[Any], option: Map, limits: Map
    ) -> Iterator[Finding]:
        kind = option.get("elements", "str")
        for position, entry in enumerate(value, 1):
            if "options" in option and isinstance(entry, Mapping):
                yield from self._entry(
                    rule, f"{where} ({shown(entry.get('name', position)).strip(QUOTES)})", entry, option["options"]
                )
            elif not is_kind(entry, kind):
                yield self._unfit(where, f"{name} entry {position}".strip(), entry, KINDS[kind])
            else:
                yield from self._text(
                    where, f"{name} entry {position}".strip(), entry, limits, limits.get("say", KINDS[kind])
                )

    def _entry(self, rule: str, where: str, entry: Map, options: Map) -> Iterator[Finding]:
        instead = self._rules.get(rule, {}).get("instead", {})
        for key in [key for key in entry if key not in options]:
            near = get_close_matches(str(key), options, 1, 0.8)
            change = instead.get(key) or (f"{near[0]}?" if near else f"a key that there is: {', '.join(options)}")
            yield {"where": where, "found": f"unknown key {shown(key)}", "change": change}
        for key, option in options.items():
            if key in entry:
                yield from self.value(f"{rule}.{key}", where, key, entry[key], option)
            elif option.get("required"):
                yield {"where": where, "found": f"{key} is missing", "change": f"{key}: {KINDS[option['type']]}"}

    @staticmethod
    def _wanted(limits: Map, option: Map) -> str:
        if "choices" in option:
            return f"one of {', '.join(option['choices'])}"
        if "say" in limits:
            return str(limits["say"])
        text = KINDS[option.get("type", "str")]
        bounds = [f"{word} {limits[name]}" for word, name in (("from", "least"), ("to", "most")) if name in limits]
        return " ".join([text, *bounds])

    @staticmethod
    def _fits(value: Any, limits: Map) -> bool:
        if limits.get("quoted") and not isinstance(value, str):
            return False
        return "like" not in limits or re.fullmatch(limits["like"], str(value), re.ASCII | re.VERBOSE) is not None

    @staticmethod
    def _unfit(where: str, name: str, value: Any, wanted: str, tell: bool = False) -> Finding:
        said = shown(value) if tell and isinstance(value, str) else kind_of(value)
        return {"where": where, "found": f"{name or 'it'} is {said}", "change": f"{name}: {wanted}" if name else wanted}


def known_options(roles: Sequence[Map]) -> tuple[dict[str, Any], set[str]]:
    """Return the options of inventories, by the argument specs of roles, and the names of every entry point's."""
    options: dict[str, Any] = {}
    names: set[str] = set()
    for specs in roles:
        options |= specs["main"]["options"]
        names.update(*(spec.get("options", ()) for spec in specs.values()))
    return options, names


class ActionModule(ActionBase):
    """Checks the variables of `roles` against their argument specs, and finds names that are nearly one of theirs.

    Args of the task: `roles`, and `command_line`, names that only `-e` may give.
    """

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `findings`."""
        super().run(tmp, task_vars)
        given, arguments = task_vars or {}, self._task.args
        roles = arguments.get("roles", [])
        words = arguments.get("command_line", [])
        more = self._loader.load_from_file(str(RULES))
        inputs = Inputs(more["rules"], self._unfit_file)
        findings = [
            *self._from_inventory(given, words),
            *self._values(given, {name: more["words"][name] for name in words if name in more["words"]}, inputs),
        ]
        if roles:
            files = [self._loader.load_from_file(str(ROLES / role / "meta/argument_specs.yml")) for role in roles]
            options, known = known_options([file["argument_specs"] for file in files])
            options |= {} if roles == ["redis"] else more["options"]
            findings += [*self._values(given, options, inputs), *self._misspelt(given, options, known)]
        return {"changed": False, "findings": [{"level": "fail", **finding} for finding in findings]}

    def _values(self, given: Map, options: Map, inputs: Inputs) -> Iterator[Finding]:
        for name, option in options.items():
            if name not in given:
                continue
            try:
                value = self._templar.template(given[name])
            except AnsibleError as error:
                if is_mistake(error):
                    said = str(error.message).strip().splitlines()[0]
                    yield {"where": name, "found": f"cannot be evaluated: {said}", "change": "define it, or correct it"}
                continue  # otherwise a file that is only made later, such as a generated password
            yield from inputs.value(name, name, "", value, option)

    def _unfit_file(self, kind: str, name: str) -> str:
        """What is wrong with a file on the controller: `tasks`, which must be read, or `templates`."""
        if not kind:
            return ""
        try:
            file = self._find_needle(kind, name)
            if kind == "tasks" and not isinstance(self._loader.load_from_file(file), list):
                return f"{name!r} is no list of tasks"
        except AnsibleError as error:
            return f"{name!r} cannot be read: {str(error.message).strip().splitlines()[0]}"
        return ""

    @staticmethod
    def _misspelt(given: Map, options: Map, known: Set[str]) -> Iterator[Finding]:
        """Variables that are none, and nearly one: nothing would be done with them.

        `known` has the options of other entry points, which an earlier playbook of the same run may have set.
        """
        names = {name for name in given if name.startswith("messenger_")} - options.keys() - known
        for name in sorted(names):
            near = get_close_matches(name, options, 1, 0.93)
            if near and not re.fullmatch(re.escape(near[0]) + "[_0-9].*", name):  # a part of one, such as …_env_common
                yield {"where": name, "found": "there is no such variable", "change": f"{near[0]}?"}

    def _from_inventory(self, given: Map, names: Sequence[str]) -> Iterator[Finding]:
        """Names that mean something on the command line, and were set for something else in an inventory."""
        said = load_extra_vars(self._loader)
        for name in names:
            if name in given and name not in said:
                change = f"another name there; here it means what the command line says (-e {name}=…)"
                yield {"where": name, "found": "the inventory sets it", "change": change}
