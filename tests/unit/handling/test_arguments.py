"""What a handler is given besides its message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from messenger import ConfigError, HandlerDefinitionError
from messenger.envelope import Envelope
from messenger.stamps import DelayStamp
from tests.support.application_project import Project

HEAD = """
from dataclasses import dataclass
from messenger import Envelope, MessageBus, handler
from messenger.application import Application

got = []

@dataclass
class Sms:
    text: str = ""

@dataclass
class Mail:
    text: str = ""

class Database: ...
class Replica(Database): ...
"""


def handlers(code: str) -> str:
    return HEAD + code


def test_it_gets_the_envelope_the_bus_the_application_and_what_was_provided(project: Project) -> None:
    module = handlers("""
@handler
def on_sms(message: Sms, envelope: Envelope, same: Envelope[Sms], bus: MessageBus, app: Application, db: Database):
    got.append((message, envelope, same, bus, app, db))
""")
    application = project.load(module=module)
    database = project.Database()
    application.provide(database)
    application.dispatch(project.Sms("hi"), [DelayStamp(7)])
    ((message, envelope, same, bus, app, db),) = project.got
    assert message == project.Sms("hi")
    assert isinstance(envelope, Envelope)
    assert envelope is same
    assert envelope.last(DelayStamp) == DelayStamp(7)
    assert (bus, app, db) == (application.bus, application, database)


def test_async_and_class_handlers_and_keyword_parameters_too(project: Project) -> None:
    module = handlers("""
@handler
class OnSms:
    def __call__(self, message: Sms, *, db: Database):
        got.append(db)

@handler
async def on_mail(message: Mail, db: Database, *more, **others):
    got.append(db)
""")
    application = project.load(module=module)
    database = project.Database()
    application.provide(database)
    application.dispatch(project.Sms())
    application.dispatch(project.Mail())
    application.close()
    assert project.got == [database, database]


def test_an_object_may_be_provided_for_its_base_class_or_a_protocol(project: Project) -> None:
    module = handlers("""
from typing import Protocol
class Sends(Protocol): ...
@handler
def on_sms(message: Sms, db: Database, sends: Sends):
    got.append((db, sends))
""")
    application = project.load(module=module)
    replica = project.Replica()
    application.provide(replica, project.Database)
    application.provide(replica, project.Sends)
    application.dispatch(project.Sms())
    assert project.got == [(replica, replica)]


def test_a_default_stands_where_nothing_is_provided(project: Project) -> None:
    module = handlers("@handler\ndef on_sms(message: Sms, n: int = 3, db: Database = None):\n    got.append((n, db))\n")
    application = project.load(module=module)
    database = project.Database()
    application.provide(database)
    application.dispatch(project.Sms())
    assert project.got == [(3, database)]


@pytest.mark.parametrize(
    ("parameter", "why"),
    [
        ("db: Database", r"parameter 'db': nothing provides MODULE\.Database; provided: .*messenger\.bus\.MessageBus"),
        ("n: int", "parameter 'n': nothing provides int;"),
        ("db: Database | None", r"nothing provides .*Database \| None;"),
        ("db: list[Database]", r"nothing provides list\[MODULE\.Database\];"),
        ("db", "parameter 'db' has no annotation"),
        ("db: 'Nowhere', /", "its annotations cannot be read"),
        ("app: Application, /", "parameter 'app' is positional-only"),
    ],
)
def test_what_nothing_provides_is_an_error_with_file_and_line_before_the_first_message(
    project: Project, parameter: str, why: str
) -> None:
    code = "@handler\ndef first(message: Sms): got.append('ran')\n"
    code += f"@handler(handles=Sms)\ndef bad(m: Sms, {parameter}): ...\n"
    application = project.load(module=handlers(code))
    with pytest.raises(HandlerDefinitionError) as caught:
        application.dispatch(project.Sms())
    text = str(caught.value)
    line = handlers(code)[: handlers(code).index("@handler(handles")].count("\n") + 1
    assert text.startswith(f"{project.directory / project.module}.py:{line}: handler 'bad': ")
    assert re.search(why.replace("MODULE", project.module), text)
    assert "\n" not in text
    assert project.got == [], "no handler ran"


def test_a_thing_is_provided_once_and_before_the_first_message(project: Project) -> None:
    application = project.load(module=handlers("@handler\ndef on_sms(message: Sms): ...\n"))
    application.provide(project.Database())
    with pytest.raises(ConfigError, match=r"provide: .*\.Database is provided already"):
        application.provide(project.Database())
    with pytest.raises(ConfigError, match=r"'Database' is no class"):
        application.provide(project.Database(), "Database")  # type: ignore[arg-type]
    application.dispatch(project.Sms())
    with pytest.raises(ConfigError, match=r"provide: .*\.Replica comes too late"):
        application.provide(project.Replica())


SETUP = """
def setup(application):
    application.provide(Database())
@handler
def on_sms(message: Sms, db: Database): got.append(db)
"""


def test_the_setup_function_of_the_file_provides(project: Project) -> None:
    application = project.load("  setup: MODULE.setup\n", module=handlers(SETUP))
    application.check_handlers()
    application.dispatch(project.Sms())
    assert isinstance(project.got[0], project.Database)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "MODULE.nothing",
            "cannot import 'MODULE.nothing': AttributeError: module 'MODULE' has no attribute 'nothing'",
        ),
        ("no_such_module.setup", "cannot import 'no_such_module.setup': ModuleNotFoundError"),
        ("setup", "found 'setup'; allowed: a dotted name"),
        ("MODULE.got", "'MODULE.got' is no function; allowed: a function that takes the Application"),
        ("MODULE.raises", "MODULE.raises failed: ValueError: no database (FILE:"),
        ("MODULE.exits", "MODULE.exits failed: SystemExit: 3 (FILE:"),
        ("MODULE.twice", "provide: MODULE.Database is provided already"),
    ],
)
def test_a_mistake_in_setup_is_one_line(project: Project, tmp_path: Path, name: str, why: str) -> None:
    module = handlers("""
def raises(application): raise ValueError("no\\ndatabase")
def exits(application): raise SystemExit(3)
def twice(application):
    application.provide(Database())
    application.provide(Database())
""")
    with pytest.raises(ConfigError) as caught:
        project.load(f"  setup: {name}\n", module=module)
    why = why.replace("FILE", str(tmp_path / "MODULE.py")).replace("MODULE", project.module)
    assert str(caught.value).startswith(f"{project.directory / 'messenger.yaml'}: setup: {why}")
    assert "\n" not in str(caught.value)
