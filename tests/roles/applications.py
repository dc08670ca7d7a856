"""Small applications, wheels and indexes, for the tests of releases."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"

[tool.hatch.build.targets.wheel]
packages = ["src/shop"]
"""


def make_application(root: Path) -> Path:
    """An application that needs nothing."""
    (root / "src/shop").mkdir(parents=True)
    (root / "src/shop/__init__.py").write_text("WHICH = 1\n")
    (root / "pyproject.toml").write_text(PROJECT)
    make_config(root)
    return root


def make_config(root: Path, lock: str = "") -> Path:
    root.mkdir(exist_ok=True)
    (root / "requirements.lock").write_text(lock)
    (root / "messenger.yaml").write_text("messenger: {}\n")
    return root


def make_wheel(
    directory: Path, name: str, content: str, version: str = "1.0", tag: str = "py3-none-any", needs: str = ""
) -> Path:
    """A wheel with one module, which may need another package."""
    directory.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file},," + "\n" for file in [*files, f"{info}/RECORD"])
    wheel = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return wheel


def make_index(root: Path, *files: Path) -> Path:
    """A package index in a directory; pip reads it as a file:// URL, or from a web server."""
    for file in files:
        page = root / file.name.split("-")[0]
        page.mkdir(parents=True, exist_ok=True)
        (page / file.name).write_bytes(file.read_bytes())
        links = [f'<a href="{each.name}">{each.name}</a>' for each in page.glob("*.[wt]*")]
        (page / "index.html").write_text("".join(links))
    return root


def pinned(file: Path, marker: str = "") -> str:
    """The line of a lock file for FILE."""
    name, version = file.name.removesuffix(".tar.gz").split("-")[:2]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{name}=={version} {marker and f'; {marker}'} \\\n    --hash=sha256:{digest}\n    # via a test\n"


def git(directory: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(directory), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(directory: Path, which: int) -> str:
    """Another revision of the application in DIRECTORY."""
    (directory / "src/shop/__init__.py").write_text(f"WHICH = {which}\n")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", f"number {which}")
    return git(directory, "rev-parse", "HEAD")


def make_repository(root: Path) -> Path:
    """A git repository with an application."""
    make_application(root)
    git(root, "init", "--quiet")
    commit(root, 2)
    return root


def build(source: Path, target: Path, kind: str) -> Path:
    """SOURCE as a `wheel` or an `sdist`."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(target.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


class _Guarded(SimpleHTTPRequestHandler):
    login = ""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.headers.get("Authorization") == wanted:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def web_server(directory: Path, login: str) -> Iterator[str]:
    """Serves DIRECTORY to those who have LOGIN. Yields HOST:PORT."""
    handler = type("Guarded", (_Guarded,), {"login": login})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
