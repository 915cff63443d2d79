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
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = [
    "MEMORY",
    "STOP_SECONDS",
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
PLACES = 8
"""Among how many test processes the ports are shared out."""

STOP_SECONDS = 30
"""After so long a server is ended by force."""

# The watcher waits for the end of standard input, then ends the process group. A parent-death signal
# would be simpler, but the kernel forgets it when a server changes its user. Twice in brackets: it is no
# child of the server's, which would take the end of an unknown child for a crash of its own.
WATCHED = 'exec 3<&0; ( (read -r _ <&3; kill 0) & ); exec "$0" "$@" 3<&- </dev/null'


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


_ports: set[int] = set()
"""Those that `free_port` has told: what is to listen there may not have begun to."""


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago, another one at each call.

    Below those that the system hands out by itself: there it would not stay free for long. Test processes
    of one run have ports of their own.
    """
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PLACES
    while True:
        port = random.SystemRandom().randrange(20_000 + place, 32_000, PLACES)
        if port in _ports:
            continue
        _ports.add(port)
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


def stop_server(
    process: subprocess.Popen[bytes],
    how: signal.Signals = signal.SIGTERM,
    *,
    patience_s: float = STOP_SECONDS,
) -> None:
    """End what `start_server` started, and wait until it has ended: after `patience_s` by force.

    A server may be kept by one client: PostgreSQL 15 waits a minute for whoever has connected while it
    was ending and then says nothing.
    """
    process.send_signal(how)
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        _end_by_force(process)


def _end_by_force(process: subprocess.Popen[bytes]) -> None:
    """End a server and all it has started, in whatever state they are, at once.

    Children may lead process groups of their own. Those of a server that stands still stay its children,
    and do not become more.
    """
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + STOP_SECONDS
    while (family := _descendants(process.pid)) and time.monotonic() < deadline:
        for number in family:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.01)
    process.kill()
    process.wait(timeout=STOP_SECONDS)


def _descendants(number: int) -> set[int]:
    """The living processes that descend from this one; none where the system does not tell, as on macOS."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # pid (name, which may hold anything) state parent …
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(folder.name)] = int(parent)
    found = {number}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {number}
