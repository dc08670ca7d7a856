"""The application's user, gone bad: plants what could mislead root wherever it may write, until it is killed.

python3 -I intruder.py SEED MODE; MODE `around` leaves the application's own store alone, so that every playbook can do
its work; `all` attacks it, too, and stops the processes that playbooks run as this user. Prints `planting` once every
attack was planted once; then random ones follow, the same for the same SEED. What it writes has MARK in it.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path("/srv/sms")
VAR = ROOT / "shared/var"
STORE = "messenger.db"
MARK = "INTRUDER-WAS-HERE"
MOST = 1500  # things in one place
SKIPPED = ("/proc", "/sys", "/dev/pts", "/var/cache")  # the last: the host of the containers shares it

# Runs wherever some Python, shell or tool believes what lies here; /var/tmp/ran-as-UID says as whom.
PYTHON = f"import os; open(f'/var/tmp/ran-as-{{os.geteuid()}}', 'w').write('{MARK}')\n"
SHELL = f"#!/bin/sh\necho {MARK} > /var/tmp/ran-as-$(id -u)\n"
CODE = {
    ".local/lib/python3.11/site-packages/usercustomize.py": PYTHON,
    ".local/lib/python3.11/site-packages/sitecustomize.py": PYTHON,
    ".local/lib/python3.11/site-packages/intruder.pth": PYTHON,
    ".local/lib/python3.13/site-packages/usercustomize.py": PYTHON,
    ".local/bin/python3": SHELL,
    "sitecustomize.py": PYTHON,
    "json.py": PYTHON,
    "sqlite3.py": PYTHON,
    "hashlib.py": PYTHON,
    "pyvenv.cfg": f"home = {VAR}/.local/bin\n# {MARK}\n",
    ".config/pip/pip.conf": f"[global]\nindex-url = http://127.0.0.1:9/{MARK}\n",
    ".pip/pip.conf": f"[install]\ntarget = {VAR}/{MARK}\n",
    ".pydistutils.cfg": f"[install]\nprefix = {VAR}/{MARK}\n",
    ".gitconfig": f"[core]\nfsmonitor = {VAR}/.local/bin/python3 # {MARK}\n",
    ".bashrc": SHELL,
    ".profile": SHELL,
    ".sqliterc": f".shell {VAR}/.local/bin/python3 # {MARK}\n",
    ".ansible/tmp/x": MARK,
    ".env": f"MESSENGER_TRANSPORT_DSN=redis://127.0.0.1:9/{MARK}\n",
    "messenger.yaml": f"messenger: {{name: {MARK}}}\n",
}
# Names that root's tools look for, or once looked for, in directories of this user.
NAMES = [
    ".good",
    ".bad",
    ".ready",
    "release.json",
    "REVISION",
    "environment.pth",
    "copy",
    "wheels",
    "core",
    "audit.jsonl",
]
NAMES += ["messenger-consume_00.log", "messenger-consume_00.log.1", "messenger-consume_09.log", "other.sqlite", "x.db"]
NAMES += [
    f"{STORE}.unfinished",
    f".{STORE}.unfinished",
    "users",
    "sms.lock",
    "-rf",
    "--help",
    "a\nb",
    "\x1b[2J\x1b]0;x\x07",
]
NAMES += ["x" * 255, "\udcff\udcfe", " ", "~", "$(id)", "%(ENV_HOME)s", "{{ 7 * 7 }}", "\u202egpj.x"]
STORES = [f"{STORE}{end}" for end in ("", "-wal", "-shm", "-journal")]
SECRETS = ["/root/secret.txt", "/etc/shadow", "/srv/other/shared/var/failed.db", "/srv/sms/shared/config/messenger.env"]
TARGETS = [*SECRETS, "/etc/nologin", "/etc/cron.d/intruder", "/etc/ld.so.preload", "/root/.ssh/authorized_keys", "/etc"]
TARGETS += [
    "/srv/sms/current",
    "/srv/sms/shared/log/audit.jsonl",
    "/dev/zero",
    "/dev/tty",
    "/proc/self/mem",
    "/",
    "..",
    ".",
]


def places() -> list[Path]:
    """Every directory that this user may write to, but those that it has made itself."""
    found = []
    for directory, names, _ in os.walk("/"):
        if os.access(directory, os.W_OK | os.X_OK):
            found.append(Path(directory))
        names[:] = [
            name
            for name in names
            if not (path := os.path.join(directory, name)).startswith(SKIPPED) and not is_mine(path)
        ]
    return sorted({*found, VAR})


def is_mine(path: str) -> bool:
    with suppress(OSError):
        return os.lstat(path).st_uid == os.geteuid() and path != str(VAR)
    return True


def write(path: Path, content: str | bytes, mode: int = 0o666) -> int:
    """Write a file, and do not fall into a trap of its own: a FIFO without a reader. A descriptor of it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(path, flags, mode)
    os.write(descriptor, content.encode() if isinstance(content, str) else content)
    return descriptor


