"""Configuration files in the manner of real Symfony projects: each loads, or one line says what to write instead."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from messenger import Application, ConfigError

FILES = sorted((Path(__file__).parent / "symfony_files").glob("*.yaml"))
EXPECT = re.compile(r"\bExpect: (.*)$")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text("p@ss:w%rd/\n")
    return {
        "APP_ENV": "prod",
        "MESSENGER_TRANSPORT_DSN": "redis://localhost:6379",
        "MAX_RETRIES": "5",
        "DELETE": "on",
        "REDIS_USER": "worker",
        "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
        "QUEUES": '{"orders": "redis://localhost/orders", "mails": "redis://localhost/mails"}',
    }


def loaded(path: Path, directory: Path, environ: dict[str, str]) -> Application:
    place = directory / "messenger.yaml"
    place.write_text(path.read_text())
    application = Application.load(place, environ)
    for name in application.transport_names:
        application.transport(name)
    return application


def test_there_are_fifteen() -> None:
    assert len(FILES) == 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_loads_or_says_what_to_write(path: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    (expected,) = EXPECT.findall(path.read_text().splitlines()[0])
    if expected == "loads":
        loaded(path, tmp_path, environ).close()
        return
    with pytest.raises(ConfigError) as caught:
        loaded(path, tmp_path, environ)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_right_in_every_environment(path: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    expected = EXPECT.findall(path.read_text().splitlines()[0])
    for name in ("dev", "test"):
        context = nullcontext() if expected == ["loads"] else pytest.raises(ConfigError)
        with context:
            loaded(path, tmp_path, environ | {"APP_ENV": name}).close()


def transports(number: int, directory: Path, environ: dict[str, str]) -> dict[str, str]:
    application = loaded(FILES[number - 1], directory, environ)
    return {name: config.dsn for name, config in application.config.transports.items()}


def test_production_and_tests_differ(tmp_path: Path, environ: dict[str, str]) -> None:
    production = transports(5, tmp_path, environ)
    assert production["normal"] == environ["MESSENGER_TRANSPORT_DSN"]
    tests = transports(5, tmp_path, environ | {"APP_ENV": "test"})
    assert tests == {"sync": "sync://", "normal": "in-memory://"}


def test_a_password_of_a_file_is_encoded_in_its_dsn(tmp_path: Path, environ: dict[str, str]) -> None:
    assert transports(6, tmp_path, environ)["async"] == (
        "redis://worker:p%40ss%3Aw%25rd%2F@localhost:6379/prod_messages"
    )


def test_numbers_and_switches_come_from_the_environment(tmp_path: Path, environ: dict[str, str]) -> None:
    high = loaded(FILES[3], tmp_path, environ).config.transports["high"]
    assert (high.retry_strategy.max_retries, high.retry_strategy.delay, high.priority) == (5, 2500, 10)
    low = loaded(FILES[3], tmp_path, environ | {"DELETE": "off"}).config.transports["low"]
    assert low.options["delete_after_ack"] is False
