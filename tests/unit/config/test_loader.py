"""messenger.yaml as people write it, `.env` and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from messenger import ConfigError
from messenger.config.loader import LoadedConfig, load_config
from messenger.config.model import RetryStrategyConfig
from tests.support.paths import ROOT

# As Symfony's documentation shows it; not one character may have to change.
SYMFONY = r"""
framework:
    messenger:
        transports:
            async: '%env(MESSENGER_TRANSPORT_DSN)%'
            failed: 'doctrine://default?queue_name=failed'

        routing:
            'App\Message\SmsNotification': async
            sms.message.SmsNotification: async
"""
FULL = r"""
# config/packages/messenger.yaml
framework:
    messenger:
        failure_transport: failed
        default_bus: messenger.bus.default
        buses:
            messenger.bus.default: ~
            event.bus:
                default_middleware: allow_no_handlers
            query.bus:
                default_middleware: { enabled: true, allow_no_handlers: false, allow_no_senders: true }
        serializer:
            default_serializer: messenger.transport.symfony_serializer
            symfony_serializer:
                format: json
                context: { }
        transports:
            async_priority_high:
                dsn: "%env(MESSENGER_TRANSPORT_DSN)%"
                failure_transport: failed_high
                serializer: messenger.transport.symfony_serializer
                options:
                    stream: high
                    auto_setup: false
                retry_strategy:
                    max_retries: 5
                    delay: 500
                    multiplier: 3
                    max_delay: 60000
                    jitter: 0.2
            async_priority_low:
                dsn: "%env(MESSENGER_TRANSPORT_DSN)%"
                failure_transport: ~
            failed: 'doctrine://default?queue_name=failed'
            failed_high: 'doctrine://default?queue_name=failed_high'
            sync: 'sync://'
        routing:
            'App\Message\SmsNotification': async_priority_low
            'App\Message\NewUserWelcomeEmail': [async_priority_high, sync]
            'App\Message\*':
                senders: [async_priority_low]
            '*': sync

when@test:
    framework:
        messenger:
            transports:
                async: 'in-memory://'
"""
DSN = {"MESSENGER_TRANSPORT_DSN": "redis://localhost:6379/messages"}

Load = Callable[..., LoadedConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a messenger.yaml, and perhaps a .env, and loads it."""

    def write_and_load(
        text: str, environ: Mapping[str, str] | None = None, dotenv: str | bytes | None = None
    ) -> LoadedConfig:
        (tmp_path / "messenger.yaml").write_text(text, encoding="utf-8")
        if dotenv is not None:
            (tmp_path / ".env").write_bytes(dotenv.encode() if isinstance(dotenv, str) else dotenv)
        return load_config(tmp_path / "messenger.yaml", environ or {})

    return write_and_load


def test_symfonys_own_file_loads_unchanged(load: Load) -> None:
    config = load(SYMFONY, DSN).messenger
    assert {name: t.dsn for name, t in config.transports.items()} == {
        "async": "redis://localhost:6379/messages",
        "failed": "doctrine://default?queue_name=failed",
    }
    assert config.routing == {"App\\Message\\SmsNotification": ["async"], "sms.message.SmsNotification": ["async"]}
    assert config.transports["async"].retry_strategy == RetryStrategyConfig(3, 1000, 2.0, 0, 0.1)


def test_the_short_form_says_the_same(load: Load) -> None:
    long = load(SYMFONY, DSN).messenger
    lines = SYMFONY.strip().splitlines()[1:]
    assert load("\n".join(line[4:] for line in lines), DSN).messenger == long


def test_every_key_of_symfonys_that_is_understood(load: Load) -> None:
    config = load(FULL, DSN).messenger
    high = config.transports["async_priority_high"]
    assert high.retry_strategy == RetryStrategyConfig(5, 500, 3.0, 60000, 0.2)
    assert (high.failure_transport, high.options) == ("failed_high", {"stream": "high", "auto_setup": False})
    assert config.transports["async_priority_low"].failure_transport is None
    assert config.routing["App\\Message\\NewUserWelcomeEmail"] == ["async_priority_high", "sync"]
    assert config.routing["App\\Message\\*"] == ["async_priority_low"]
    assert list(config.buses) == ["messenger.bus.default", "event.bus", "query.bus"]
    assert config.buses["event.bus"].default_middleware == "allow_no_handlers"
    assert "async" not in config.transports, "when@test is Symfony's own"


