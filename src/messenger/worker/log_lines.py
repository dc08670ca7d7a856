"""The worker's own log lines. Each is written once, whatever the application does to the logging module."""

from __future__ import annotations

import logging
from typing import Any, TextIO

from messenger.printable import LineFormatter

NAME = "messenger"


class WorkerLogger(logging.Logger):
    """A logger of this package within a worker.

    `disable_existing_loggers` of dictConfig, logging.disable() and levels that others set have no effect on it. Its
    lines go to the handlers that the application gave the logger `messenger` or one below it (a NullHandler does not
    count), else to the worker's own; never to those of the root logger as well. When the application's filters,
    handlers or record factory fail at a line, it goes to the worker's own handler: they never end the worker.

    Attributes:
        output: The worker's own handler.
    """

    output: logging.Handler

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """See logging.Logger."""
        return level >= self.output.level

    def handle(self, record: logging.LogRecord) -> None:
        """See logging.Logger."""
        try:
            if self.filter(record):
                self.callHandlers(record)
        except BaseException:
            self.output.handle(record)

    def makeRecord(self, *args: Any, **more: Any) -> logging.LogRecord:  # noqa: N802 - logging's name
        """See logging.Logger."""
        try:
            record: Any = super().makeRecord(*args, **more)
        except BaseException:
            record = None
        if isinstance(record, logging.LogRecord):
            return record
        name, level, path, line, message, arguments, exc_info, *_ = args
        return logging.LogRecord(name, level, path, line, message, arguments, exc_info)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """See logging.Logger."""
        given: list[logging.Handler] = []
        logger: logging.Logger | None = self
        while logger is not None and logger.name.split(".")[0] == NAME:
            given += logger.handlers
            logger = logger.parent
        is_handled = False
        for handler in given:
            if isinstance(handler, logging.NullHandler):
                continue
            is_handled = True
            if record.levelno >= handler.level:
                handler.handle(record)
        if not is_handled and record.levelno >= self.output.level:
            self.output.handle(record)


class LogLines:
    """Writes the log lines of a worker's process.

    The application's own lines go where the application sends them; if it does not set up logging, they are written
    like the worker's.
    """

    def __init__(self, stream: TextIO, level: int, before: str) -> None:
        """Set up logging.

        Args:
            stream: Where to write.
            level: The lowest level to write.
            before: Text before each line.
        """
        self._handler = logging.StreamHandler(stream)
        self._handler.setLevel(level)
        self._handler.setFormatter(LineFormatter(before))
        logging.lastResort = self._handler  # what is used while the root logger has no handler
        logging.getLogger().setLevel(level)
        self.adopt()

    def adopt(self) -> None:
        """Make this package's loggers the worker's, including those of modules that were imported since."""
        for name in (NAME, *list(logging.Logger.manager.loggerDict)):
            logger = logging.getLogger(name) if name.split(".")[0] == NAME else None
            if type(logger) is logging.Logger:
                logger.__class__ = WorkerLogger
            if isinstance(logger, WorkerLogger):
                logger.output = self._handler
