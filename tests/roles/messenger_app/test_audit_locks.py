"""`make audit`: lock files against a package index that the test runs, which answers as real ones do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.modules import ROLES, load
from tests.support.paths import ROOT

package_index = load(ROLES / "messenger_app/files/package_index.py")

HASH = {name: f"{number:064x}" for number, name in enumerate(("good", "bad", "weak", "gone", "swapped"), 1)}
SIMPLE = "application/vnd.pypi.simple.v1+json"


def page(name: str, digest: str, yanked: str | bool = False, version: str = "1.0") -> dict[str, object]:
    """A package's page (PEP 691)."""
    file = f"{name}-{version}-py3-none-any.whl"
    return {
        "meta": {"api-version": "1.1"},
        "name": name,
        "files": [{"filename": file, "url": f"../../f/{file}", "hashes": {"sha256": digest}, "yanked": yanked}],
    }


def known(*advisories: dict[str, object]) -> dict[str, object]:
    """What the JSON API says of a version."""
    return {"info": {}, "urls": [], "vulnerabilities": list(advisories)}


WEAK: dict[str, object] = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "summary": "reads \x1b[31mtoo\nmuch",
    "fixed_in": ["1.1"],
    "withdrawn": None,
}
ANSWERS: dict[str, dict[str, object]] = {
    "/simple/good/": page("good", HASH["good"]),
    "/simple/bad/": page("bad", HASH["bad"], yanked="loses data"),
    "/simple/weak/": page("weak", HASH["weak"]),
    "/simple/gone/": page("gone", HASH["gone"], version="2.0"),
    "/simple/swapped/": page("swapped", 64 * "f"),
    "/pypi/good/1.0/json": known({**WEAK, "withdrawn": "2026-02-01T00:00:00Z"}),
    "/pypi/bad/1.0/json": known(),
    "/pypi/weak/1.0/json": known(WEAK),
    "/pypi/gone/1.0/json": known(),
    "/pypi/swapped/1.0/json": known(),
}


