"""An application for tests: a directory with a messenger.yaml and one module."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from messenger.application import Application

MODULE = """
from dataclasses import dataclass
from messenger import handler, message

ran = []

@message(name="App\\\\Message\\\\Sms")
@dataclass
class Sms:
    text: str

@dataclass
class Mail:
    text: str

@message()
@dataclass
class OnlySent:
    text: str

@handler
def on_sms(message: Sms):
    ran.append(("sms", message.text))
    return message.text.upper()

@handler
async def on_mail(message: Mail):
    ran.append(("mail", message.text))
"""
names = itertools.count()


class Project:
    """A directory with a messenger.yaml and one module, whose name is new each time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.module = f"handlers_of_test_{next(names)}"

    def load(
        self, yaml: str = "", *, module: str = MODULE, transports: str = "async: 'in-memory://'", **environ: str
    ) -> Application:
        (self.directory / f"{self.module}.py").write_text(module)
        text = f"messenger:\n  handlers: [{self.module}]\n  transports: {{{transports}}}\n{yaml}"
        (self.directory / "messenger.yaml").write_text(text.replace("MODULE", self.module))
        return Application.load(self.directory / "messenger.yaml", environ)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules[self.module], name)

    def forget(self) -> None:
        """Let the next load import a new text."""
        sys.modules.pop(self.module, None)
        self.module = f"handlers_of_test_{next(names)}"
