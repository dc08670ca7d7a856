"""What the tests of the roles share."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.modules import ROLES, USER


@pytest.fixture
def host_root() -> Iterator[Path]:
    """An application's directory as on a host, where its user (USER) may enter; shared/var is that user's."""
    root = Path(tempfile.mkdtemp(prefix="messenger-kit-test-"))
    root.chmod(0o755)
    for name in ("bin", "shared/log", "shared/var"):
        (root / name).mkdir(parents=True)
    shutil.copy(ROLES / "messenger_app/files/as-user", root / "bin/as-user")
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(root / "shared/var", user.pw_uid, user.pw_gid)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def app_root(tmp_path: Path) -> Path:
    """An application's directory, for the tests of messenger-worker.conf."""
    (tmp_path / "shared/log").mkdir(parents=True)
    return tmp_path
