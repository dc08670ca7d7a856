"""Ask a package index what it has, without running anything of a package: pip runs the build of what it downloads as a
source distribution.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from commands import Problem, scrub
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
ALGORITHMS = ("sha256", "sha384", "sha512")
SECONDS = 30
LARGEST_PAGE = 64 << 20
LARGEST_FILE = 1 << 30


class Unanswered(Problem):
    """The index could not be asked, or its answer could not be read."""


class File(NamedTuple):
    """A file of a package as the index lists it; `yanked` is the reason why it was withdrawn."""

    name: str
    url: str
    sha256: str
    yanked: str | None

    @property
    def version(self) -> Version | None:
        """The version it is of; None if its name does not say."""
        try:
            if self.name.endswith(".whl"):
                return parse_wheel_filename(self.name)[1]
            return parse_sdist_filename(self.name)[1]
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            return None


class Page(HTMLParser):
    """Files that an HTML page of an index links to (PEP 503, PEP 592)."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take a link."""
        found = dict(attributes)
        if tag == "a" and found.get("href"):
            url, fragment = urldefrag(urljoin(self.url, found["href"] or ""))
            digest = re.fullmatch("sha256=([0-9a-f]{64})", fragment)
            yanked = (found["data-yanked"] or "no reason given") if "data-yanked" in found else None
            name = unquote(urlsplit(url).path.rpartition("/")[2])
            self.files.append(File(name, url, digest[1] if digest else "", yanked))


def pip(*words: str) -> str:
    """Return what pip prints."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    wide = os.environ | {"COLUMNS": "500"}
    return subprocess.run(command, env=wide, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def pip_settings() -> dict[str, str]:
    """Return what pip is configured to: its files, and over them its variables in the environment."""
    found: dict[str, dict[str, str]] = {}
    for line in pip("config", "list").splitlines():
        key, separator, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if separator:
            found.setdefault(section, {})[name] = str(ast.literal_eval(value))
    merged: dict[str, str] = {}
    for section in ("global", "download", ":env:"):
        merged |= found.get(section, {})
    return merged


def configured(index_url: str = "") -> list[str]:
    """Return the URLs of the indexes that pip asks; INDEX_URL takes the first place."""
    settings = pip_settings()
    first = index_url or settings.get("index-url", "")
    if not first:
        # pip's own default, as its help has it.
        said = re.search(r"--index-url.*?\(default:?\s+(\S+?)\)", pip("download", "--help"), re.DOTALL)
        first = said[1] if said else ""
    found = [] if settings.get("no-index", "false").lower() in ("1", "true", "yes", "on") else [first]
    found += settings.get("extra-index-url", "").split()
    return [each.rstrip("/") for each in found if each]


class Index:
    """One package index."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else Path(url).resolve().as_uri())
        login, _, host = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=host, query="", fragment="").geturl()
        self.origin = (parts.scheme, host)
        self.login = base64.b64encode(unquote(login).encode()).decode() if login else ""
        self.context = ssl.create_default_context()
        if parts.scheme == "https" and (authorities := pip_settings().get("cert")):
            self.context.load_verify_locations(authorities)

    def get(self, url: str, accept: str = "*/*", largest: int = LARGEST_PAGE) -> tuple[bytes, str]:
        """Return what URL holds and its media type.

        Raises:
            Unanswered: There is no answer, or it is larger than LARGEST bytes.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https", self.origin[0]}:
            raise Unanswered(f"{self.url} leads to {scrub(url)}")
        request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "messenger-kit"})
        if self.login and (parts.scheme, parts.netloc) == self.origin:
            request.add_unredirected_header("Authorization", f"Basic {self.login}")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=self.context) as answer:
                content = answer.read(largest + 1)
                media = answer.headers.get_content_type()
                promised = answer.headers.get("Content-Length", "")
        except urllib.error.HTTPError as error:
            error.close()
            raise Unanswered(f"{scrub(url)} answers {error.code}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unanswered(f"{scrub(url)} cannot be asked: {getattr(error, 'reason', error)}") from error
        if len(content) > largest:
            raise Unanswered(f"{scrub(url)} is larger than {largest >> 20} MB")
        if promised.isdigit() and len(content) < int(promised):
            raise Unanswered(f"{scrub(url)} ended early")
        return content, media

    def files(self, name: str) -> list[File]:
        """Return the files of package NAME.

        Raises:
            Unanswered: The index cannot be asked, or does not have it.
        """
        url = f"{self.url}/{canonicalize_name(name)}/"
        if self.origin[0] == "file":
            url += "index.html"
        content, media = self.get(url, ACCEPT)
        try:
            if media != JSON:
                page = Page(url)
                page.feed(content.decode())
                found = page.files
            else:
                found = [read_file(url, each) for each in json.loads(content)["files"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unanswered(f"{scrub(url)} is no list of files") from error
        if not any(file.version for file in found):  # a page of something else, such as a login
            raise Unanswered(f"{scrub(url)} lists no files")
        return found


def read_file(page: str, entry: dict[str, Any]) -> File:
    """Read an ENTRY of a JSON page (PEP 691)."""
    yanked = entry.get("yanked", False)
    return File(
        name=str(entry["filename"]),
        url=urljoin(page, str(entry["url"])),
        sha256=str(entry.get("hashes", {}).get("sha256", "")),
        yanked=(yanked if isinstance(yanked, str) else "no reason given") if yanked else None,
    )


def fetch_sdist(name: str, version: str, hashes: tuple[str, ...], index_url: str, target: Path) -> Path:
    """Download the source distribution of NAME==VERSION that one of HASHES belongs to into directory TARGET.

    Raises:
        Problem: No index has it, or its content has another hash.
    """
    tried = []
    for url in configured(index_url):
        index = Index(url)
        try:
            found = [
                file for file in index.files(name) if file.name.endswith(".tar.gz") and file.version == Version(version)
            ]
            for file in found:
                content, _ = index.get(file.url, largest=LARGEST_FILE)
                if any(f"{kind}:{hashlib.new(kind, content).hexdigest()}" in hashes for kind in ALGORITHMS):
                    path = target / f"{canonicalize_name(name)}-{version}.tar.gz"
                    path.write_bytes(content)
                    return path
        except Unanswered as problem:
            tried.append(str(problem))
            continue
        tried.append(f"{index.url} has {'a file with another hash' if found else 'no source distribution of it'}")
    raise Problem(f"{name}=={version} cannot be fetched: {'; '.join(tried) or 'pip is configured to no index'}")
