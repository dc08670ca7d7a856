"""Every mistake in messenger.yaml is one line: the file, the key, what was found, what is allowed. No secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from messenger import ConfigError
from messenger.application import Application
from messenger.config.loader import load_config

SECRET = "s3cr3t"
TRANSPORTS = f"async: 'redis://user:{SECRET}@127.0.0.1:1/messages', failed: 'in-memory://'"


def load_all(path: Path) -> None:
    application = Application.load(path, {"SECRET": SECRET, "DSN": f"redis://u:{SECRET}@h"})
    for name in application.transport_names:
        application.transport(name)
    application.control()


def error_of(directory: Path, text: str | bytes) -> str:
    """The error of loading this file and making all it names, as `messenger debug` does."""
    path = directory / "messenger.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_all(path)
    line = str(caught.value)
    assert line.startswith(f"{path}:"), line
    assert "\n" not in line
    assert SECRET not in line
    return line.removeprefix(str(path))


def transport(text: str) -> str:
    return f"messenger: {{failure_transport: failed, transports: {{{TRANSPORTS}, a: {text}}}}}"


def section(text: str) -> str:
    return f"messenger: {{failure_transport: failed, transports: {{{TRANSPORTS}}}, {text}}}"


# Each list is the one before it, ten times.
LAUGHS = "messenger:\n  l0: &l0 [x]\n" + "".join(
    f"  l{n}: &l{n} [{', '.join(10 * [f'*l{n - 1}'])}]\n" for n in range(1, 30)
)

MISTAKES: list[tuple[str | bytes, str, str, str]] = [
    ("", ": ", "found no map", "'framework: messenger: …' or 'messenger: …'"),
    ("- a", ": ", "found no map", "'framework: messenger: …' or 'messenger: …'"),
    ("framwork: {}", ": ", "unknown key 'framwork'", "framework, messenger, parameters, when@…"),
    ("framework: {cache: {}}", ": ", "no map under", "'framework: messenger:' or 'messenger:'"),
    ("messenger: 5", ": ", "no map under", "'messenger:'"),
    (section("nmae: x"), ": messenger: ", "unknown key 'nmae'", "allowed: name, handlers, setup, transports, routing"),
    (section("name: 'a b'"), ": messenger.name: ", "found 'a b'", "allowed: text matching"),
    (section("name: 5"), ": messenger.name: ", "found 5", "allowed: text"),
    (section("handlers: shop"), ": messenger.handlers: ", "found 'shop'", "allowed: a list"),
    (section("handlers: [1]"), ": messenger.handlers[0]: ", "found 1", "allowed: text"),
    ("messenger: {transports: x}", ": messenger.transports: ", "found 'x'", "allowed: a map"),
    ("messenger: {transports: false}", ": messenger.transports: ", "found false", "allowed: a map"),
    ("framework: {messenger: {transports: [a]}}", ": framework.messenger.transports: ", "found a list", "a map"),
    ("messenger: {transports: {5: x}}", ": messenger.transports: ", "found the key 5", "allowed: text"),
    (transport("5"), ": messenger.transports.a: ", "found 5", "allowed: text or a map"),
    (transport("~"), ": messenger.transports.a: ", "found null", "allowed: text or a map"),
    (transport(f"['redis://u:{SECRET}@h']"), ": messenger.transports.a: ", "found a list", "allowed: text or a map"),
    (transport("{}"), ": messenger.transports.a: ", "missing key 'dsn'", ""),
    (transport("{dsn: 5}"), ": messenger.transports.a.dsn: ", "found 5", "allowed: text"),
    (transport("{dsn: 'sync://', optoins: {}}"), ": messenger.transports.a: ", "unknown key 'optoins'", "dsn, options"),
    (transport("{dsn: 'sync://', options: 5}"), ": messenger.transports.a.options: ", "found 5", "allowed: a map"),
    (
        transport("{dsn: 'sync://', serializer: x}"),
        ": messenger.transports.a.serializer: ",
        "'x'",
        "symfony_serializer",
    ),
    (transport("{dsn: 'sync://', retry_strategy: 5}"), ".retry_strategy: ", "found 5", "allowed: a map"),
    (transport("{dsn: 'sync://', retry_strategy: {max: 5}}"), ".retry_strategy: ", "unknown key 'max'", "max_retries,"),
    (transport("{dsn: 'sync://', retry_strategy: {max_retries: -1}}"), ".max_retries: ", "found -1", "number >= 0"),
    (transport("{dsn: 'sync://', retry_strategy: {max_retries: all}}"), ".max_retries: ", "'all'", "a whole number"),
    (transport("{dsn: 'sync://', retry_strategy: {delay: 1.5}}"), ".delay: ", "found 1.5", "a whole number"),
    (transport("{dsn: 'sync://', retry_strategy: {max_delay: -5}}"), ".max_delay: ", "found -5", ">= 0"),
    (transport("{dsn: 'sync://', retry_strategy: {multiplier: 0.5}}"), ".multiplier: ", "found 0.5", "number >= 1.0"),
    (transport("{dsn: 'sync://', retry_strategy: {multiplier: .nan}}"), ".multiplier: ", "found nan", "number >= 1.0"),
    (transport("{dsn: 'sync://', retry_strategy: {jitter: 2}}"), ".jitter: ", "found 2", "number <= 1.0"),
    (transport("{dsn: 'sync://', failure_transport: b}"), ".failure_transport: ", "found 'b'", "async, failed, a"),
    ("messenger: {failure_transport: b}", ": messenger.failure_transport: ", "found 'b'", "allowed: none"),
    (
        transport("{dsn: 'doctrine://default', outbox: b}"),
        ".a.outbox: ",
        "found 'b', which is no transport",
        "async, fa",
    ),
    (transport("{dsn: 'sync://', outbox: 5}"), ".a.outbox: ", "found 5", "allowed: text or null"),
    (
        transport("{dsn: 'doctrine://default', outbox: a}"),
        ": messenger.transports.a.outbox: ",
        "found 'a', which cannot be its outbox: it is the transport itself",
        "allowed: none",
    ),
    (
        transport("{dsn: 'in-memory://', outbox: async}, out: 'doctrine://default'"),
        ": messenger.transports.a.outbox: ",
        "found 'async', which cannot be its outbox: it is no SQL transport",
        "allowed: out",
    ),
    (
        transport(
            "{dsn: 'in-memory://', outbox: b}, b: {dsn: 'doctrine://default', outbox: c}, c: 'doctrine://default'"
        ),
        ": messenger.transports.a.outbox: ",
        "found 'b', which cannot be its outbox: it has an outbox itself",
        "allowed: c",
    ),
    (
        transport("{dsn: 'sync://', outbox: b}, b: 'doctrine://default'"),
        ": messenger.transports.a.outbox: ",
        "found 'b', which cannot be its outbox: 'a' is sync:// and handles messages at once",
        "allowed: none",
    ),
    (section("routing: x"), ": messenger.routing: ", "found 'x'", "allowed: a map"),
    (section("routing: {5: async}"), ": messenger.routing: ", "found the key 5", "allowed: text"),
    (section(r"routing: {'App\M': asinc}"), r": messenger.routing.App\M: ", "found 'asinc'", "async, failed"),
    (
        section(r"routing: {'App\M': ~}"),
        r": messenger.routing.App\M: ",
        "found null",
        "allowed: text or a map or a list",
    ),
    (section(r"routing: {'App\M': [5]}"), r": messenger.routing.App\M[0]: ", "found 5", "allowed: text"),
    (section(r"routing: {'App\M': {snders: []}}"), r": messenger.routing.App\M: ", "unknown key 'snders'", "senders"),
    (section("routing: {no.such.Class: async}"), ": routing.no.such.Class: ", "no such class", ""),
    (section("buses: x"), ": messenger.buses: ", "found 'x'", "allowed: a map"),
    (section("buses: {a: 0}"), ": messenger.buses.a: ", "found 0", "allowed: a map"),
    (section("buses: {a: , b: }"), ": messenger.default_bus: ", "missing", "allowed: a, b"),
    (section("buses: {a: }, default_bus: c"), ": messenger.default_bus: ", "found 'c'", "allowed: a"),
    (
        section("buses: {a: {middlewares: []}}"),
        ": messenger.buses.a: ",
        "unknown key 'middlewares'",
        "default_middleware",
    ),
    (
        section("buses: {a: {default_middleware: x}}"),
        ".default_middleware: ",
        "found 'x'",
        "allow_no_handlers, true, f",
    ),
    (section("buses: {a: {default_middleware: {enabled: x}}}"), ".enabled: ", "found 'x'", "true or false"),
    (
        section("buses: {a: {default_middleware: {enbled: x}}}"),
        ": ",
        "unknown key 'enbled'",
        "enabled, allow_no_handlers",
    ),
    (section("connections: {a: 5}"), ": messenger.connections.a: ", "found 5", "allowed: text"),
    (section("rate_limiters: x"), ": messenger.rate_limiters: ", "found 'x'", "allowed: a map"),
    (section("rate_limiters: {a: 5}"), ": messenger.rate_limiters.a: ", "found 5", "allowed: a map"),
    (section("rate_limiters: {a: {}}"), ": messenger.rate_limiters.a: ", "missing key 'limit'", "or 'service'"),
    (section("rate_limiters: {a: {limit: -1}}"), ".limit: ", "found -1", "number >= 0"),
    (section("rate_limiters: {a: {limit: 5, interval: 0}}"), ".interval: ", "found 0", "number >= 0.001"),
    (section("rate_limiters: {a: {limit: 5, burst: 0}}"), ".burst: ", "found 0", "number >= 1"),
    (
        section("rate_limiters: {a: {limit: 5, per: 1}}"),
        ".a: ",
        "unknown key 'per'",
        "limit, interval, burst, key, serv",
    ),
    (
        section("rate_limiters: {a: {limit: 5, service: shop.limits.Mine}}"),
        ": messenger.rate_limiters.a: ",
        "found other keys beside 'service'",
        "allowed: service, key",
    ),
    (section("rate_limiters: {a: {service: mine}}"), ": rate_limiters.a.service: ", "found 'mine'", "a dotted name"),
    (
        section("rate_limiters: {a: {service: os.path.sep}}"),
        ": rate_limiters.a.service: ",
        "'os.path.sep' is no class",
        "acquire(key)",
    ),
    (
        section("rate_limiters: {a: {service: builtins.dict}}"),
        ": rate_limiters.a.service: ",
        "'builtins.dict' is no rate limiter",
        "acquire(key)",
    ),
    (
        section("rate_limiters: {a: {service: builtins.open}}"),
        ": rate_limiters.a.service: ",
        "builtins.open cannot be created: TypeError: ",
        "",
    ),
    (transport("{dsn: 'sync://', rate_limiter: sms}"), ": messenger.transports.a.rate_limiter: ", "'sms'", "none"),
    (section("control: 5"), ": messenger.control: ", "found 5", "allowed: text or null"),
    (section("control: 'http://h'"), ": control: ", "scheme 'http'", "allowed: redis, rediss"),
    (section(f"control: {SECRET}"), ": control: ", "no scheme", "allowed: redis://host:port/stream"),
    (section(f"signing: {SECRET}"), ": messenger.signing: ", "found a value of another kind", "a map or null"),
    (section("signing: {}"), ": messenger.signing: ", "missing key 'key'", ""),
    (section(f"signing: {{kye: {SECRET}}}"), ": messenger.signing: ", "unknown key 'kye'", "key, previous_key"),
    (section("signing: {key: 5}"), ": messenger.signing.key: ", "found a value of another kind", "allowed: text"),
    (
        section("signing: {key: '%env(SECRET)%', previous_key: [5]}"),
        ": messenger.signing.previous_key: ",
        "found a value of another kind",
        "allowed: text or null",
    ),
    (section("signing: {key: x, algorithm: md5}"), ".signing.algorithm: ", "found 'md5'", "sha256, sha384, sha512"),
    (section("signing: {key: ''}"), ": signing.key: ", "found 0 characters", "allowed: 16 or more"),
    (section("signing: {key: '%env(SECRET)%'}"), ": signing.key: ", "found 6 characters", "allowed: 16 or more"),
    (
        section("signing: {key: 0123456789abcdef, previous_key: '%env(SECRET)%'}"),
        ": signing.previous_key: ",
        "found 6 characters",
        "allowed: 16 or more",
    ),
    (
        section("serializer: {default_serializer: messenger.transport.native_php_serializer}"),
        ": messenger.serializer.default_serializer: ",
        "found 'messenger.transport.native_php_serializer'",
        "allowed: messenger.transport.symfony_serializer",
    ),
    (
        transport("'%env(NOT_SET)%'"),
        ": messenger.transports.a: ",
        "variable NOT_SET is not set",
        ".env beside the file",
    ),
    (transport("'%env(enum:DSN)%'"), ": messenger.transports.a: ", "'enum' in %env(enum:DSN)%", "belongs to PHP"),
    (transport("{dsn: 'sync://', options: {x: ['%env(X)%']}}"), ".options.x.0: ", "variable X is not set", ""),
    (transport("'%env(SECRET)%'"), ": transports.a.dsn: ", "found no scheme", "redis, rediss"),
    (transport("'amqp://u:%env(SECRET)%@h'"), ": transports.a.dsn: ", "scheme 'amqp'", "redis, rediss, valkey"),
    (transport("'redis://u:x/%env(SECRET)%@h'"), ": transports.a.dsn: ", "not a DSN", "percent-encoded"),
    (transport("'%env(DSN)%?strem=x'"), ": transports.a: ", "unknown option 'strem'", "allowed: auto_setup"),
    (
        transport("{dsn: '%env(DSN)%', options: {dbindex: x}}"),
        ": transports.a: ",
        "option dbindex: found 'x'",
        "number",
    ),
    (transport("'%env(DSN)%?serializer=2'"), ": transports.a: ", "option serializer: found 2", "0 (bare JSON) or 1"),
    (transport("'doctrine://other'"), ": transports.a.dsn: ", "no database connection 'other'", "allowed: default"),
    (transport("'sync://host'"), ": transports.a.dsn: ", "", "allowed: sync://"),
    ("messenger:\n\tname: x", ":2: ", "not YAML", "'\\t' that cannot start any token"),
    ("messenger: [", ":1: ", "not YAML", ""),
    ("messenger:\n  name: a\n  name: b", ":3: ", "not YAML", "the key 'name' is there twice"),
    ("messenger: {? [a] : c}", ":1: ", "not YAML", "a key is a list or a map"),
    ("messenger: !!python/object/apply:os.system ['true']", ":1: ", "not YAML", "constructor"),
    ("messenger: &a {x: *a}", ": messenger: ", "found an alias inside its own anchor", ""),
    ("messenger:\n  name: !!int //", ":2: ", "not YAML", "a value that is no !!int"),
    ("messenger: {name: !!int ''}", ":1: ", "not YAML", "a value that is no !!int"),
    ("messenger: {name: !!bool x}", ":1: ", "not YAML", "a value that is no !!bool"),
    ("messenger: {name: !!timestamp x}", ":1: ", "not YAML", "a value that is no !!timestamp"),
    ("messenger: {name: 2001-99-99}", ":1: ", "not YAML", "a value that is no !!timestamp"),
    ("messenger: " + 500 * "[", ": ", "not YAML", "nested too deeply"),
    (r'messenger: {name: "\ud800"}', ":1: ", "not YAML", "a value that is no !!str"),
    (LAUGHS, ":7: ", "not YAML", "unfolds to more than 100000 values"),
    (section(r'"two\nlines\e": x'), ": messenger: ", "unknown key 'two\\nlines", ""),
    (b"messenger: {name: \xff}", ": ", "is not UTF-8 text", ""),
    (section("handlers: [no_such_module]"), ": handlers: ", "cannot import 'no_such_module'", "No module named"),
    (section("handlers: ['']"), ": handlers: ", "cannot import ''", ""),
]


@pytest.mark.parametrize(("text", "key", "found", "allowed"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake(tmp_path: Path, text: str | bytes, key: str, found: str, allowed: str) -> None:
    line = error_of(tmp_path, text)
    assert key in line
    assert found in line
    assert allowed in line


def test_a_file_that_is_not_there_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: no such file; name it with --config or MESSENGER_CONFIG"):
        Application.load(tmp_path / "none.yaml", {})


def test_a_variable_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text("messenger: {name: '%env(NAME)%'}")
    with pytest.raises(ConfigError, match=r"messenger.name: the environment variable NAME is not UTF-8 text$"):
        Application.load(path, {"NAME": "\udcff"})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        Application.load(tmp_path, {})


@pytest.mark.parametrize("secret", [f"redis://u:{SECRET}@h", f"{SECRET}!", SECRET + "x" * 60, "l" * 55 + SECRET])
@pytest.mark.parametrize(
    "line",
    [
        "failure_transport: 'x %env(SECRET)%'",
        "buses: {a: {}}\n  default_bus: 'x %env(SECRET)%'",
        "name: 'x %env(SECRET)%'",
        "routing: {App.Message.X: ['x %env(SECRET)%']}",
        "handler_timeout: 'x %env(SECRET)%'",
        "buses: {a: {default_middleware: 'x %env(SECRET)%'}}",
    ],
)
def test_what_the_environment_put_into_a_name_is_not_shown(tmp_path: Path, line: str, secret: str) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text(f"messenger:\n  transports: {{a: 'sync://'}}\n  {line}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"SECRET": secret})
    assert SECRET not in str(caught.value)
    assert "found 'x %env(SECRET)%'" in str(caught.value)
