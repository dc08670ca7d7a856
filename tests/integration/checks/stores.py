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
