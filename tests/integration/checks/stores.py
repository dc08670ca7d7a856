"""What the checks of one SQL store find."""

from __future__ import annotations

from pathlib import Path

from messenger.checks.finding import Finding
from messenger.checks.sql import check_sql_transport
from messenger.messages import MessageRegistry
from messenger.transports import sql
from messenger.transports.base import Transport, TransportContext
from messenger.transports.sql.options import parse_doctrine_dsn
from messenger.wire.serializer import Serializer

FAILED = "doctrine://default?queue_name=failed"


def look(url: str, directory: Path, dsn: str = FAILED) -> list[Finding]:
    """All findings of a transport on this database. directory: where relative SQLite files lie."""
    return list(check_sql_transport("failed", parse_doctrine_dsn("failed", dsn, {}, {"default": url}, directory)))


def bad(findings: list[Finding]) -> dict[str, Finding]:
    """Those that are not well, by check; the last of each."""
    return {finding.check: finding for finding in findings if finding.level != "ok"}


def transport(url: str, directory: Path, dsn: str = FAILED) -> Transport:
    """The transport itself, to set up and to use."""
    context = TransportContext(Serializer(MessageRegistry()), lambda sent: sent, directory, "worker", {"default": url})
    return sql.create("failed", dsn, {}, context)


TAKEN_BY_PHP = (
    "INSERT INTO messenger_messages (body, headers, queue_name, created_at, available_at, delivered_at)"
    " VALUES ('{}', '[]', 'failed', '2026-01-01', '2026-01-01', '2026-01-01')"
)


def check_what_php_holds(url: str, directory: Path) -> None:
    """With a message that PHP has taken in the table: a short lease is a warning, that of Symfony is well."""
    finding = bad(look(url, directory))["sql-leases"]
    assert finding.level == "warn"
    assert finding.found.startswith("workers that are not ours hold 1 of its messages and may renew no leases")
    assert str(finding.change).startswith("redeliver_timeout=3600 on both sides")
    assert "sql-leases" not in bad(look(url, directory, f"{FAILED}&redeliver_timeout=3600"))
    assert "sql-leases" not in bad(look(url, directory, "doctrine://default?queue_name=other"))
