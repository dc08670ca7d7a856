"""Read requirements.lock: packages of one version each, with the hashes of their files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from commands import Problem, scrub
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

# Where pip finds packages, and what holds anyway; never that something is built. The same as on the hosts.
OPTION = re.compile(
    r"(-i|--index-url|--extra-index-url|--trusted-host)[ =]|--(require-hashes|prefer-binary|only-binary[ =]:all:)$"
)
HASH = re.compile(r"--hash[= ](sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")


class Locked(NamedTuple):
    """A package of one version."""

    name: str
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version; of a URL, what the wheel's name says."""
        if self.requirement.url:
            return unquote(urlsplit(self.requirement.url).path).rpartition("/")[2].split("-")[1]
        return next(iter(self.requirement.specifier)).version

    @property
    def line(self) -> str:
        """The line for pip, without its marker."""
        bare = Requirement(str(self.requirement))
        bare.marker = None
        return " ".join([str(bare), *(f"--hash={each}" for each in self.hashes)])


def locked(entry: str, file: str) -> Locked:
    """Read one ENTRY of a lock file.

    Raises:
        Problem: It is not one version of a package, or has no hash.
    """
    text, *options = re.split(r"\s+(?=--)", entry)
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise Problem(f"{file}: {scrub(text)!r} is no package of one version (NAME==VERSION)") from None
    pins = list(requirement.specifier)
    if requirement.url:
        if not re.match(r"(https?|file)://[^#?]+/[^#?/]+-[^#?/]+\.whl($|[#?])", requirement.url):
            raise Problem(f"{file}: {requirement.name} comes from a URL that is no wheel")
    elif len(pins) != 1 or pins[0].operator not in ("==", "===") or "*" in pins[0].version:
        raise Problem(f"{file}: {text!r} names no single version (NAME==VERSION)")
    hashes = [match[1] for option in options if (match := HASH.fullmatch(option))]
    if not hashes or len(hashes) != len(options):
        raise Problem(f"{file}: {requirement.name} needs --hash=sha256:… and no other option")
    return Locked(canonicalize_name(requirement.name), requirement, tuple(hashes))


def read_lock(file: Path) -> tuple[list[Locked], list[str]]:
    """Read lock FILE.

    Returns:
        Its packages, and its options.

    Raises:
        Problem: A line is neither.
    """
    packages, options = [], []
    for line in re.sub(r"\\\r?\n", " ", file.read_text()).splitlines():
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        if OPTION.match(entry):
            options.append(entry)
        elif entry:
            packages.append(locked(entry, file.name))
    return packages, options
