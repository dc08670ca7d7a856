"""A transport of another package: found by the scheme of its DSN, used like ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from messenger import ConfigError
from messenger.checks.application import check_application
from messenger.stamps import SentStamp
from tests.support.application_project import Project

# All that a package must bring: an entry point, and a factory that returns something with the methods of Transport.
ENTRY_POINTS = "[messenger.transports]\nkafka = third_party_of_this_test:create\n"
PACKAGE = """
class Kafka:
    def __init__(self, name, dsn, options):
        self.name, self.dsn, self.options, self.held = name, dsn, options, []

    def send(self, envelope):
        self.held.append(envelope)
        return envelope

    def close(self): ...

    keepalive_interval = float("inf")

def create(name, dsn, options, context):
    return Kafka(name, dsn, options)
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "third_party_of_this_test-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-of-this-test\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "third_party_of_this_test.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "third_party_of_this_test", raising=False)


YAML = "  routing: {MODULE.Sms: async}\n"
TRANSPORT = "async: {dsn: 'kafka://broker/topic', options: {acks: all}}"


@pytest.mark.usefixtures("_installed")
def test_an_entry_point_names_the_factory_of_a_scheme(project: Project) -> None:
    application = project.load(YAML, transports=TRANSPORT)
    sent = application.dispatch(project.Sms("hi"))
    transport = sys.modules["third_party_of_this_test"].Kafka
    made = application.transport("async")
    assert isinstance(made, transport)
    assert (made.name, made.dsn, made.options) == ("async", "kafka://broker/topic", {"acks": "all"})
    assert [envelope.message for envelope in made.held] == [project.Sms("hi")]
    assert sent.last(SentStamp) == SentStamp("async")
    application.close()


@pytest.mark.usefixtures("_installed")
def test_one_that_cannot_be_listed_is_no_failure_transport(project: Project) -> None:
    application = project.load(
        "  failure_transport: kafka\n", transports="async: 'redis://h', kafka: 'kafka://broker/topic'"
    )
    found = {(finding.check, finding.where): finding for finding in check_application(application)}
    finding = found["failure-transport", "transport async"]
    assert finding.level == "fail"
    assert finding.found.startswith("failed messages go to 'kafka', which cannot be listed")


@pytest.mark.usefixtures("_installed")
def test_an_unknown_scheme_lists_the_installed_ones_too(project: Project) -> None:
    application = project.load(transports="async: 'kafak://broker'")
    with pytest.raises(ConfigError, match=r"no transport has the scheme 'kafak'; allowed: redis, .*sync, kafka$"):
        application.transport("async")
