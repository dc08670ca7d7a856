"""bin/as-user: what a command that root runs as the application's user gets of root's, and what it does not."""

from __future__ import annotations

import json
import os
import pty
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.roles.render import render
from tests.support.modules import ROLES

AS_USER = ROLES / "messenger_app/files/as-user"
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
PYTHON = "/usr/bin/python3"  # one that this user may run

STATUS = """
import json, os
rows = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({name: rows[name].strip() for name in rows} | {
    "env": dict(os.environ), "sid": os.getsid(0), "pid": os.getpid(), "fds": len(os.listdir("/proc/self/fd")),
}))
"""
TERMINAL = """
import fcntl, json, os, termios
def outcome(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    return "done"
print(json.dumps({
    "isatty": [os.isatty(fd) for fd in range(3)],
    "names": [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3) if os.isatty(fd)],
    "/dev/tty": outcome(lambda: os.open("/dev/tty", os.O_RDWR)),
    "acquired": outcome(lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0)),
    "typed": [outcome(lambda: [fcntl.ioctl(fd, termios.TIOCSTI, c.encode()) for c in "pwned\\n"]) for fd in range(3)],
    "size": tuple(os.get_terminal_size(2)) if os.isatty(2) else (),
}))
"""


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(AS_USER), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, **options)  # type: ignore[call-overload, no-any-return]


