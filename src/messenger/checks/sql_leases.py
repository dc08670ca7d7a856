"""Messages of a table that workers hold who are not ours, against `redeliver_timeout` (R71)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from messenger.checks.finding import Finding, Place
from messenger.checks.sql_table import Columns, lacking
from messenger.transports.sql.options import SqlOptions
from messenger.transports.sql.table import messages_table

_PHP_TIMEOUT = 3600


def check_leases(
    connection: Connection, where: str, options: SqlOptions, columns: Columns | None, findings: Sequence[Finding]
) -> Iterator[Finding]:
    """PHP workers leave no name and renew no leases unless run with --keepalive: long work of theirs is done twice.

    columns: of the table. findings: what was found of it; one that fails may not be readable.
    """
    readable = all(finding.level != "fail" for finding in findings)
    if columns is None or lacking(columns) or not readable or options.redeliver_timeout >= _PHP_TIMEOUT:
        return
    column = messages_table(options.table_name).c
    taken = (column.queue_name == options.queue_name, column.delivered_at.is_not(None), column.lease_owner.is_(None))
    count = connection.execute(select(func.count()).where(*taken)).scalar_one()
    if count:
        yield Place("sql-leases", where).warn(
            f"workers that are not ours hold {count} of its messages and may renew no leases: one that they work on "
            f"for longer than redeliver_timeout, {options.redeliver_timeout:g} s, is handled twice",
            f"redeliver_timeout={_PHP_TIMEOUT} on both sides, or longer than the slowest PHP handler",
        )
