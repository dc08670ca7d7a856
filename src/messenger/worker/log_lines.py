"""The worker's own log lines: they come out, each once, whatever the application does to the logging module."""

from __future__ import annotations

import logging
from typing import Any, TextIO

from messenger.printable import LineFormatter

NAME = "messenger"


class WorkerLogger(logging.Logger):
    """A logger of this package within a worker.

    `disable_existing_loggers` of dictConfig, logging.disable() and levels that others set have no effect on it. Its
    lines go to the handlers that the application gave the logger `messenger` or one below it (a NullHandler is none),
    else to the worker's own; never to those of the root logger as well. A line that the application's filters, handlers
    or record factory fail at goes to the worker's own handler: it never ends the worker.

    output: the worker's own handler.
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
    """Writes log lines of a worker's process.

    The application's own lines take the way that the application sets up. One that sets up nothing finds them written
    as the worker's are.

    stream, level: of the worker's lines. before: what comes before each line.
    """

    def __init__(self, stream: TextIO, level: int, before: str) -> None:
        self._handler = logging.StreamHandler(stream)
        self._handler.setLevel(level)
        self._handler.setFormatter(LineFormatter(before))
        logging.lastResort = self._handler  # what is used while the root logger has no handler
        logging.getLogger().setLevel(level)
        self.adopt()

    def adopt(self) -> None:
        """Make this package's loggers the worker's, also those of modules that were imported since."""
        for name in (NAME, *list(logging.Logger.manager.loggerDict)):
            logger = logging.getLogger(name) if name.split(".")[0] == NAME else None
            if type(logger) is logging.Logger:
                logger.__class__ = WorkerLogger
            if isinstance(logger, WorkerLogger):
                logger.output = self._handler
