"""Tests of applications: an application in memory, assertions, and a clock that a test moves.

The pytest plugin with the fixture `messenger` is the module `messenger_pytest`.
"""

from messenger.testing.application import InMemoryApplication
from messenger.testing.clock import Clock
from messenger.testing.transport import AssertableTransport

__all__ = ["AssertableTransport", "Clock", "InMemoryApplication"]
