"""``%env(…)%`` with Symfony's processors, ``%parameters%``, `when@ENV` and the `.env` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from messenger import Application, ConfigError
from messenger.config.loader import LoadedConfig, load_config

SECRET = "s3cr3t"  # noqa: S105


def load(directory: Path, text: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    (directory / "messenger.yaml").write_text(text)
    return load_config(directory / "messenger.yaml", environ or {})


def option(directory: Path, expression: str, value: str | None = None, parameters: str = "{}") -> Any:
    """What an option becomes that is written as `expression`, with V in the environment."""
    transport = f"{{dsn: 'sync://', options: {{x: '{expression}'}}}}"
    text = f"parameters: {parameters}\nmessenger: {{transports: {{a: {transport}}}}}\n"
    loaded = load(directory, text, {} if value is None else {"V": value})
    return loaded.messenger.transports["a"].options["x"]


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("%env(string:V)%", "7", "7"),
        ("%env(int:V)%", " 7 ", 7),
        ("%env(int:V)%", "7.9", 7),
        ("%env(int:V)%", "-3", -3),
        ("%env(float:V)%", "1.5", 1.5),
        ("%env(bool:V)%", "on", True),
        ("%env(bool:V)%", "0.0", False),
        ("%env(bool:V)%", "maybe", False),
        ("%env(not:bool:V)%", "yes", False),
        ("%env(not:V)%", "", True),
        ("%env(trim:V)%", "  a\n", "a"),
        ("%env(base64:V)%", "aMO8", "hü"),
        ("%env(base64:V)%", "aMO8bw", "hüo"),
        ("%env(json:V)%", '{"a": [1]}', {"a": [1]}),
        ("%env(key:a:json:V)%", '{"a": "b"}', "b"),
        ("%env(csv:V)%", 'a,"b,c"', ["a", "b,c"]),
        ("%env(key:host:url:V)%", "redis://u:p@h:7/x?y=1", "h"),
        ("%env(key:pass:url:V)%", "redis://u:p%40@h", "p@"),
        ("%env(key:port:url:V)%", "redis://h:7", 7),
        ("%env(key:y:query_string:V)%", "x=1&y=a%20b", "a b"),
        ("%env(urlencode:V)%", "a b/@", "a+b%2F%40"),
        ("%env(default::V)%", None, None),
        ("%env(default:d:V)%", None, "fallback"),
        ("%env(default:d:V)%", "", "fallback"),
        ("%env(default:d:V)%", "set", "set"),
        ("%env(int:default:n:V)%", None, 5),
        ("%env(defined:V)%", "x", True),
        ("%env(defined:V)%", None, False),
        ("%env(resolve:V)%", "x-%d%", "x-fallback"),
        ("%env(resolve:V)%", "100%%", "100%"),
        ("%env(V)%", "x-%d%", "x-%d%"),
        ("a %env(int:V)% b", "7", "a 7 b"),
        ("%d%", None, "fallback"),
        ("%l%", None, ["fallback"]),
        ("%%d%%", None, "%d%"),
        ("p%C3%A9", None, "p%C3%A9"),
        ("100%", None, "100%"),
    ],
)
def test_a_value(tmp_path: Path, expression: str, value: str | None, expected: Any) -> None:
    found = option(tmp_path, expression, value, "{d: fallback, n: 5, l: ['%d%']}")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "value", "error"),
    [
        ("%env(int:V)%", SECRET, "%env(int:V)%: the environment variable V is no number"),
        ("%env(int:V)%", "1_000", "the environment variable V is no number"),
        ("%env(float:V)%", "inf", "the environment variable V is no number"),
        ("%env(json:V)%", SECRET, "the environment variable V is not JSON"),
        ("%env(json:V)%", '"s3cr3t"', "the environment variable V is JSON of another kind"),
        ("%env(json:V)%", "[" * 100_000, "the environment variable V is not JSON"),
        ("%env(key:b:json:V)%", '{"a": "s3cr3t"}', "%env(key:b:json:V)%: there is no key 'b' in it"),
        ("%env(base64:V)%", "s3cr3t!", "the environment variable V is not Base64"),
        ("%env(base64:V)%", "/w==", "the environment variable V holds Base64 that is not UTF-8 text"),
        ("%env(file:V)%", f"/nowhere/{SECRET}", "the environment variable V names a file that cannot be read (No such"),
        ("%env(file:V)%", "/dev/zero", "the environment variable V names a file of more than 1000000 bytes"),
        ("%env(url:V)%", SECRET, "the environment variable V is no URL"),
        ("%env(const:V)%", "x", "found the processor 'const' in %env(const:V)%: it belongs to PHP; allowed: base64, "),
        ("%env(upper:V)%", "x", "found the processor 'upper' in %env(upper:V)%: allowed: base64, bool"),
        ("%env(default:V)%", "x", "found %env(default:V)%; allowed: %env(default:PARAMETER:NAME)%"),
        ("%env(trim:V)%", None, "the environment variable V is not set"),
        ("%env(a b)%", "x", "found %env(a b)%; allowed: %env(NAME)%, or %env(PROCESSOR:NAME)%"),
        ("%env(V)", "x", "found %env( without its end"),
        ("x %env(json:V)%", "[1]", "in the middle of a text"),
        ("%nothing%", None, "found the parameter %nothing%, which is not known here (known: kernel.project_dir, loop)"),
        ("%kernel.environment%", None, "%kernel.environment%, which is not known here (APP_ENV is not set)"),
        ("%loop%", None, "found parameters that stand for each other"),
    ],
)
def test_what_stands_for_nothing_is_one_line_without_the_value(
    tmp_path: Path, expression: str, value: str | None, error: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        option(tmp_path, expression, value, "{loop: '%loop%'}")
    assert f"messenger.transports.a.options.x: {error}" in str(caught.value) or error in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_default_of_a_variable(tmp_path: Path) -> None:
    assert option(tmp_path, "%env(V)%", None, "{'env(V)': 'x'}") == "x"
    assert option(tmp_path, "%env(V)%", "y", "{'env(V)': 'x'}") == "y"


def test_parameters_of_the_kernel(tmp_path: Path) -> None:
    directory = tmp_path / "config/packages"
    directory.mkdir(parents=True)
    text = (
        "messenger: {connections: {a: 'sqlite:///%kernel.project_dir%/x', b: '%kernel.environment%'}, "
        "transports: {t: {dsn: 'sync://', options: {d: '%kernel.debug%'}}}}"
    )
    loaded = load(directory, text, {"APP_ENV": "prod"})
    assert loaded.messenger.connections == {"a": f"sqlite:///{tmp_path}/x", "b": "prod"}
    assert loaded.messenger.transports["t"].options == {"d": False}
    assert load(directory, text, {"APP_ENV": "dev"}).messenger.transports["t"].options == {"d": True}


def test_a_secret_in_a_number_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "messenger: {transports: {a: {dsn: 'sync://', weight: '%env(V)%'}}}", {"V": SECRET})
    assert str(caught.value).endswith(
        "weight: found '%env(V)%'; allowed: a whole number; %env(int:NAME)% makes one of a variable"
    )


WHEN = """
messenger:
    failure_transport: ~
    transports: {a: {dsn: 'redis://base', options: {stream: s}, retry_strategy: {max_retries: 1, delay: 7}}}
    routing: {m: a, n: a}
    buses: {x: {middleware: [p.Q]}}
