"""List what something is made of, in CycloneDX 1.6 (JSON). The same input gives the same bytes."""

from __future__ import annotations

import email
import hashlib
import importlib.metadata
import json
import uuid
import zipfile
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lock_file import Locked
from packaging.utils import canonicalize_name

ALGORITHMS = {"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def purl(name: str, version: str) -> str:
    """Return the package URL of a Python package."""
    return f"pkg:pypi/{quote(canonicalize_name(name))}@{quote(version)}"


def licences(metadata: Message | None) -> list[dict[str, Any]]:
    """Return what a package's METADATA says of its licence: an SPDX expression, or else a name."""
    if metadata is None:
        return []
    if expression := metadata.get("License-Expression"):
        return [{"expression": str(expression)}]
    named = [
        str(line).rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if str(line).startswith("License :: OSI Approved :: ")
    ]
    return [{"license": {"name": name}} for name in sorted(named)]


def installed(name: str, version: str) -> Message | None:
    """Return the metadata of NAME if this very version is installed here."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return email.message_from_string(found.read_text("METADATA") or "") if found.version == version else None


def of_wheel(wheel: Path, kind: str) -> dict[str, Any]:
    """Return the component that WHEEL is, with its own hash."""
    with zipfile.ZipFile(wheel) as content:
        name = next(each for each in content.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(content.read(name))
    return component(
        kind,
        str(metadata["Name"]),
        str(metadata["Version"]),
        [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
        licences(metadata),
    )


def of_locked(package: Locked) -> dict[str, Any]:
    """Return the component that a line of a lock file is, with the hashes of all files that it allows."""
    hashes = [
        {"alg": ALGORITHMS[kind], "content": digest}
        for kind, _, digest in (each.partition(":") for each in package.hashes)
    ]
    found = component(
        "library",
        package.name,
        package.version,
        sorted(hashes, key=str),
        licences(installed(package.name, package.version)),
    )
    if package.requirement.marker:
        found["properties"] = [{"name": "messenger-kit:marker", "value": str(package.requirement.marker)}]
    return found


def component(
    kind: str, name: str, version: str, hashes: list[dict[str, str]], known: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return one component of CycloneDX."""
    found: dict[str, Any] = {"type": kind, "bom-ref": purl(name, version), "name": name, "version": version}
    if hashes:
        found["hashes"] = hashes
    if known:
        found["licenses"] = known
    return found | {"purl": purl(name, version)}


def document(root: dict[str, Any], components: Iterable[dict[str, Any]]) -> str:
    """Return the document about ROOT, which is made of COMPONENTS. It has no time, so that it can be compared."""
    by_ref = {str(each["bom-ref"]): each for each in components}
    listed = [by_ref[ref] for ref in sorted(by_ref)]
    content = {"metadata": {"component": root}, "components": listed}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return json.dumps(head | content, indent=2) + "\n"


def application_sbom(wheel: Path, kit: Path, packages: Iterable[Locked]) -> str:
    """Return the list for a release: the application's wheel, messenger-kit's, and what its lock file names."""
    return document(
        of_wheel(wheel, "application"), [of_wheel(kit, "library"), *(of_locked(package) for package in packages)]
    )
