"""docs/messenger-yaml.md and docs/messenger.schema.json say what the loader does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from messenger import ConfigError
from messenger.config.loader import load_config
from messenger.config.strict_yaml import load_yaml
from tests.support.paths import ROOT
from tests.unit.config.test_loader import FULL, SYMFONY
from tests.unit.config.test_mistakes import MISTAKES, SECRET

GENERATOR = ROOT / "scripts/config_reference.py"
EXAMPLE = (ROOT / "examples/sms/messenger.yaml").read_text()
SHORT_FORM = "\n".join(line[4:] for line in SYMFONY.strip().splitlines()[1:])
BOTH_FORMS = ["{messenger: {}, framework: ~}", "{messenger: ~, framework: {messenger: {}}}"]
ENVIRON = {
    "MESSENGER_TRANSPORT_DSN": f"redis://u:{SECRET}@h",
    "DSN": f"redis://u:{SECRET}@h",
    "SECRET": SECRET,
    "NAME": "shop",
    "SERIALIZER": "messenger.transport.symfony_serializer",
}
# What a schema cannot know: names that refer to other keys, the environment, and what YAML has and JSON has not.
ONLY_THE_LOADER = re.compile(
    r"which is no (transport|rate limiter)|which cannot be its outbox|missing key 'limit'"
    r"|found other keys beside 'service'|default_bus: found '|environment variable .* is not set|in %env\("
    r"|found '%env\(NAME\)%'; allowed: (json|sha256|messenger\.transport|allow_no_handlers)"  # it stands for any
    r"|found '%env\(NAME\)%'; allowed: (a whole number|a number|true)"
    r"|found the key \d|found nan|which is no signal|which is sync://"
)
UNREADABLE = re.compile("not YAML|not UTF-8|own anchor")
# One of each kind a YAML value can be, and texts that are right in some places. "async" is a transport and a bus.
VALUES: list[Any] = [None, True, 0, -1, 7, 0.5, -0.5, "", "async", "a b", "%env(NAME)%", "json", "allow_no_handlers"]
VALUES += [[], [1], ["async"], {}, {"x": 1}, {"dsn": "sync://"}, {"senders": ["async"]}, {"enabled": 1}]


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    schema = json.loads((ROOT / "docs/messenger.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def refusal(directory: Path, text: str | bytes) -> str | None:
    """What load_config says against this file; None when it loads."""
    path = directory / "messenger.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        load_config(path, ENVIRON)
    except ConfigError as error:
        return str(error)
    return None


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside a value."""
    yield path
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the document with another value in this place."""
    if not path:
        return value
    document = deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


def test_both_files_are_what_the_generator_makes() -> None:
    made = subprocess.run([sys.executable, GENERATOR], capture_output=True, text=True, timeout=60, check=False)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")


@pytest.mark.parametrize("text", [SYMFONY, SHORT_FORM, FULL, EXAMPLE, "messenger: {}", *BOTH_FORMS])
def test_what_loads_is_right_in_an_editor(editor: Draft202012Validator, tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text) is None
    assert [error.message for error in editor.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("text", [mistake[0] for mistake in MISTAKES], ids=range(len(MISTAKES)))
def test_a_mistake_is_one_for_loader_and_editor_alike(
    editor: Draft202012Validator, tmp_path: Path, text: str | bytes
) -> None:
    refused = refusal(tmp_path, text)
    if refused is not None and UNREADABLE.search(refused):
        with pytest.raises((yaml.YAMLError, ValueError)):  # nothing that a schema could judge
            json.dumps(load_yaml(text if isinstance(text, str) else text.decode()))
        return
    document = json.loads(json.dumps(yaml.safe_load(text)))  # an editor takes any key for text
    expected = refused is None or bool(ONLY_THE_LOADER.search(refused))
    assert editor.is_valid(document) == expected, refused


def test_most_mistakes_are_seen_by_both(tmp_path: Path) -> None:
    refusals = [refusal(tmp_path, mistake[0]) or "" for mistake in MISTAKES]
    only_one = [text for text in refusals if not text or ONLY_THE_LOADER.search(text) or UNREADABLE.search(text)]
    assert len(only_one) < len(MISTAKES) / 2


MODEL = yaml.safe_load(
    r"""
    parameters: { shop: x }
    framework:
        cache: ~
        messenger:
            name: shop
            handlers: [shop.handlers]
            setup: shop.setup.setup
            handler_timeout: 30
            infrastructure_errors: [shop.Away]
            failure_transport: async
            default_bus: async
            buses:
                async: { default_middleware: { enabled: true, allow_no_handlers: false, allow_no_senders: true } }
                events: { middleware: [shop.Audit] }
            connections: { default: 'sqlite:///x' }
            control: 'redis://h'
            enabled: true
            reset_on_message: true
            stop_worker_on_signals: [SIGUSR1, 12]
            signing: { key: '%env(NAME)%', previous_key: '', algorithm: sha512, bind_type: true }
            rate_limiters:
                sms: { limit: 10, interval: 1.0, burst: 10, key: to }
                own: { service: shop.limits.Mine, key: to }
            serializer: { default_serializer: '%env(SERIALIZER)%', symfony_serializer: { format: json, context: {} } }
            transports:
                async:
                    dsn: '%env(DSN)%'
                    failure_transport: ~
                    max_deliveries: 3
                    max_age: 0.5
                    rate_limiter: sms
                    outbox: stored
                    weight: 3
                    priority: 10
                    serializer: messenger.transport.symfony_serializer
                    options: { stream: high }
                    retry_strategy: { max_retries: 5, delay: 500, multiplier: 3, max_delay: 60000, jitter: 0.2 }
                stored: 'doctrine://default'
                sync: { dsn: 'sync://', retry_strategy: { service: shop.Retry } }
            routing: { a: async, b: [async, sync], c: { senders: [async] } }
    when@test: ~
    """
)


def value_at(path: tuple[str | int, ...]) -> Any:
    """What MODEL says in this place."""
    value: Any = MODEL
    for key in path:
        value = value[key]
    return value


def test_the_document_of_the_next_test_has_every_key() -> None:
    table = (ROOT / "docs/messenger-yaml.md").read_text()
    keys = {part for key in re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) for part in key.split(".")} - {"NAME"}
    assert len(keys) >= 28
    assert keys <= {part for path in places(MODEL) for part in path}


@pytest.mark.parametrize("path", list(places(MODEL)), ids=lambda path: ".".join(map(str, path)) or "document")
def test_any_value_in_any_place_is_judged_alike(
    editor: Draft202012Validator, tmp_path: Path, path: tuple[str | int, ...]
) -> None:
    for value in VALUES:
        document = replaced(MODEL, path, value)
        refused = refusal(tmp_path, json.dumps(document))
        errors = [error.message for error in editor.iter_errors(document)]
        if refused is not None and ONLY_THE_LOADER.search(refused):
            assert errors == [], (value, refused)
        else:
            assert (errors == []) == (refused is None), (value, refused, errors)


def test_an_unknown_key_is_refused_at_every_level(editor: Draft202012Validator, tmp_path: Path) -> None:
    free = {
        "framework",
        "parameters",
        "options",
        "context",
        "transports",
        "routing",
        "buses",
        "connections",
        "rate_limiters",
    }
    levels = [path for path in places(MODEL) if isinstance(value_at(path), dict) and not free & set(path[-1:])]
    assert len(levels) >= 8
    for path in levels:
        document = replaced(MODEL, (*path, "nmae"), "x")
        assert "unknown key 'nmae'" in (refusal(tmp_path, json.dumps(document)) or "accepted"), path
        assert not editor.is_valid(document), path


def test_the_path_in_the_docs_leads_from_the_example_to_the_schema() -> None:
    found = re.search(r"# yaml-language-server: \$schema=(\S+?)`", (ROOT / "docs/messenger-yaml.md").read_text())
    assert found is not None
    assert (ROOT / "examples/sms" / found[1]).resolve() == ROOT / "docs/messenger.schema.json"
