"""Connectivity of PostgreSQL, with a hint at the wrong part of the connection's URL."""

from __future__ import annotations

from sqlalchemy import URL

from messenger.checks.finding import Finding, Place, advice_for
from messenger.checks.postgresql_server import ServerFacts

_ADVICE = (
    (
        ("password authentication failed", "no password supplied"),
        "correct user and password in the connection's URL, special characters percent-encoded",
    ),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        "a line for this user, database and host in pg_hba.conf, then SELECT pg_reload_conf(); sslmode=require in the "
        "URL where that line is hostssl",
    ),
    (("permission denied for database",), "GRANT CONNECT ON DATABASE … TO this user"),
    (("does not support ssl",), "ssl = on in postgresql.conf, or a weaker sslmode in the connection's URL"),
    (
        ("certificate verify failed", "root certificate", "does not match host name"),
        "sslrootcert=FILE in the connection's URL: the authority of the server's certificate, which must have its host",
    ),
    (("starting up", "shutting down", "recovery mode"), "wait until PostgreSQL has started"),
    (
        ("too many clients", "remaining connection slots", "too many connections"),
        "raise max_connections in postgresql.conf, or CONNECTION LIMIT of role or database; a worker holds two or "
        "three",
    ),
    (('role "',), "correct the user in the connection's URL, or CREATE ROLE … LOGIN PASSWORD …"),
    (('database "',), "correct the database in the connection's URL, or CREATE DATABASE …"),
    (("connection refused",), "start PostgreSQL there, or correct host and port in the connection's URL"),
    (("no such file",), "start PostgreSQL there, or correct the socket's directory in the connection's URL"),
    (
        ("name or service not known", "resolve host", "translate host", "name resolution"),
        "correct the host in the connection's URL, or its DNS entry",
    ),
    (
        ("timeout", "timed out", "no route", "unreachable"),
        "correct host and port in the connection's URL, or open the firewall",
    ),
)


def reached(where: str, facts: ServerFacts) -> Finding:
    """It has answered."""
    return Place("postgresql-reach", where).ok(f"answers ({'with' if facts.tls else 'without'} TLS)")


def failed(where: str, url: URL, error: str) -> Finding:
    """It has not. error: why; no secrets."""
    reason = error.removeprefix(f"{where}: ")
    password = "with a password" if url.password or "password" in url.query else "without a password"
    change = advice_for(reason.removeprefix("connection failed: "), _ADVICE)
    return Place("postgresql-reach", where).fail(f"cannot be used ({password}): {reason}", change)
