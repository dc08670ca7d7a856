"""The pytest plugin of messenger: the fixture `messenger` and the ini option `messenger_config`.

It stands beside the package, not in it, and imports it only for a test that asks for the fixture: pytest loads its
plugins in every run, and importing `messenger.anything` would import the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from messenger.testing import InMemoryApplication


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        "messenger_config",
        "The messenger.yaml of the fixture 'messenger', relative to pytest's root directory.",
        default="messenger.yaml",
    )


@pytest.fixture
def messenger(pytestconfig: pytest.Config) -> Iterator[InMemoryApplication]:
    """The application of messenger.yaml with every transport in memory, new for each test."""
    from messenger.testing import InMemoryApplication

    application = InMemoryApplication.load(pytestconfig.rootpath / pytestconfig.getini("messenger_config"))
    yield application
    application.close()