def text(path: Path) -> None:
    os.close(write(path, f"2026-11-24T12:00:00+0000 ERROR {MARK} \x1b[31m\x9b\u202e\r\n" * 50))


def link(path: Path) -> None:
    path.symlink_to(random.choice(TARGETS))


def hard_link(path: Path) -> None:
    os.link(random.choice([*SECRETS, "/etc/passwd", "/usr/bin/sudo", "/srv/sms/bin/messenger"]), path)


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o666)


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def giant(path: Path) -> None:
    head = random.choice([b"SQLite format 3\0", b"2026-11-24T12:00:00+0000 INFO x\n"])
    descriptor = write(path, head + MARK.encode())
    with suppress(OSError):
        os.truncate(descriptor, 2**40)
    os.close(descriptor)


def deep(path: Path) -> None:
    path.mkdir()
    directory = os.open(path, os.O_RDONLY)
    for _ in range(random.choice([1, 20, 400])):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)


def closed(path: Path) -> None:
    path.mkdir(mode=0)


def run_code(path: Path) -> None:
    os.close(write(path, random.choice([PYTHON, SHELL]), 0o777))


KINDS: list[Callable[[Path], None]] = [text, link, link, link, hard_link, fifo, listen, giant, deep, closed, run_code]


def names_for(mode: str) -> list[str]:
    detached = [f"detached/{name}" for name in NAMES] + ["detached"]
    return [*NAMES, *detached, *CODE, *(STORES if mode == "all" else [])]


def clear(path: Path) -> None:
    """Make room: what is there goes, or is moved somewhere, as a race would."""
    with suppress(OSError):
        if random.random() < 0.3:
            path.rename(path.with_name(random.choice(["moved-1", "moved-2", "before-20261124T120000Z"])))
        elif path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def plant(path: Path, kind: Callable[[Path], None]) -> None:
    clear(path)
    with suppress(OSError, ValueError):
        if path.parent != path.parent.parent and not path.parent.exists():
            path.parent.mkdir(parents=True)
        kind(path)


def plant_all(where: list[Path], mode: str) -> None:
    """Each attack once: the code wherever Python or a tool of this user's may look, a link to each secret."""
    for place in where:
        for name, content in CODE.items():
            with suppress(OSError):
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                os.close(write(place / name, content, 0o777))
        for number, target in enumerate(TARGETS):
            for name in (f"link-{number}", f"link-{number}.sqlite", f"link-{number}_00.log"):
                with suppress(OSError):
                    (place / name).symlink_to(target)
        for kind in KINDS:
            plant(place / f"{kind.__name__}-1_00.log", kind)
            plant(place / f"{kind.__name__}.db", kind)
    detached = VAR / "detached"
    for kind in KINDS:
        plant(detached / f"{kind.__name__}_00.log", kind)


def stop_helpers() -> None:
    """Stop what playbooks run as this user, but not the workers."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if entry.name.isdigit() and entry.stat().st_uid == os.geteuid() and int(entry.name) != os.getpid():
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"consume" not in words:
                    os.kill(int(entry.name), signal.SIGSTOP)


def main(seed: str, mode: str) -> None:
    random.seed(seed)
    os.umask(0)
    where, names = places(), names_for(mode)
    print(f"seed {seed}, writable: {' '.join(map(str, where))}", flush=True)
    plant_all(where, mode)
    print("planting", flush=True)
    turn = 0
    while True:
        turn += 1
        place = VAR if random.random() < 0.6 else random.choice(where)
        try:
            if len(os.listdir(place)) < MOST:
                plant(place / random.choice([*names, f"random-{random.randrange(200)}"]), random.choice(KINDS))
            else:
                clear(place / random.choice(os.listdir(place)))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                time.sleep(1)
        if mode == "all" and turn % 100 == 0:
            stop_helpers()
        time.sleep(0.03)


if __name__ == "__main__":
    main(*sys.argv[1:])
