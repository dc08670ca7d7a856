"""What the commands for failed messages refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from messenger.application import Application
from messenger.config.loader import load_config
from messenger.errors import TransportError
from messenger.failure.store import FailedMessages
from messenger.transports.base import Transport


class Unlisted:
    """A third party's transport that gives messages out and does not list them."""

    keepalive_interval = 15.0

    def __init__(self, name: str) -> None:
        self.name = name


def test_a_failure_transport_that_cannot_list_its_messages_is_named(tmp_path: Path) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text("messenger: {failure_transport: failed, transports: {failed: 'in-memory://'}}")

    def create(name: str, *_: Any) -> Transport:
        return cast("Transport", Unlisted(name))

    with pytest.raises(TransportError, match="the transport 'failed' cannot list its messages"):
        FailedMessages(Application(load_config(path, {}), create), "failed")