def test_the_example_application_loads(load: Load) -> None:
    text = (ROOT / "examples/sms/messenger.yaml").read_text()
    config = load(text, DSN).messenger
    assert (config.name, config.handlers, config.failure_transport) == ("sms", ["sms.handlers"], "failed")


def test_the_bare_minimum(load: Load) -> None:
    config = load("messenger: {}").messenger
    assert config.name == "messenger"
    assert config.transports == {}


def test_empty_sections_are_empty(load: Load) -> None:
    config = load("messenger:\n  transports:\n  routing:\n  buses:\n  connections:\n").messenger
    assert (config.transports, config.routing, config.buses, config.connections) == ({}, {}, {}, {})


TEMPLATE = "messenger: {transports: {async: '%env(MESSENGER_TRANSPORT_DSN)%'}}"


def async_dsn(loaded: LoadedConfig) -> str:
    return loaded.messenger.transports["async"].dsn


def test_dotenv_beside_the_file_is_read(load: Load) -> None:
    assert async_dsn(load(TEMPLATE, {}, "MESSENGER_TRANSPORT_DSN=redis://from-file\n")) == "redis://from-file"


def test_the_real_environment_wins(load: Load) -> None:
    found = load(TEMPLATE, {"MESSENGER_TRANSPORT_DSN": "redis://real"}, "MESSENGER_TRANSPORT_DSN=redis://file")
    assert async_dsn(found) == "redis://real"
    assert found.environment["MESSENGER_TRANSPORT_DSN"] == "redis://real"


def test_the_dotenv_of_another_directory_is_not_read(load: Load, tmp_path: Path) -> None:
    (tmp_path.parent / ".env").write_text("MESSENGER_TRANSPORT_DSN=redis://parent")
    with pytest.raises(ConfigError, match="MESSENGER_TRANSPORT_DSN is not set"):
        load(TEMPLATE)


@pytest.mark.parametrize(
    ("dotenv", "expected"),
    [
        ("export MESSENGER_TRANSPORT_DSN=redis://x", "redis://x"),
        ("# c\n\nMESSENGER_TRANSPORT_DSN='redis://p$a${b}@x'  # c\n", "redis://p$a${b}@x"),
        ('MESSENGER_TRANSPORT_DSN="redis://x#y"', "redis://x#y"),
        ("MESSENGER_TRANSPORT_DSN=redis://p$HOME@x", "redis://p$HOME@x"),
        ("MESSENGER_TRANSPORT_DSN=", ""),
        ("MESSENGER_TRANSPORT_DSN=redis://100%@x", "redis://100%@x"),
        ("MESSENGER_TRANSPORT_DSN=redis://%env(HOME)%@x", "redis://%env(HOME)%@x"),
        ("MESSENGER_TRANSPORT_DSN=redis://ü\r\n", "redis://ü"),
    ],
)
def test_values_stand_as_they_are_written(load: Load, dotenv: str, expected: str) -> None:
    assert async_dsn(load(TEMPLATE, {}, dotenv)) == expected


def test_loading_changes_no_environment(load: Load) -> None:
    load(TEMPLATE, {}, "MESSENGER_TRANSPORT_DSN=redis://from-file\n")
    assert "MESSENGER_TRANSPORT_DSN" not in os.environ


def test_a_variable_may_be_a_part_of_a_text_and_percent_is_doubled(load: Load) -> None:
    text = "messenger: {transports: {async: {dsn: 'redis://%env(U)%:%env(P)%@h', options: {stream: '100%%'}}}}"
    transport = load(text, {"U": "u", "P": "p%%q"}).messenger.transports["async"]
    assert (transport.dsn, transport.options) == ("redis://u:p%%q@h", {"stream": "100%"})


def test_a_dotenv_that_is_no_text_is_one_line(load: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TEMPLATE, {}, b"MESSENGER_TRANSPORT_DSN=\xff\xfe")
    assert str(caught.value).startswith(f"{tmp_path / '.env'}: cannot be read (it is not UTF-8)")


def test_a_linked_file_is_known_by_where_it_really_lies(tmp_path: Path) -> None:
    release = tmp_path / "releases/1"
    release.mkdir(parents=True)
    (release / "messenger.yaml").write_text(TEMPLATE)
    (release / ".env").write_text("MESSENGER_TRANSPORT_DSN=redis://release-1")
    (tmp_path / "current").symlink_to(release)
    loaded = load_config(tmp_path / "current/messenger.yaml", {})
    assert loaded.directory == release
    assert async_dsn(loaded) == "redis://release-1"
