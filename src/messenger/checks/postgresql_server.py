"""State of a PostgreSQL server: version, writability, and durability in a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from messenger.checks.finding import Finding, Place

_OLDEST = 11  # CREATE TRIGGER … EXECUTE FUNCTION
_FACTS = text(
    """
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major,
           quote_ident(current_user) AS user,
           pg_is_in_recovery() AS standby,
           current_setting('transaction_read_only') = 'on' AS read_only,
           current_setting('fsync') = 'on' AS fsync,
           current_setting('synchronous_commit') AS synchronous_commit,
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls
    """
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """As this user's sessions see them. user: quoted where SQL needs that."""

    version: str
    major: int
    user: str
    standby: bool
    read_only: bool
    fsync: bool
    synchronous_commit: str
    tls: bool


def read_facts(connection: Connection) -> ServerFacts:
    """Ask the server."""
    return ServerFacts(**connection.execute(_FACTS).mappings().one())


def check_server(where: str, facts: ServerFacts) -> Iterator[Finding]:
    """where: the server's address."""
    yield _check_version(where, facts)
    yield _check_role(where, facts)
    yield from _check_persistence(where, facts)


def _check_version(where: str, facts: ServerFacts) -> Finding:
    place = Place("postgresql-version", where)
    if facts.major < _OLDEST:
        return place.fail(f"PostgreSQL {facts.version} is too old", f"PostgreSQL {_OLDEST} or newer")
    return place.ok(f"PostgreSQL {facts.version}")


def _check_role(where: str, facts: ServerFacts) -> Finding:
    place = Place("postgresql-role", where)
    if facts.standby:
        return place.fail(
            "it is a standby, which cannot be written",
            "the host of the primary in the connection's URL, or all hosts and target_session_attrs=read-write",
        )
    if facts.read_only:
        return place.fail(
            "transactions are read-only here",
            f"ALTER ROLE {facts.user} RESET default_transaction_read_only, or the same with ALTER DATABASE …",
        )
    return place.ok("it can be written")


def _check_persistence(where: str, facts: ServerFacts) -> Iterator[Finding]:
    place = Place("postgresql-persistence", where)
    if not facts.fsync:
        yield place.warn("fsync is off: a power cut may destroy the whole database", "fsync = on in postgresql.conf")
    if facts.synchronous_commit == "off":
        yield place.warn(
            "synchronous_commit is off: a crash loses what was sent in the last half second",
            f"ALTER ROLE {facts.user} SET synchronous_commit = on",
        )
    if facts.fsync and facts.synchronous_commit != "off":
        yield place.ok("what is committed is on its disk")
