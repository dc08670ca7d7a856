"""What messenger_app_source may be: each kind is fetched and built with the real pip."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.roles.applications import (
    build,
    git,
    make_application,
    make_config,
    make_index,
    make_repository,
    make_wheel,
    pinned,
    web_server,
)
from tests.roles.render import evaluate
from tests.roles.sources import build_release, content_of, fetch, host, ship

LOGIN = "reader:s3cret-w0rd"


def hashed(file: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/opt/apps/shop", "shop"),
        ("/opt/apps/shop-2.0/", "shop-2.0"),
        ("git+https://git.example.org/team/shop.git@feature/x", "shop"),
        ("git+ssh://git@git.example.org/team/shop@v1", "shop"),
        ("git+file:///opt/shop.git#subdirectory=worker", "shop"),
        ("/tmp/shop-1.2.3-py3-none-any.whl", "shop"),
        ("/tmp/shop-1.2.3.tar.gz", "shop"),
        ("Shop==1.2", "shop"),
        ("shop[fast]==1.2", "shop"),
        (f"shop==1.2 --hash=sha256:{64 * '0'}", "shop"),
    ],
)
def test_the_application_is_called_what_its_source_is_called(source: str, name: str) -> None:
    assert evaluate("{{ messenger_app_name }}", "messenger_app", messenger_app_source=source) == name


def test_a_directory_says_which_revision_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = make_application(tmp_path / "plain")
    assert fetch(tmp_path, application) == {
        "path": str(application),
        "config_dir": str(application),
        "shown": str(application),
        "revision": "",
    }
    repository = make_repository(tmp_path / "shop")
    head = git(repository, "rev-parse", "--short=12", "HEAD")
    assert fetch(tmp_path, repository)["revision"] == head
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert fetch(tmp_path, repository)["revision"] == head
    (repository / "new.txt").write_text("x")
    assert fetch(tmp_path, repository)["revision"] == f"{head}-dirty"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_file_needs_its_settings_beside_it(tmp_path: Path, kind: str) -> None:
    file = build(make_application(tmp_path / "app"), tmp_path / "dist", kind)
    assert "needs messenger_app_config_dir" in fetch(tmp_path, file)["problem"]
    config = make_config(tmp_path / "config", "# nothing\n")
    built = build_release(tmp_path, fetch(tmp_path, file, config))
    names = {name for name in content_of(built["archive"]) if "messenger_kit" not in name}
    assert names == {"wheels/shop-1.0-py3-none-any.whl", "requirements.lock", "messenger.yaml", "sbom.cdx.json"}


def test_a_release_of_an_index_with_a_login(tmp_path: Path) -> None:
    make_index(tmp_path / "simple", build(make_application(tmp_path / "app"), tmp_path / "dist", "wheel"))
    config = make_config(tmp_path / "config")
    with web_server(tmp_path, LOGIN) as address:
        index = f"http://{LOGIN}@{address}/simple/"
        origin = fetch(tmp_path / "cache", "shop==1.0", config, index)
        assert Path(origin["path"]).name == "shop-1.0-py3-none-any.whl"
        assert origin["shown"] == "shop==1.0"
        assert "shop==2.0" in fetch(tmp_path / "cache", "shop==2.0", config, index)["problem"]
        refused = fetch(tmp_path / "cache", "shop==1.0", config, f"http://reader:s3cret@{address}/simple/")
        assert "problem" in refused


def test_a_version_has_the_hash_that_was_named(tmp_path: Path) -> None:
    wheel = build(make_application(tmp_path / "app"), tmp_path / "dist", "wheel")
    index = f"file://{make_index(tmp_path / 'simple', wheel)}"
    config = make_config(tmp_path / "config")
    origin = fetch(tmp_path / "cache", f"shop==1.0 {hashed(wheel)}", config, index)
    assert Path(origin["path"]).read_bytes() == wheel.read_bytes()
    other = f"--hash=sha256:{64 * '0'}"
    assert "path" in fetch(tmp_path / "cache", f"shop==1.0 {other} {hashed(wheel)}", config, index)
    assert "HASHES" in fetch(tmp_path / "cache", f"shop==1.0 {other}", config, index)["problem"]
    assert "a hash that is none" in fetch(tmp_path / "cache", "shop==1.0 --hash=sha256:12", config, index)["problem"]


def test_the_sdist_of_a_version_needs_its_name_and_its_hash(tmp_path: Path) -> None:
    """Nothing of it runs before: pip itself would run the build of what it downloads."""
    application = make_application(tmp_path / "app")
    ran = tmp_path / "ran"
    (application / "hatch_build.py").write_text(HOOK.format(ran=ran))
    with (application / "pyproject.toml").open("a") as project:
        project.write("[tool.hatch.build.targets.wheel.hooks.custom]\n")
    source = build(application, tmp_path / "dist", "sdist")
    index = f"file://{make_index(tmp_path / 'simple', source)}"
    config = make_config(tmp_path / "config")
    problem = fetch(tmp_path / "cache", f"shop==1.0 {hashed(source)}", config, index)["problem"]
    assert "messenger_app_source_distributions: [shop]" in problem
    allowed = {"source_distributions": ["Shop"]}
    assert "needs a hash" in fetch(tmp_path / "cache", "shop==1.0", config, index, **allowed)["problem"]
    other = f"shop==1.0 --hash=sha256:{64 * '0'}"
    assert "another hash" in fetch(tmp_path / "cache", other, config, index, **allowed)["problem"]
    origin = fetch(tmp_path / "cache", f"shop==1.0 {hashed(source)}", config, index, **allowed)
    assert Path(origin["path"]).read_bytes() == source.read_bytes()
    assert not ran.exists()
    assert "wheels/shop-1.0-py3-none-any.whl" in content_of(build_release(tmp_path, origin)["archive"])
    assert ran.exists()


HOOK = """\
from pathlib import Path
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        Path("{ran}").touch()
"""


def test_what_is_no_application_says_what_one_is(tmp_path: Path) -> None:
    for source, said in (
        (tmp_path / "nothing", "There is no"),
        (tmp_path, "has no requirements.lock"),
        ("git+nonsense", "is no git URL"),
    ):
        assert said in fetch(tmp_path / "cache", source)["problem"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dep==1.0", "needs --hash"),
        ("dep>=1.0 --hash=sha256:00", "no single version"),
        ("dep==1.* --hash=sha256:00", "no single version"),
        ("-e .", "no package of one version"),
        ("--no-binary dep", "no package of one version"),
        ("-r other.txt", "no package of one version"),
        (f"dep @ https://reader:s3cret@example.org/dep-1.0.tar.gz --hash=sha256:{64 * '0'}", "a URL that is no wheel"),
        (f"dep @ git+https://example.org/dep-1.0.whl --hash=sha256:{64 * '0'}", "a URL that is no wheel"),
        (f"dep==1.0 --hash=sha256:{64 * '0'} --config-settings=x=y", "no other option"),
    ],
)
def test_a_lock_file_that_leaves_something_open_is_refused(tmp_path: Path, line: str, said: str) -> None:
    application = make_application(tmp_path / "app")
    make_config(application, f"# comment\n--index-url https://example.org/simple\n{line}\n")
    problem = fetch(tmp_path / "cache", application)["problem"]
    assert problem.startswith("requirements.lock: ")
    assert said in problem


def test_dependencies_are_fetched_for_the_host_and_by_their_hashes(tmp_path: Path) -> None:
    pure = make_wheel(tmp_path, "pure", "")
    newer = make_wheel(tmp_path, "newer", "", tag="cp313-abi3-manylinux_2_17_x86_64")
    index = make_index(tmp_path / "simple", pure, newer)
    here = host()
    later = {**here["markers"], "python_version": "3.13", "python_full_version": "3.13.1", "platform_machine": "x86_64"}
    there = host(soabi="cpython-313-x86_64-linux-gnu", python="3.13", libc="glibc 2.41", markers=later)
    lock = pinned(pure) + pinned(newer, "python_version >= '3.13'") + pinned(pure, "sys_platform == 'win32'")
    here["markers"]["python_version"] = "3.11"
    assert ship(tmp_path, lock, index, here) == {pure.name}
    assert ship(tmp_path, lock, index, there) == {pure.name, newer.name}
    tampered = make_wheel(tmp_path / "tampered", "pure", "evil = 1\n")
    assert "do not match" in str(ship(tmp_path, pinned(tampered), index, here)).lower()


def test_a_dependency_s_sdist_is_built_when_its_name_is_allowed(tmp_path: Path) -> None:
    pure = make_wheel(tmp_path, "pure", "")
    source = build(make_application(tmp_path / "app"), tmp_path / "dist", "sdist")
    index = make_index(tmp_path / "simple", pure, source)
    here = host()
    there = host(soabi="cpython-399-x86_64-linux-gnu", python="3.99", libc="glibc 2.41", markers=here["markers"])
    lock = pinned(pure) + pinned(source)
    assert "messenger_app_source_distributions: [shop]" in ship(tmp_path, lock, index, here)
    shipped = {pure.name, "shop-1.0-py3-none-any.whl"}
    assert ship(tmp_path, lock, index, here, source_distributions=["shop"]) == shipped
    # What is not compiled also runs on a host of another kind.
    assert ship(tmp_path, lock, index, there, source_distributions=["SHOP"]) == shipped
    # A wheel is taken where there is one.
    assert ship(tmp_path, lock, index, here, source_distributions=["shop", "pure"]) == shipped