class Handler(BaseHTTPRequestHandler):
    answers: dict[str, dict[str, object]]
    kind = SIMPLE

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Basic YW5uOnMzY3JldA==":
            self.send_error(401)
        elif self.path not in self.answers:
            self.send_error(404)
        else:
            answer = self.answers[self.path]
            text = json.dumps(answer)
            if self.kind == "text/html" and self.path.startswith("/simple"):
                files: list[dict[str, object]] = answer["files"]  # type: ignore[assignment]
                text = "".join(
                    f'<a href="{file["url"]}#sha256={file["hashes"]["sha256"]}"'  # type: ignore[index]
                    + (f' data-yanked="{file["yanked"]}"' if file["yanked"] else "")
                    + f">{file['filename']}</a>"
                    for file in files
                )
            self.send_response(200)
            self.send_header("Content-Type", self.kind if self.path.startswith("/simple") else "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """Run a web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def index(answers: dict[str, dict[str, object]], kind: str = SIMPLE) -> Iterator[str]:
    """Run an index that knows ANSWERS and wants a login. Yields its URL."""
    with running(type("It", (Handler,), {"answers": answers, "kind": kind})) as server:
        yield f"http://ann:s3cret@127.0.0.1:{server.server_address[1]}/simple"


def lock_of(tmp_path: Path, *names: str) -> Path:
    lock = tmp_path / "requirements.lock"
    lock.write_text("".join(f"{name}==1.0 --hash=sha256:{HASH[name]}\n" for name in names))
    return lock


def audit(lock: Path, url: str = "", *words: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code and what is printed. pip is configured by PIP_INDEX_URL alone."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    ran = subprocess.run(
        [sys.executable, str(ROOT / "scripts/audit_locks.py"), str(lock), *words],
        env=clean | {"PIP_CONFIG_FILE": os.devnull} | ({"PIP_INDEX_URL": url} if url else {}) | (environment or {}),
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", [SIMPLE, "text/html"])
def test_what_the_index_says_against_a_package_is_found(tmp_path: Path, kind: str) -> None:
    with index(ANSWERS, kind) as url:
        assert audit(lock_of(tmp_path, "good"), url) == (
            0,
            "1 packages, 0 findings, 0 packages not or only partly asked for\n",
        )
        code, said = audit(lock_of(tmp_path, *HASH), url)
        assert code == 1
        assert "FOUND      bad 1.0: yanked: loses data" in said
        assert "FOUND      weak 1.0: PYSEC-2026-1 CVE-2026-1: reads [31mtoo much (mended in: 1.1)" in said
        assert "FOUND      gone 1.0: " in said
        assert "no longer has this version" in said
        assert "FOUND      swapped 1.0: no file" in said
        assert "good" not in said
        assert audit(lock_of(tmp_path, "weak"), url, "--ignore", "CVE-2026-1")[0] == 0
        assert audit(lock_of(tmp_path, "weak"), url, "--yanked-only")[0] == 0


def test_an_index_that_does_not_answer_is_no_good_news(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "good")
    mirror = {path: answer for path, answer in ANSWERS.items() if path.startswith("/simple")}
    with index(mirror) as url:
        code, said = audit(lock, url)
        assert (code, "gives no vulnerabilities: good 1.0" in said) == (3, True)
        assert audit(lock, url, "--yanked-only")[0] == 0
        assert audit(lock, url.replace("ann:s3cret", "eve:s3cret"))[0] == 3
        # What was found counts for more.
        assert audit(lock_of(tmp_path, "good", "bad"), url)[0] == 1
    lock = lock_of(tmp_path, "good")
    code, said = audit(lock, url)
    assert (code, "cannot be asked" in said, "good 1.0" in said) == (3, True, True)
    with index({**ANSWERS, "/simple/good/": {"nonsense": 1}}) as url:
        code, said = audit(lock, url)
        assert (code, "is no list of files" in said) == (3, True)
    with index({**ANSWERS, "/pypi/good/1.0/json": {"info": {}}}) as url:
        assert audit(lock, url)[0] == 3
    code, said = audit(lock, "", environment={"PIP_NO_INDEX": "1"})
    assert (code, "no index" in said) == (3, True)


def test_what_is_no_answer_of_an_index_is_no_good_news(tmp_path: Path) -> None:
    """No HTTP, an answer that ends early, and the page of a login that stands before the index."""
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    answers = {
        "good": b"garbage\r\n\r\n",
        "bad": html + b"Content-Length: 9999\r\n\r\n<a href='../bad-2.0.tar.gz'>",
        "weak": html + b"\r\n<a href='/login?next=simple'>Log in</a>",
    }

    class Garbage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(next(raw for name, raw in answers.items() if name in self.path))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with running(Garbage) as server:
        code, said = audit(lock_of(tmp_path, *answers), f"http://127.0.0.1:{server.server_address[1]}/simple")
    assert (code, said.count("NOT ASKED")) == (3, 3)


def test_answers_can_be_kept_and_looked_at_without_an_index(tmp_path: Path) -> None:
    record = tmp_path / "answers.json"
    with index(ANSWERS) as url:
        audit(lock_of(tmp_path, "good", "bad"), url, "--record", str(record))
    code, said = audit(lock_of(tmp_path, "good", "bad"), url, "--recorded", str(record))
    assert code == 1
    assert said.startswith("As the index answered at 20")
    assert "bad 1.0: yanked" in said
    assert audit(lock_of(tmp_path, "good"), url, "--recorded", str(record))[0] == 0
    code, said = audit(lock_of(tmp_path, "good", "weak"), url, "--recorded", str(record))
    assert (code, "not in the record" in said) == (3, True)


def test_wrong_usage_says_so(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("anything\n")
    assert audit(lock) == (2, "audit: requirements.lock: 'anything' names no single version (NAME==VERSION)\n")
    assert audit(tmp_path / "none.lock")[0] == 2
    lock.write_text("")
    (tmp_path / "broken.json").write_text("[]")
    assert audit(lock, "", "--recorded", str(tmp_path / "broken.json"))[0] == 2


def test_the_login_of_an_index_goes_to_no_other_server(tmp_path: Path) -> None:
    """Neither to the server that a page leads to, nor to the one that an answer redirects to."""
    told: list[str | None] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Type", SIMPLE)
            self.end_headers()
            self.wfile.write(json.dumps(page("good", HASH["good"])).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Redirecting(Other):
        def do_GET(self) -> None:
            assert self.headers["Authorization"]
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{other.server_address[1]}{self.path}")
            self.end_headers()

    with running(Other) as other, running(Redirecting) as first:
        asked = package_index.Index(f"http://ann:s3cret@127.0.0.1:{first.server_address[1]}/simple")
        (file,) = asked.files("good")
        asked.get(file.url)
        asked.get(f"http://127.0.0.1:{other.server_address[1]}/f/good.whl")
        assert told == [None, None, None]
        with pytest.raises(package_index.Unanswered, match="leads to file"):
            asked.get("file:///etc/hostname")


def test_other_indexes_that_pip_knows_are_asked_too(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, "good", "bad")
    first = {path: answer for path, answer in ANSWERS.items() if "good" in path}
    with index(first) as one, index(ANSWERS) as two:
        code, said = audit(lock, one, environment={"PIP_EXTRA_INDEX_URL": two})
    assert code == 1
    assert "bad 1.0: yanked" in said
    assert "NOT ASKED" not in said


def test_without_a_setting_the_index_is_pip_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (only,) = package_index.configured()
    assert only.startswith("https://")
    monkeypatch.setenv("PIP_INDEX_URL", "https://ann:s3cret@example.org/simple/")
    assert package_index.configured() == ["https://ann:s3cret@example.org/simple"]
    assert package_index.configured("https://example.org/other") == ["https://example.org/other"]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert package_index.configured() == []
