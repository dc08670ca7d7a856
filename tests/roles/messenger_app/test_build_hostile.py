"""Builds among hostile neighbours: what packages, the application's user, and a builder gone wrong may try."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.roles.app_host import APP, ROOT, USERS, AppHost, module
from tests.roles.messenger_app.test_build import FIRST, host, with_pip
from tests.roles.render import evaluate
from tests.support.modules import ROLES

needs_root = pytest.mark.skipif(not ROOT, reason="root alone has processes of other users")
NOTE_WHO_RUNS = "import os; open('{0}/ran-' + str(os.getuid()), 'a').close()"

__all__ = ["host", "with_pip"]


def add(wheel: Path, **files: str) -> None:
    """Put more files into a wheel."""
    with zipfile.ZipFile(wheel, "a") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def ran_as(directory: Path) -> set[int]:
    return {int(file.name.removeprefix("ran-")) for file in directory.glob("ran-*")}


@needs_root
def test_what_is_in_packages_runs_as_the_applications_user_alone(host: AppHost) -> None:
    """Files that Python runs at each start, in packages and in the home of the user, who also runs usercustomize."""
    notes = host.root.parent / "notes"
    notes.mkdir()
    notes.chmod(0o777)
    code = NOTE_WHO_RUNS.format(notes)
    add(host.dependency, **{"start.pth": f"{code}\n", "sitecustomize.py": code, "usercustomize.py": code})
    home = host.root / "shared/var/.local/lib/python3.11/site-packages"
    home.mkdir(parents=True)
    (home / "usercustomize.py").write_text(code)
    host.build(FIRST, "env1", needs="dep==1.0")
    assert host.python(FIRST, "import shop; print(shop.WHICH)") == FIRST
    assert ran_as(notes) == {host.user.uid}


@needs_root
def test_only_the_data_is_the_users(host: AppHost) -> None:
    host.build(FIRST, "env1")
    writable = ["find", host.root, "-xdev", "-writable", "!", "-type", "l"]
    assert module.run_as(host.user, writable).stdout.split() == [str(host.root / "shared/var")]
    assert module.run_as(host.builder, writable).stdout == ""
    for path in [*host.release(FIRST).rglob("*"), *(host.root / "environments/env1").rglob("*")]:
        found_stat = path.lstat()
        assert (found_stat.st_uid, found_stat.st_mode & (stat.S_ISUID | stat.S_ISGID)) == (0, 0), path
        assert stat.S_ISLNK(found_stat.st_mode) or found_stat.st_mode & 0o027 == 0, path
        assert found_stat.st_gid == (0 if path.name == ".manifest" else host.user.gid), path
    assert not list(host.root.glob(".build-*"))


def test_byte_code_is_there_and_good(host: AppHost) -> None:
    """The tree is read-only, so what was not compiled when it was built would be compiled at each start."""
    host.build(FIRST, "env1")
    said = host.python(
        FIRST, "import dep, shop, sys; print(dep.__cached__, shop.__cached__, sys.flags.verbose)"
    ).split()
    for cached in said[:2]:
        source = Path(cached).parents[1] / (Path(cached).name.split(".")[0] + ".py")
        assert int.from_bytes(Path(cached).read_bytes()[8:12], "little") == int(source.stat().st_mtime)


@needs_root
def test_what_the_builder_left_running_is_gone(host: AppHost) -> None:
    command = "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(600)\n"
    module.run_as(host.builder, [sys.executable if not ROOT else "/usr/bin/python3", "-c", command])
    assert processes_of(host.builder.uid)
    host.build(FIRST, "env1")
    assert not processes_of(host.builder.uid)


def processes_of(uid: int) -> list[int]:
    def is_of(entry: Path) -> bool:
        try:
            status = (entry / "status").read_text()
        except OSError:
            return False
        return f"Uid:\t{uid}\t" in status and "State:\tZ" not in status

    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_of(entry)]


def test_while_it_is_built_nobody_else_can_enter(host: AppHost, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    copy = module.copy_tree

    def look(source: Path, target: Path, owner: int) -> None:
        copy(source, target, owner)
        top = host.root / "/".join(target.relative_to(host.root).parts[:2])
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (top, source.parent, source.parents[1])]
        seen[top.parent.name] = " ".join(f"{mode:o}" for mode in modes)

    monkeypatch.setattr(module, "copy_tree", look)
    host.build(FIRST, "env1")
    assert seen == dict.fromkeys(("environments", "releases"), "700 700 710")


def link(path: Path) -> None:
    path.symlink_to("/etc/shadow")


def link_to_its_own(path: Path) -> None:
    other = path.parents[2] / "other"
    other.write_text("the builder's")
    os.chown(other, USERS["shop-build"].uid, -1)
    path.symlink_to(other)


def directory_link(path: Path) -> None:
    path.symlink_to("/etc")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def file_of_root(path: Path) -> None:
    path.write_text("secret")


def occupied(path: Path) -> None:
    path.write_text("mine")
    os.chown(path, USERS["shop-build"].uid, -1)
    path.rename(path.with_name("taken"))


@needs_root
@pytest.mark.parametrize("plant", [link, link_to_its_own, directory_link, pipe, listening, file_of_root, occupied])
def test_root_copies_nothing_but_plain_files_of_the_builder(tmp_path: Path, plant) -> None:  # type: ignore[no-untyped-def]
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "lib").mkdir(parents=True)
    (target / "lib").mkdir(parents=True)
    (target / "lib/taken").write_text("root's")
    plant(source / "lib/planted")
    with pytest.raises(module.Refused):
        module.copy_tree(source, target, USERS["shop-build"].uid)
    assert [path.name for path in (target / "lib").iterdir() if path.is_file()] == ["taken"]
    assert (target / "lib/taken").read_text() == "root's"


@needs_root
def test_names_replaced_while_root_copies_lead_nowhere(tmp_path: Path) -> None:
    """The builder's directory becomes a link to a directory of root's and back, all the time."""
    secret, source = tmp_path / "secret", tmp_path / "source"
    secret.mkdir()
    (secret / "file").write_text("secret")
    (source / "lib").mkdir(parents=True)
    (source / "lib/file").write_text("public")
    for path in (source, source / "lib", source / "lib/file"):
        os.chown(path, USERS["shop-build"].uid, USERS["shop-build"].gid)
    swap = (
        "import os, sys\nos.chdir(sys.argv[1])\nprint(flush=True)\nwhile True:\n"
        " os.rename('lib', 'other'); os.symlink(sys.argv[2], 'lib'); os.unlink('lib'); os.rename('other', 'lib')\n"
    )
    with subprocess.Popen([sys.executable, "-c", swap, source, secret], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for number in range(300):
            target = tmp_path / f"target{number}"
            target.mkdir()
            with suppress(module.Refused, OSError):
                module.copy_tree(source, target, USERS["shop-build"].uid)
            assert "secret" not in [file.read_text() for file in target.rglob("file")]
        process.kill()


@pytest.mark.parametrize(
    "line",
    [
        "shop @ https://files.example.org/shop-1.0.tar.gz --hash=sha256:00",
        "shop @ git+https://git.example.org/shop.git@v1 --hash=sha256:00",
        "https://files.example.org/shop-1.0.tar.gz --hash=sha256:00",
        "./shop-1.0.tar.gz --hash=sha256:00",
        "-e .",
        "--no-binary :all:",
        "--no-binary=shop",
        "--only-binary=:none:",
        "-r other.txt",
        "--find-links /tmp",
        "shop>=1.0 --hash=sha256:00",
        "shop --hash=sha256:00",
    ],
)
def test_a_lock_file_of_which_something_would_be_built_is_refused(line: str) -> None:
    with pytest.raises(module.Broken, match=re.escape(line[:20].split(" --hash")[0])):
        module.require_wheels(f"# locked\nredis==5.0.1 \\\n    --hash=sha256:00\n{line}\n")


def test_nothing_is_fetched_of_a_lock_file_that_is_refused(host: AppHost) -> None:
    with pytest.raises(module.Broken, match="is no wheel of a version"):
        host.build(FIRST, "env1", lock="--no-binary :all:\n")
    assert host.found() == {}


def test_a_lock_file_of_wheels_is_taken() -> None:
    lock = (ROLES.parent / "examples/sms/requirements.lock").read_text()
    options = "--index-url https://index.example.org/simple\n--extra-index-url=https://other.example.org\n-i x\n"
    more = 'a[b,c]==1.0+cpu ; python_full_version < "3.12" --hash=sha256:00\nd @ https://e.org/d-1-py3-none-any.whl\n'
    module.require_wheels(f"{options}--require-hashes\n--only-binary :all:\n{lock}{more}")


@needs_root
@pytest.mark.parametrize("name", ["shop", "shop-build"])
def test_a_command_as_another_user_has_nothing_of_roots(host: AppHost, name: str) -> None:
    code = (
        "import os, sys\nstatus = open('/proc/self/status').read()\n"
        "print(os.getuid(), os.getgid(), os.getgroups(), os.getsid(0) == os.getpid(), oct(os.umask(0)))\n"
        "print('NoNewPrivs:\\t1' in status, sorted(set(os.environ) - {'LC_CTYPE'}), os.listdir('/proc/self/fd'))\n"
        "try: open('/dev/tty')\nexcept OSError: print('no terminal')\n"
    )
    os.environ["SECRET_OF_ROOT"] = "x"
    ran = module.run_as(USERS[name], ["/usr/bin/python3", "-c", code], stdin=b"given")
    uid = USERS[name].uid
    assert ran.stdout.splitlines() == [
        f"{uid} {uid} [{uid}] True 0o27",
        "True ['LANG', 'PATH', 'PYTHONNOUSERSITE'] ['0', '1', '2', '3']",
        "no terminal",
    ]
    assert module.run_as(USERS[name], ["cat"], stdin=b"given").stdout == "given"


@pytest.mark.parametrize(
    ("code", "stopped"),
    [
        ("import time; time.sleep(600)", "did not end within"),
        ("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "did not end within"),
        ("while True: print('y' * 1000)", "wrote more than"),
        ("import os, time\nif os.fork(): print('parent'); os._exit(0)\ntime.sleep(600)", ""),
        ("import os, time\nif os.fork(): os._exit(0)\nos.setsid(); time.sleep(3)", ""),
        ("import os\nos.close(1); os.close(2); __import__('time').sleep(600)", "did not end within"),
    ],
)
def test_a_command_is_bounded_whatever_it_does(code: str, stopped: str) -> None:
    began = time.monotonic()
    ran = module.run_as(USERS["shop"], ["/usr/bin/python3", "-c", code], seconds=2, most=100_000)
    assert time.monotonic() - began < 60  # nothing was waited for that does not end
    assert stopped in ran.stopped
    assert bool(stopped) is bool(ran.stopped)
    assert len(ran.stdout) < 300_000


def test_hooks_are_given_a_way_to_run_the_application_as_its_user() -> None:
    (task,) = yaml.safe_load((APP / "tasks/hooks.yml").read_text())
    words = evaluate(
        task["vars"]["messenger_deploy_as_user"], "messenger_app", messenger_app_root="/srv/x", messenger_app_user="x"
    )
    assert words == ["/srv/x/bin/as-user", "--within", "600", "x", "HOME=/srv/x/shared/var", "--"]
