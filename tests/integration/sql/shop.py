"""An application in a directory of its own, with a database of its own."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from messenger.application import Application
from tests.support.servers import PostgresServer

_numbers = itertools.count()


class Shop:
    """A directory with a messenger.yaml and one module of handlers.

    url: the database, as messenger.yaml takes it.
    """

    def __init__(self, directory: Path, url: str, server: PostgresServer | None) -> None:
        self.directory = directory
        self.url = url
        self.server = server
        self.module = f"shop_of_test_{next(_numbers)}"
        self._applications: list[Application] = []

    def load(self, module: str, yaml: str, **environ: str) -> Application:
        """The application of this module and messenger.yaml; MODULE in it is the module's name."""
        (self.directory / f"{self.module}.py").write_text(module)
        (self.directory / "messenger.yaml").write_text(yaml.replace("MODULE", self.module))
        return self.load_again(**environ)

    def load_again(self, **environ: str) -> Application:
        """The same as another process has it, but for the module."""
        application = Application.load(self.directory / "messenger.yaml", {"DATABASE_URL": self.url, **environ})
        self._applications.append(application)
        return application

    def sql(self, statement: str) -> list[Any]:
        """Run a statement on a connection of its own; its rows. None when there is no such table."""
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def queued(self, table: str = "messenger_messages") -> int:
        """How many messages the table holds; 0 when it was never made."""
        try:
            (row,) = self.sql(f"SELECT count(*) FROM {table}")
        except SQLAlchemyError:
            return 0
        return int(row[0])

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules[self.module], name)

    def close(self) -> None:
        """Let go of every connection."""
        for application in self._applications:
            application.close()
        sys.modules.pop(self.module, None)
