"""A message from a failure transport is handled by the handlers of the transport it failed in."""

from __future__ import annotations

import pytest

from messenger.envelope import Envelope
from messenger.stamps import ReceivedStamp, SentStamp, SentToFailureTransportStamp
from tests.support.application_project import MODULE, Project

TWO = (
    MODULE
    + """
@handler(from_transport="async")
def only_async(message: OnlySent): ran.append("async")
@handler(from_transport="failed")
def only_failed(message: OnlySent): ran.append("failed")
"""
)
ROUTED = "  routing: {MODULE.OnlySent: async}\n"


@pytest.mark.parametrize(("stamps", "ran"), [([], ["failed"]), ([SentToFailureTransportStamp("async")], ["async"])])
def test_from_transport_means_where_it_failed(
    project: Project, stamps: list[SentToFailureTransportStamp], ran: list[str]
) -> None:
    application = project.load(ROUTED, module=TWO)
    application.dispatch_received(Envelope(project.OnlySent("x"), [*stamps, ReceivedStamp("failed")]))
    assert project.ran == ran


def test_a_failed_message_that_is_dispatched_again_is_sent(project: Project) -> None:
    application = project.load(ROUTED, module=TWO)
    envelope = application.dispatch(Envelope(project.OnlySent("x"), [SentToFailureTransportStamp("async")]))
    assert envelope.last(SentStamp) == SentStamp("async")
    assert project.ran == []