class Terminal:
    """A terminal of root's, with a shell script that runs in it."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            os.execv("/bin/sh", ["sh", "-c", script, "sh", *arguments])
        self.shown = ""

    def until(self, text: str, seconds: float = 30) -> str:
        """Wait until it shows TEXT; all that it has shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            ready = select.select([self.screen], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"{text!r} is not in {self.shown!r}"
            self.shown += os.read(self.screen, 65536).decode()
        return self.shown

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def close(self) -> None:
        os.close(self.screen)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def in_terminal(*words: str, script: str = '"$@"; echo "code $?"') -> Terminal:
    return Terminal(script, str(AS_USER), *words)


def lines_of(terminal: Terminal, start: str) -> Sequence[str]:
    return [line for line in terminal.shown.splitlines() if line.startswith(start)]


def test_pipes_and_the_exit_code_are_handed_on() -> None:
    ran = run(USER, "--", "sh", "-c", "cat; echo wrong >&2; exit 7", input="a\nb\n")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("a\nb\n", "wrong\n", 7)
    assert run(USER, "--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15


def test_the_command_has_nothing_of_root_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET", "PYTHONPATH", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "/root/of-root")
    monkeypatch.setenv("TERM", "vt100")
    descriptor = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        found = json.loads(run(USER, "A=b", "--", PYTHON, "-c", STATUS, close_fds=False).stdout)
    finally:
        os.close(descriptor)
    assert found["NoNewPrivs"] == "1"
    assert {int(found[name], 16) for name in found if name.startswith("Cap") and name != "CapBnd"} == {0}
    assert os.geteuid() != 0 or int(found["CapBnd"], 16) == 0
    assert found["Umask"] == "0027"
    assert found["Uid"].split() == [str(pwd.getpwnam(USER).pw_uid)] * 4
    assert found["sid"] == found["pid"]
    assert found["fds"] == 4  # 0, 1, 2 and the directory that was listed
    assert "of-root" not in str(found["env"])
    assert (found["env"]["A"], found["env"]["TERM"], found["env"]["USER"]) == ("b", "vt100", USER)


def test_it_reaches_no_terminal_of_root_s() -> None:
    terminal = in_terminal(
        USER, "--", PYTHON, "-c", TERMINAL, script='"$@"; echo "code $?"; tty; read x; echo "got $x"'
    )
    try:
        terminal.until("code 0")
        terminal.type("mine\n")
        terminal.until("got ")
        terminal.until("\n")
        found = json.loads(lines_of(terminal, "{")[0])
        assert found["isatty"] == [True, True, True]
        (own,) = set(found["names"])
        assert own not in lines_of(terminal, "/dev/pts")
        assert found["/dev/tty"] == "No such device or address"
        assert "pwned" not in terminal.shown
        assert lines_of(terminal, "got ") == ["got mine"]
    finally:
        terminal.close()


def test_what_it_shows_steers_no_terminal() -> None:
    """Colours, ends of lines and the cursor's looks pass, also where a sequence comes in two pieces."""
    harmful = r"a\033]0;title\007b\033[6nc\033[2Jd\033Pq\302\233e\033(0f\r\n"
    harmless = r"\033[1;31mred\033[0m Z\303\274rich \033[?25l\033[?25h\r\033[K\t\303\202 done"
    pieces = r"printf '\033['; sleep 0.3; printf '2Jg\033'; sleep 0.3; printf '[32mgreen\n'"
    terminal = in_terminal(USER, "--", "sh", "-c", f"printf '{harmful}'; printf '{harmless}'; {pieces}")
    try:
        terminal.until("code 0")
        assert "a?]0;title?b?[6nc?[2Jd?Pq?e?(0f\r" in terminal.shown
        assert "\x1b[1;31mred\x1b[0m Zürich \x1b[?25l\x1b[?25h\r\x1b[K\tÂ done?[2Jg\x1b[32mgreen" in terminal.shown
    finally:
        terminal.close()


def test_stdout_and_stderr_stay_apart_at_a_terminal(tmp_path: Path) -> None:
    script = f'"$@" > {tmp_path}/out; echo "code $?"'
    terminal = in_terminal(
        USER, "--", "sh", "-c", "echo printed; echo wrong >&2; test -t 1 || echo piped", script=script
    )
    try:
        assert "wrong" in terminal.until("code 0")
        assert "printed" not in terminal.shown
        assert (tmp_path / "out").read_text() == "printed\npiped\n"
    finally:
        terminal.close()


def test_what_is_typed_arrives_also_its_end() -> None:
    terminal = in_terminal(USER, "--", "sh", "-c", "read x; echo read $x; cat; echo ended")
    try:
        terminal.type("y\n")
        terminal.until("read y")
        terminal.type("\x04")
        terminal.until("ended")
        terminal.until("code 0")
    finally:
        terminal.close()


def test_keys_are_left_to_the_pager_that_reads_the_pipe() -> None:
    command = ("sh", "-c", "echo begun >&2; test -t 0 || echo nobody to ask; sleep 0.5")
    terminal = in_terminal(USER, "--", *command, script='"$@" | cat; read x; echo "got $x"')
    try:
        terminal.until("begun")
        terminal.type("mine\n")
        assert "nobody to ask" in terminal.until("got mine")
    finally:
        terminal.close()


def test_control_c_ends_it() -> None:
    terminal = in_terminal(USER, "--", "sh", "-c", "echo begun; exec sleep 60")
    try:
        terminal.until("begun")
        terminal.type("\x03")
        terminal.until("^C")
        # The shell is interrupted, too, as always.
        assert os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1]) in (-2, 130)
    finally:
        os.close(terminal.screen)


def test_the_third_control_c_ends_what_does_not_listen() -> None:
    script = 'trap : INT; "$@"; echo "code $?"'
    terminal = in_terminal(USER, "--", "sh", "-c", "trap '' INT; echo begun; sleep 60 & wait; wait", script=script)
    try:
        terminal.until("begun")
        for count in range(1, 4):
            terminal.type("\x03")
            terminal.until("^C" * count if "^C^C" in terminal.shown else "^C")
            time.sleep(0.05)
        terminal.until("code 137")
    finally:
        terminal.close()


def test_what_it_leaves_behind_holds_no_terminal_of_root_s(tmp_path: Path) -> None:
    script = '"$@"; echo "code $?"; tty'
    left = "trap '' HUP; (trap '' HUP; sleep 45.125) & echo left $!"
    terminal = in_terminal(USER, "--", "sh", "-c", left, script=script)
    try:
        terminal.until("code 0")
        terminal.until("/dev/pts")
        terminal.until("\n")
        pid = int(lines_of(terminal, "left ")[0].split()[1])
        held = {os.readlink(f"/proc/{pid}/fd/{name}").removesuffix(" (deleted)") for name in ("0", "1", "2")}
        assert not held & {lines_of(terminal, "/dev/pts")[-1]}
        os.kill(pid, signal.SIGKILL)
    finally:
        terminal.close()


