"""The lists of components are valid CycloneDX, complete, and the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.roles.applications import make_application, make_config, make_wheel, pinned
from tests.roles.sources import build_release, content_of, fetch
from tests.support.modules import load
from tests.support.paths import ROOT

sbom = load(ROOT / "scripts/sbom.py")


def valid(text: str) -> dict[str, Any]:
    """TEXT as a document, which the schema of CycloneDX allows."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    return document


def test_the_list_of_a_release_has_what_is_deployed(tmp_path: Path) -> None:
    application = make_application(tmp_path / "app")
    dep, other = make_wheel(tmp_path, "dep", ""), make_wheel(tmp_path, "Other_Dep", "", version="2.0+local")
    twice = pinned(dep, "sys_platform == 'win32'")
    url = f"far @ https://example.org/far-3.0-py3-none-any.whl --hash=sha256:{64 * 'a'}\n"
    make_config(application, pinned(dep) + twice + pinned(other, "python_version >= '3.11'") + url)
    files = content_of(build_release(tmp_path, fetch(tmp_path / "cache", application))["archive"])
    document = valid(files["sbom.cdx.json"].decode())
    wheel = files["wheels/shop-1.0-py3-none-any.whl"]
    root = document["metadata"]["component"]
    assert (root["type"], root["purl"]) == ("application", "pkg:pypi/shop@1.0")
    assert root["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(wheel).hexdigest()}]
    found = {each["purl"]: each for each in document["components"]}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    kit = f"pkg:pypi/messenger-kit@{version}"
    assert set(found) == {kit, "pkg:pypi/dep@1.0", "pkg:pypi/other-dep@2.0%2Blocal", "pkg:pypi/far@3.0"}
    assert found[kit]["licenses"] == [{"expression": "MIT"}]
    assert found["pkg:pypi/dep@1.0"]["hashes"][0]["content"] == hashlib.sha256(dep.read_bytes()).hexdigest()
    assert found["pkg:pypi/other-dep@2.0%2Blocal"]["properties"][0]["value"] == 'python_version >= "3.11"'
    name = next(name for name in files if "messenger_kit" in name)
    assert zipfile.ZipFile(io.BytesIO(files[name])).namelist()
    assert found[kit]["hashes"][0]["content"] == hashlib.sha256(files[name]).hexdigest()


def test_the_list_of_the_kit_has_every_locked_package(tmp_path: Path) -> None:
    text = sbom.kit_sbom()
    assert text == sbom.kit_sbom()
    document = valid(text)
    assert document["metadata"]["component"]["name"] == "messenger-kit"
    found = {f"{each['name']}=={each['version']}": each for each in document["components"]}
    for lock, scopes in (("requirements.lock", {"required"}), ("requirements-dev.lock", {"required", "excluded"})):
        locked = re.findall(r"^([a-z0-9-]+==[^ ;]+)", (ROOT / lock).read_text(), re.MULTILINE)
        assert {found[each]["scope"] for each in locked} == scopes
    assert {each["scope"] for each in found.values()} == {"required", "excluded"}
    assert all(each["hashes"] for each in found.values())
    (licence,) = found["click==" + next(each["version"] for each in found.values() if each["name"] == "click")][
        "licenses"
    ]
    assert licence == {"expression": "BSD-3-Clause"}


def test_a_list_that_is_wrong_would_be_noticed() -> None:
    text = sbom.kit_sbom().replace('"type": "library"', '"type": "thing"', 1)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is not None
