"""Stamps that no sender of ours writes: the message goes to the failure store with its bytes, at the first delivery."""

from __future__ import annotations

import json

import pytest

from tests.integration.worker.project import Project

STAMP = "X-Message-Stamp-Symfony\\Component\\Messenger\\Stamp\\"
MOMENT = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RedeliveryStamp", f'[{{"retryCount":-9223372036854775807,"redeliveredAt":"{MOMENT}"}}]'),
        ("RedeliveryStamp", f'[{{"retryCount":{"9" * 40},"redeliveredAt":"{MOMENT}"}}]'),
        ("DelayStamp", '[{"delay":1e308}]'),
    ],
)
def test_a_stamp_out_of_range(project: Project, name: str, value: str) -> None:
    headers = {"type": "App\\Message\\Task", "Content-Type": "application/json", f"{STAMP}{name}": value}
    body = '{"name": "a",   "do": "fail"}'
    with project.server.client() as client:
        client.xadd("async", {"message": json.dumps({"body": body, "headers": headers})})
    project.work(1)
    assert project.events() == []
    assert project.left() == (0, 0, 0)
    (failed,) = project.json("failed", "show", "-v")["messages"]
    assert failed["body"] == body
    assert f"{name} is not a list of its stamps" in failed["error"]
    project.run("failed", "retry", failed["id"])
    with project.server.client() as client:
        ((_, fields),) = client.xrange("async")
    sent_back = json.loads(fields[b"message"])
    del sent_back["headers"][f"{STAMP}ErrorDetailsStamp"]
    assert (sent_back["body"], sent_back["headers"]) == (body, headers)


def test_a_time_without_a_zone_stops_no_command(project: Project) -> None:
    stamp = {f"{STAMP}RedeliveryStamp": '[{"retryCount":0,"redeliveredAt":"2026-01-01T00:00:00"}]'}
    headers = {"type": "App\\Message\\Task", "Content-Type": "application/json", **stamp}
    edit_store = (project.directory / "messenger.yaml").read_text()
    store = "failed: {dsn: '%env(MESSENGER_TRANSPORT_DSN)%', options: {stream: failed}}"
    project.write("messenger.yaml", edit_store.replace("failed: 'doctrine://default?queue_name=failed'", store))
    with project.server.client() as client:
        client.xadd("failed", {"message": json.dumps({"body": "{}", "headers": headers})})
    assert project.json("failed", "show", "--since", "2025-01-01")["messages"]
    assert not project.json("failed", "show", "--until", "2025-01-01")["messages"]
