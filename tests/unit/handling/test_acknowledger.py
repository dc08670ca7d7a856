"""Each message of a batch is acknowledged or refused once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from messenger import Acknowledger, Envelope, MessengerError


@dataclass
class Row:
    number: int


def test_each_message_has_its_own_outcome_and_the_rest_that_of_the_call() -> None:
    first, second, third = rows = [Row(1), Row(1), Row(3)]
    acknowledger = Acknowledger([Envelope(row) for row in rows])
    refused, raised = ValueError("refused"), OSError("raised")
    acknowledger.ack(first, "written")
    acknowledger.nack(second, refused)
    assert acknowledger.outcome(first, raised) == ("written", None)
    assert acknowledger.outcome(second, None) == (None, refused)
    assert acknowledger.outcome(third, None) == (None, None)
    assert acknowledger.outcome(third, raised) == (None, raised)


def test_twice_or_a_stranger_is_an_error() -> None:
    row = Row(1)
    acknowledger = Acknowledger([Envelope(row)])
    acknowledger.ack(row)
    with pytest.raises(MessengerError, match="each message once"):
        acknowledger.nack(row, ValueError())
    with pytest.raises(MessengerError, match="not of this batch"):
        acknowledger.ack(Row(1))
    assert acknowledger.outcome(row, None) == (None, None)
