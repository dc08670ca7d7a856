"""What is not used is not imported: a Redis worker starts without SQLAlchemy, SQLite without PostgreSQL's driver."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRINT_MODULES = "; import sys; print(*sys.modules)"


def modules_after(code: str) -> list[str]:
    """The names of all modules a new Python has loaded after running `code`."""
    done = subprocess.run([sys.executable, "-c", code + PRINT_MODULES], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import messenger, messenger.transports.base, messenger.transports.factory",
        "import messenger.transports.memory, messenger.transports.sync",
        "import messenger.transports.redis",
        "import messenger.application, messenger.cli",
    ],
)
def test_sqlalchemy_is_imported_by_the_sql_transport_alone(code: str) -> None:
    assert "sqlalchemy" not in modules_after(code)


def test_the_sql_transport_imports_no_driver_before_it_needs_one() -> None:
    loaded = modules_after("import messenger.transports.sql")
    assert "sqlalchemy" in loaded
    assert "psycopg" not in loaded