def test_its_time_is_bounded_whatever_it_does() -> None:
    for command in ("kill -STOP $$", "trap '' TERM INT HUP; sleep 60 & wait; wait"):
        assert run("--within", "0.3", USER, "--", "sh", "-c", command).returncode == 124


def test_it_ends_with_as_user() -> None:
    command = [str(AS_USER), USER, "--", "sh", "-c", "echo $$; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        running.kill()
    for _ in range(300):
        if not Path(f"/proc/{pid}").exists() or "\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.1)
    pytest.fail("it goes on")


def test_exec_becomes_the_command_and_keeps_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_SUPERVISOR", "a")
    words = ["--exec", USER, "LD_LIBRARY_PATH=/b", "--", PYTHON, "-c", STATUS]
    with subprocess.Popen([str(AS_USER), *words], stdout=subprocess.PIPE, text=True) as running:
        found = json.loads(running.communicate()[0])
    assert found["pid"] == running.pid
    assert (found["env"]["FROM_SUPERVISOR"], found["env"]["LD_LIBRARY_PATH"]) == ("a", "/b")
    assert (found["NoNewPrivs"], found["Umask"], int(found["CapEff"], 16)) == ("1", "0027", 0)
    found = json.loads(run("--exec", "--may-gain-privileges", USER, "--", PYTHON, "-c", STATUS).stdout)
    assert (found["NoNewPrivs"], int(found["CapEff"], 16)) == ("0", 0)


@pytest.mark.parametrize(
    "words",
    [[], ["x"], ["--within", "no", USER, "--", "id"], ["--unknown", USER, "--", "id"], ["no-such-user", "--", "id"]],
)
def test_wrong_usage_is_one_line(words: list[str]) -> None:
    ran = run(*words)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (64, "", 1)


def test_the_operators_command_runs_the_live_release_through_it(tmp_path: Path) -> None:
    """As root it goes through as-user: with HOME, the time that --within gives, and the words as they are."""
    root = tmp_path / "srv"
    for directory in (root / "releases/one/venv/bin", root / "bin"):
        directory.mkdir(parents=True)
    for directory in (*reversed(tmp_path.parents[:3]), tmp_path):
        directory.chmod(directory.stat().st_mode | 0o011)
    (root / "current").symlink_to("releases/one")
    (root / "bin/as-user").write_bytes(AS_USER.read_bytes())
    text = render(
        ROLES / "messenger_app/templates/messenger.sh.j2",
        "messenger_app",
        messenger_app_root=str(root),
        messenger_app_user=USER,
        ansible_managed="x",
    )
    (root / "bin/messenger").write_text(text)
    said = '#!/bin/sh\necho "$(id -un) $HOME $(pwd) $#" "$@"\nexec sleep "${1-0}"\n'
    (root / "releases/one/venv/bin/messenger").write_text(said)
    for file in (root / "bin").iterdir():
        file.chmod(0o755)
    (root / "releases/one/venv/bin/messenger").chmod(0o755)
    home = f"{root}/shared/var" if os.geteuid() == 0 else os.environ["HOME"]  # that user is USER already
    ran = subprocess.run([root / "bin/messenger", "0", "a b"], capture_output=True, text=True, check=False)
    assert ran.stdout == f"{USER} {home} {root}/releases/one 2 0 a b\n"
    bounded = [f"{root}/bin/messenger", "--within", "0.3", "60"]
    ran = subprocess.run(bounded, capture_output=True, text=True, check=False)
    assert os.geteuid() != 0 or ran.returncode == 124


def test_a_umask_of_its_own() -> None:
    ran = run("--exec", "--umask", "002", USER, "--", PYTHON, "-c", STATUS)
    assert json.loads(ran.stdout)["Umask"] == "0002"
    assert run("--umask", "rwx", USER, "--", "/bin/true").returncode == 64
