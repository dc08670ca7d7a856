"""A messenger.yaml and the modules it names, wired together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from messenger import ConfigError, HandlerDefinitionError, TransportNamesStamp
from messenger.application import Application
from messenger.envelope import AnyEnvelope, Envelope
from messenger.stamps import BusNameStamp, HandledStamp, ReceivedStamp, SentStamp
from messenger.transports.memory import MemoryTransport
from tests.support.application_project import MODULE, Project


def receive(application: Application, name: str) -> AnyEnvelope:
    (envelope,) = application.transport(name).get(0, lambda: False)
    return envelope


ROUTING = "  routing: {MODULE.Mail: async, 'App\\Message\\Sms': async}\n"


def test_an_unrouted_message_is_handled_at_once(project: Project) -> None:
    application = project.load()
    envelope = application.dispatch(project.Sms("hi"))
    assert project.ran == [("sms", "hi")]
    stamp = envelope.last(HandledStamp)
    assert stamp is not None
    assert stamp.result == "HI"
    application.dispatch(project.Mail("async def"))
    assert project.ran[1] == ("mail", "async def")
    application.close()


def test_a_routed_message_is_sent_and_handled_when_it_was_received(project: Project) -> None:
    application = project.load(ROUTING)
    envelope = application.dispatch(project.Sms("hi"))
    assert project.ran == []
    assert envelope.all(SentStamp) == [SentStamp("async")]
    received = receive(application, "async").with_stamps(ReceivedStamp("async"))
    assert received.last(BusNameStamp) == BusNameStamp("messenger.bus.default")
    application.dispatch_received(received)
    assert project.ran == [("sms", "hi")]


def test_routing_works_by_dotted_and_by_php_name(project: Project) -> None:
    application = project.load(ROUTING)
    assert application.router.for_class(project.Sms) == ("async",)
    assert application.router.for_class(project.Mail) == ("async",)
    assert application.router.for_class(project.OnlySent) == ()


def test_a_routed_class_and_one_that_is_marked_are_known_without_a_handler(project: Project) -> None:
    module = MODULE.replace("@handler\n", "")
    application = project.load("  routing: {MODULE.Mail: async}\n", module=module)
    assert set(application.messages.classes) == {project.Sms, project.Mail, project.OnlySent}


def test_a_stamp_sends_elsewhere_and_an_unknown_transport_lists_the_known(project: Project) -> None:
    application = project.load(transports="a: 'in-memory://', b: 'in-memory://', failed: 'in-memory://'")
    application.dispatch(project.Sms("x"), [TransportNamesStamp(("b",))])
    transport = application.transport("b")
    assert isinstance(transport, MemoryTransport)
    assert len(transport.sent) == 1
    with pytest.raises(ConfigError, match="no transport is called 'c'; known: a, b, failed"):
        application.dispatch(project.Sms("x"), [TransportNamesStamp(("b", "c"))])
    assert len(transport.sent) == 1, "nothing is sent when one name is wrong"


def test_a_transport_called_failed_is_used_and_said_once(project: Project) -> None:
    application = project.load(transports="async: 'in-memory://', failed: 'in-memory://'")
    assert application.failure_transports == {"async": "failed", "failed": "failed"}
    assert application.notes == ["no failure_transport is set: using the transport 'failed' for failed messages"]


def test_without_one_failed_messages_are_kept_in_an_embedded_store(project: Project) -> None:
    application = project.load()
    assert application.failure_transports == {"async": "failed", "failed": "failed"}
    assert application.transport_names == ("async", "failed")
    assert len(application.notes) == 1
    assert "failed messages are kept in 'failed' (doctrine://default?queue_name=failed)" in application.notes[0]


def test_messages_are_discarded_only_where_null_is_spelled_out(project: Project) -> None:
    application = project.load("  failure_transport: ~\n")
    assert application.failure_transports == {"async": None}
    assert application.failure_transport_names == ()
    assert application.notes == []


def test_each_transport_may_have_its_own(project: Project) -> None:
    transports = (
        "a: 'in-memory://', b: {dsn: 'in-memory://', failure_transport: f2}, f1: 'in-memory://', f2: 'in-memory://'"
    )
    application = project.load("  failure_transport: f1\n", transports=transports)
    assert application.failure_transports == {"a": "f1", "b": "f2", "f1": "f1", "f2": "f1"}
    assert application.failure_transport_names == ("f1", "f2")


def test_a_php_class_nobody_has_is_noted(project: Project) -> None:
    application = project.load("  failure_transport: ~\n  routing: {'App\\Message\\Other': async}\n")
    assert application.notes == ["routing: no message class here has the wire name 'App\\\\Message\\\\Other'"]


BUSES = "  default_bus: a\n  buses: {a: ~, b: {default_middleware: allow_no_handlers}}\n"


def test_a_received_message_is_handled_on_its_bus_and_an_unknown_one_means_the_default(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    module = MODULE + "\n@handler(bus='b')\ndef on_b(message: Sms): ran.append(('b', message.text))\n"
    application = project.load(BUSES, module=module)
    sms = project.Sms("x")
    application.dispatch_received(Envelope(sms, [ReceivedStamp("async"), BusNameStamp("b")]))
    assert project.ran == [("sms", "x"), ("b", "x")]
    project.ran.clear()
    with caplog.at_level(logging.WARNING):
        application.dispatch_received(Envelope(sms, [ReceivedStamp("async"), BusNameStamp("gone")]))
    assert project.ran == [("sms", "x")]
    assert "unknown_bus name=gone" in caplog.text


def test_a_bus_without_default_middleware_does_nothing(project: Project) -> None:
    application = project.load("  buses: {a: {default_middleware: false}}\n")
    application.dispatch(project.Sms("x"))
    assert project.ran == []


def test_a_module_named_twice_is_loaded_once(project: Project) -> None:
    application = project.load()
    text = (project.directory / "messenger.yaml").read_text()
    (project.directory / "messenger.yaml").write_text(text.replace("handlers: [", f"handlers: [{project.module}, "))
    again = Application.load(project.directory / "messenger.yaml", {})
    assert len(again.handlers.handlers) == len(application.handlers.handlers) == 2


# --- modules that cannot be loaded --------------------------------------------------------------------------------


BAD_MODULES: list[tuple[str, str, Callable[[str], str]]] = [
    ("x = 1\nraise ValueError('first\\nsecond')", "ValueError: first second", lambda path: f"({path}:2)"),
    ("import no_such_library", "No module named 'no_such_library'", lambda path: f"({path}:1)"),
    ("def f(:\n", "SyntaxError", lambda path: f"({path}:1)"),
    ("x = 1\nimport sys\nsys.exit(0)", "SystemExit: 0", lambda path: f"({path}:3)"),
    ("def f(): g()\ndef g(): 1/0\nf()", "ZeroDivisionError", lambda path: f"({path}:2)"),
    (
        "from messenger import handler\n\n@handler\ndef h(x): ...",
        "handler 'h': parameter 'x' has no annotation",
        lambda path: f"{path}:3",
    ),
]


@pytest.mark.parametrize(("module", "what", "where"), BAD_MODULES, ids=range(len(BAD_MODULES)))
def test_a_module_that_cannot_be_loaded_is_one_line_with_its_place(
    project: Project, module: str, what: str, where: Callable[[str], str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(module=module)
    line = str(caught.value)
    assert line.startswith(f"{project.directory / 'messenger.yaml'}: handlers: ")
    assert what in line
    assert where(str(project.directory / f"{project.module}.py")) in line
    assert "\n" not in line


def test_two_handlers_of_one_name_are_an_error_of_the_file(project: Project) -> None:
    module = MODULE + "\nfirst = on_sms\n@handler\ndef on_sms(message: Sms): ...\n"
    with pytest.raises(HandlerDefinitionError, match="two handlers are called"):
        project.load(module=module)


def test_a_marked_class_may_not_name_a_transport_that_is_not_there(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"names the transport 'nope'; known: async, failed"):
        project.load(module=MODULE.replace("@message()", "@message(transport='nope')"))


# --- facts about this process -------------------------------------------------------------------------------------


def test_the_release_is_named_or_read_from_revision(project: Project) -> None:
    assert project.load().release == "-"
    (project.directory / "REVISION").write_text("20261124T000000Z-aaaa\n")
    assert project.load().release == "20261124T000000Z-aaaa"
    assert project.load(MESSENGER_RELEASE="named").release == "named"


def test_the_host_is_named_or_the_machines(project: Project) -> None:
    import socket

    assert project.load().host == socket.gethostname()
    assert project.load(MESSENGER_HOST="worker1").host == "worker1"


def test_each_application_has_a_worker_id_of_its_own(project: Project) -> None:
    assert project.load().worker_id != project.load().worker_id


@pytest.mark.parametrize(
    ("transports", "control", "found"),
    [
        ("a: 'in-memory://'", "", None),
        ("a: 'in-memory://', b: 'redis://h1:1/s', c: 'redis://h2:2/s'", "", "redis at h1:1 (db 0)"),
        ("a: 'redis://h1:1/s'", "  control: 'redis://h3:3?dbindex=2'\n", "redis at h3:3 (db 2)"),
        ("a: {dsn: 'rediss://h1:1/s', options: {dbindex: 4}}", "", "redis at h1:1 (db 4, TLS)"),
    ],
)
def test_workers_report_to_the_first_redis_or_the_named_one(
    project: Project, transports: str, control: str, found: str | None
) -> None:
    made = project.load(control, transports=transports).control()
    assert (made.options.address if made is not None else None) == found


def test_sqlite_files_go_beside_the_file_or_where_the_environment_says(project: Project, tmp_path: Path) -> None:
    project.load().transport("failed").setup()
    assert list((project.directory / "var").iterdir()) != []
    elsewhere = tmp_path / "state"
    project.load(MESSENGER_STATE_DIR=str(elsewhere)).transport("failed").setup()
    assert list(elsewhere.iterdir()) != []
