"""ask(): the result of the only handler."""

from __future__ import annotations

import pytest

from messenger import HandlerFailed, NoHandlerForMessage, NotOneResult, ask
from tests.support.application_project import MODULE, Project


def test_it_returns_what_the_handler_returned(project: Project) -> None:
    application = project.load()
    assert ask(application.bus, project.Sms("hi")) == "HI"
    assert ask(application.bus, project.Mail("hi")) is None
    application.close()


def test_several_handlers_are_named(project: Project) -> None:
    application = project.load(module=MODULE + "@handler\ndef other(message: Sms): ...\n")
    names = rf"{project.module}\.on_sms, {project.module}\.other"
    with pytest.raises(NotOneResult, match=rf"App\\Message\\Sms was handled by 2 handlers.*: {names}$"):
        ask(application.bus, project.Sms("hi"))


def test_a_message_that_is_sent_away_has_no_result_here(project: Project) -> None:
    application = project.load("  routing: {MODULE.Mail: async}\n")
    with pytest.raises(NotOneResult, match=r"Mail was sent to async, so there is no result here"):
        ask(application.bus, project.Mail("hi"))


def test_no_handler_is_an_error_whether_the_bus_minds_or_not(project: Project) -> None:
    with pytest.raises(NoHandlerForMessage):
        ask(project.load().bus, project.OnlySent("hi"))
    application = project.load("  buses: {main: {default_middleware: allow_no_handlers}}\n")
    with pytest.raises(NotOneResult, match=r"OnlySent was handled by no handler on the bus 'main'"):
        ask(application.bus, project.OnlySent("hi"))


def test_the_handlers_error_is_heard(project: Project) -> None:
    application = project.load(module=MODULE + "@handler\ndef bad(message: OnlySent): raise ValueError('no answer')\n")
    with pytest.raises(HandlerFailed, match="no answer"):
        ask(application.bus, project.OnlySent("hi"))