when@prod:
    parameters: {host: prod}
    messenger:
        transports: {a: 'redis://%host%', b: 'sync://'}
        routing: {m: [b]}
        buses: {x: {middleware: []}}
when@test: {framework: {messenger: {transports: {a: {retry_strategy: {max_retries: 0}, options: ~}}}}}
"""


def test_the_part_of_app_env_counts(tmp_path: Path) -> None:
    config = load(tmp_path, WHEN, {"APP_ENV": "prod"}).messenger
    assert {name: transport.dsn for name, transport in config.transports.items()} == {
        "a": "redis://prod",
        "b": "sync://",
    }
    assert config.transports["a"].options == {"stream": "s"}
    assert config.routing == {"m": ["b"], "n": ["a"]}
    assert config.buses["x"].middleware == []
    test = load(tmp_path, WHEN, {"APP_ENV": "test"}).messenger.transports["a"]
    assert (test.dsn, test.retry_strategy.max_retries, test.retry_strategy.delay) == ("redis://base", 0, 7)


def test_app_env_may_stand_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_ENV=prod\n")
    assert load(tmp_path, WHEN).when == "when@prod"


def test_parts_are_passed_over_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "messenger.yaml").write_text(WHEN.replace("[p.Q]", "[]"))
    application = Application.load(tmp_path / "messenger.yaml", {})
    assert "APP_ENV is not set, so when@prod, when@test is not applied" in " ".join(application.notes)
    assert load(tmp_path, WHEN, {"APP_ENV": "dev"}).notes == ()


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("when@prod: 5", "when@prod: found no map"),
        ("when@prod: {nonsense: {}}", "when@prod: unknown key 'nonsense'; allowed: framework, messenger, parameters"),
        ("when@prod: {messenger: 5}", "when@prod: no map under"),
        ("when@prod: {parameters: 5}", "when@prod.parameters: found no map"),
        ("parameters: [a]", "parameters: found no map"),
    ],
)
def test_a_mistake_in_a_part(tmp_path: Path, part: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        load(tmp_path, f"messenger: {{}}\n{part}\n", {"APP_ENV": "prod"})


DOTENV = [".env", ".env.local", ".env.prod", ".env.prod.local"]


@pytest.mark.parametrize(("count", "expected"), [(1, ".env"), (2, ".env.local"), (3, ".env.prod"), (4, DOTENV[3])])
def test_a_later_dotenv_file_wins(tmp_path: Path, count: int, expected: str) -> None:
    for name in DOTENV[:count]:
        (tmp_path / name).write_text(f"WHO={name}\n")
    (tmp_path / ".env.test.local").write_text("WHO=test\n")
    text = "messenger: {connections: {a: '%env(WHO)%'}}"
    assert load(tmp_path, text, {"APP_ENV": "prod"}).messenger.connections == {"a": expected}
    assert load(tmp_path, text, {"APP_ENV": "prod", "WHO": "real"}).messenger.connections == {"a": "real"}


def test_tests_do_not_read_what_is_local(tmp_path: Path) -> None:
    for name in (".env", ".env.local", ".env.test"):
        (tmp_path / name).write_text(f"WHO={name}\n")
    text = "messenger: {connections: {a: '%env(WHO)%'}}"
    assert load(tmp_path, text, {"APP_ENV": "test"}).messenger.connections == {"a": ".env.test"}
    (tmp_path / ".env.test").unlink()
    assert load(tmp_path, text, {"APP_ENV": "test"}).messenger.connections == {"a": ".env"}


def test_a_name_in_dotenv_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("'WHO=a'=b\n")
    with pytest.raises(
        ConfigError, match=r"\.env: the name of a variable is empty or has a = in it; allowed: NAME=value"
    ):
        load(tmp_path, "messenger: {}")


def test_a_nul_in_dotenv_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"WHO=a\0b\n")
    with pytest.raises(ConfigError, match=r"\.env: holds a NUL byte"):
        load(tmp_path, "messenger: {}")


@pytest.mark.parametrize("key", ["%n%_high", "%env(V)%", "x %env(V)%"])
def test_a_key_stands_for_itself(tmp_path: Path, key: str) -> None:
    text = f"parameters: {{n: mail}}\nmessenger: {{transports: {{'{key}': 'sync://'}}}}"
    with pytest.raises(ConfigError, match="found the key .*; allowed: a name without") as caught:
        load(tmp_path, text, {"V": SECRET})
    assert SECRET not in str(caught.value)


def test_a_file_with_another_environment_s_part_only_says_so(tmp_path: Path) -> None:
    text = "when@prod: {messenger: {}}"
    with pytest.raises(ConfigError, match=r"when@prod counts where APP_ENV says so, and it is not set$"):
        load(tmp_path, text)
    with pytest.raises(ConfigError, match=r"and it is dev$"):
        load(tmp_path, text, {"APP_ENV": "dev"})


@pytest.mark.parametrize("number", ["010", "1:30", "0_1"])
def test_a_number_that_yaml_1_1_and_1_2_read_differently_is_refused(tmp_path: Path, number: str) -> None:
    text = f"messenger: {{transports: {{a: {{dsn: 'sync://', weight: {number}}}}}}}"
    with pytest.raises(ConfigError, match=f"'{number}' is read as different numbers; write it as a plain number"):
        load(tmp_path, text)
