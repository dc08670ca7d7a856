"""Middleware that messenger.yaml names."""

from __future__ import annotations

from pathlib import Path

import pytest

from messenger import ConfigError, NoHandlerForMessage
from messenger.stamps import BusNameStamp, ReceivedStamp, SentStamp
from tests.support.application_project import MODULE, Project

OWN = (
    MODULE
    + """
class Audit:
    def __init__(self, *arguments):
        self.arguments = arguments
    def handle(self, envelope, following):
        ran.append(("before", *self.arguments, envelope))
        envelope = following(envelope)
        ran.append(("after", *self.arguments, envelope))
        return envelope

class NoHandle: ...
class Raises:
    def __init__(self): raise ValueError("no\\nfile")
    def handle(self, envelope, following): ...
class Needs:
    def __init__(self, path): ...
    def handle(self, envelope, following): ...
"""
)
ROUTED = "  routing: {MODULE.Mail: async}\n"


def bus(middleware: str, more: str = "") -> str:
    return f"  buses: {{main: {{middleware: {middleware}{more}}}}}\n"


def test_they_run_in_order_around_the_handlers_with_their_arguments(project: Project) -> None:
    yaml = bus("[{MODULE.Audit: ['%env(WHO)%', 2]}, MODULE.Audit]")
    project.load(yaml, module=OWN, WHO="me").dispatch(project.Sms("hi"))
    assert [entry[:-1] for entry in project.ran] == [
        ("before", "me", 2),
        ("before",),
        ("sms",),
        ("after",),
        ("after", "me", 2),
    ]


def test_they_stand_after_the_first_built_in_steps_and_before_sending(project: Project) -> None:
    project.load(bus("[MODULE.Audit]") + ROUTED, module=OWN).dispatch(project.Mail("hi"))
    (_, before), (_, after) = project.ran
    assert before.last(BusNameStamp) == BusNameStamp("main")
    assert before.last(SentStamp) is None
    assert after.last(SentStamp) == SentStamp("async")


def test_they_run_again_for_a_received_message(project: Project) -> None:
    application = project.load(bus("[MODULE.Audit]") + ROUTED, module=OWN)
    application.dispatch(project.Mail("hi"))
    (received,) = application.transport("async").get(0, lambda: False)
    project.ran.clear()
    application.dispatch_received(received.with_stamps(ReceivedStamp("async")))
    application.close()
    assert [entry[0] for entry in project.ran] == ["before", "mail", "after"]


def test_without_the_built_in_ones_they_are_the_whole_chain(project: Project) -> None:
    yaml = bus("[MODULE.Audit]", ", default_middleware: false")
    project.load(yaml, module=OWN).dispatch(project.Sms("hi"))
    assert [entry[0] for entry in project.ran] == ["before", "after"]


def test_symfonys_names_of_the_built_in_steps(project: Project) -> None:
    steps = "[add_bus_name_stamp_middleware: [main], MODULE.Audit, reject_redelivered_message_middleware, send_message"
    yaml = bus(f"{steps}, messenger.middleware.handle_message]", ", default_middleware: false")
    sent = project.load(yaml + ROUTED, module=OWN).dispatch(project.Mail("hi"))
    assert [entry[0] for entry in project.ran] == ["before", "after"]
    assert sent.last(SentStamp) == SentStamp("async")
    assert sent.last(BusNameStamp) == BusNameStamp("main")
    assert sent.id is not None


def test_a_named_step_may_allow_messages_without_a_handler(project: Project) -> None:
    yaml = bus("[handle_message: [true]]", ", default_middleware: false")
    project.load(yaml, module=OWN).dispatch(project.OnlySent("hi"))
    yaml = bus("[handle_message]", ", default_middleware: false")
    with pytest.raises(NoHandlerForMessage):
        project.load(yaml, module=OWN).dispatch(project.OnlySent("hi"))


def test_one_with_a_close_is_closed_with_the_application(project: Project) -> None:
    closing = OWN + "    def close(self): ran.append('closed')\n"
    project.load(bus("[MODULE.Needs: [x]]"), module=closing).close()
    assert project.ran == ["closed"]


@pytest.mark.parametrize(
    ("middleware", "why"),
    [
        ("[MODULE.Nothing]", "middleware[0]: cannot import 'MODULE.Nothing': AttributeError"),
        ("[MODULE.Audit, no_such.Thing]", "middleware[1]: cannot import 'no_such.Thing': ModuleNotFoundError"),
        ("[validation]", "middleware[0]: found 'validation', which is Symfony's alone; take it away: let the message"),
        ("[router_context]", "middleware[0]: found 'router_context', which is Symfony's alone; take it away: nothing"),
        ("[messenger.middleware.doctrine_ping_connection]", "middleware[0]: found 'messenger.middleware.doctrine_ping"),
        ("[MODULE.Audit, send_message]", "middleware[1]: the bus has 'send_message' already; take it away, or set"),
        ("[{send_message: [5]}], default_middleware: false", "middleware[0]: 'send_message' takes no such arguments"),
        ("[{handle_message: [5]}], default_middleware: false", "middleware[0]: 'handle_message' takes no such arg"),
        ("nodots", "middleware[0]: found 'nodots'; allowed: a dotted name"),
        ("[MODULE.NoHandle]", "middleware[0]: 'MODULE.NoHandle' is no middleware: it must be a class with handle("),
        ("[MODULE.ran]", "middleware[0]: 'MODULE.ran' is no middleware"),
        ("[MODULE.Raises]", "middleware[0]: MODULE.Raises cannot be created: ValueError: no file (FILE:"),
        ("[MODULE.Needs]", "middleware[0]: MODULE.Needs cannot be created: TypeError"),
        (
            "[doctrine_transaction: [a, b]]",
            "middleware[0]: doctrine_transaction: allowed: one argument, a name of 'conn",
        ),
        ("[doctrine_transaction: [5]]", "middleware[0]: doctrine_transaction: allowed: one argument, a name of 'conn"),
        (
            "[doctrine_transaction: [orders]]",
            "middleware[0]: doctrine_transaction: no database connection 'orders'; allowed: default",
        ),
        (
            "[doctrine_transaction: ['mysql://u:s3cr3t@h/x']]",
            "middleware[0]: doctrine_transaction: mysql is not supported; allowed: postgresql, sqlite",
        ),
        ("[{MODULE.Audit: word}]", "middleware[0]: found no list after 'MODULE.Audit'; allowed: {'MODULE.Audit': [arg"),
    ],
)
def test_what_cannot_be_used_is_one_line(project: Project, tmp_path: Path, middleware: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(bus(middleware), module=OWN)
    why = why.replace("FILE", str(tmp_path / "MODULE.py")).replace("MODULE", project.module)
    assert str(caught.value).startswith(f"{project.directory / 'messenger.yaml'}: buses.main.{why}")
    assert "\n" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("middleware", "why"),
    [
        ("5", "middleware: found 5; allowed: a list"),
        ("[3]", "middleware[0]: found 3; allowed: "),
        ("[{a.B: [], a.C: []}]", "middleware[0]: found a map; allowed: a map of length <= 1"),
    ],
)
def test_what_is_no_list_of_names_is_one_line(project: Project, middleware: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(bus(middleware), module=OWN)
    assert f"messenger.buses.main.{why}" in str(caught.value)
    assert "\n" not in str(caught.value)
