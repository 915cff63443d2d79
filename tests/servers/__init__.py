"""Real servers on the loopback, private to one test process: nothing is mocked, nothing is left behind.

A machine without one of them skips the tests that need it and says what to install. With
REQUIRE_TEST_SERVERS=1, as in CI, a missing server is a failure.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = [
    "MEMORY",
    "as_user",
    "find_program",
    "free_port",
    "in_memory",
    "missing",
    "start_server",
    "stop_server",
]

MEMORY = Path("/dev/shm")  # noqa: S108 - for the folders of tests, which have names nobody can guess
"""Where Linux keeps files in memory: a database is copied there in a tenth of the time."""
ROOM_BYTES = 1 << 30

STOP_SECONDS = 30

# The watcher waits for the end of standard input, then ends the process group. A parent-death signal
# would be simpler, but the kernel forgets it when a server changes its user.
WATCHED = 'exec 3<&0; (read -r _ <&3; kill 0) & exec "$0" "$@" 3<&- </dev/null'


def missing(server: str, install: str) -> NoReturn:
    """Skip the test, or fail it where servers are required; `install` says how to get the server."""
    sentence = f"{server} is missing: {install}"
    if os.environ.get("REQUIRE_TEST_SERVERS") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def find_program(name: str, *elsewhere: str) -> Path | None:
    """The program in PATH or in one of the folders `elsewhere` (patterns; the last match wins), or None."""
    # Debian keeps servers in sbin, which is not in everybody's PATH.
    if found := shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"):
        return Path(found)
    matches = [path for pattern in elsewhere for path in Path("/").glob(f"{pattern.lstrip('/')}/{name}")]
    return max(matches, default=None)


def in_memory(*, runs_programs: bool = False) -> bool:
    """Whether the files of tests may be kept in `MEMORY`; `runs_programs`: also those that are executed.

    Containers often have too little of it, or let nothing there be run.
    """
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    about = os.statvfs(MEMORY)
    if runs_programs and about.f_flag & os.ST_NOEXEC:
        return False
    return about.f_bavail * about.f_frsize >= ROOM_BYTES


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago.

    Below those that the system hands out by itself: there it would not stay free for long.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def as_user(user: str | None) -> list[str]:
    """The words to put before a command so that it runs as `user`, as only root may ask; None: no words."""
    if user is None:
        return []
    if shutil.which("setpriv"):
        group = "nogroup" if user == "nobody" else user
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"]
    return ["runuser", "-u", user, "--"]


def start_server(command: list[str], *, output: Path) -> subprocess.Popen[bytes]:
    """Start a server that ends when its standard input is closed, and so with a test process that is killed.

    What it prints goes to the file `output`: a server that holds on to the output of the tests would
    keep the run from ending. It leads a process group of its own, which some servers end as a whole.
    """
    with output.open("ab") as stream:
        return subprocess.Popen(
            ["sh", "-c", WATCHED, *command],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            cwd=output.parent,
            start_new_session=True,
        )


def stop_server(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End what `start_server` started, and wait until it has ended."""
    process.send_signal(how)
    if process.stdin is not None:
        process.stdin.close()
    process.wait(timeout=STOP_SECONDS)
