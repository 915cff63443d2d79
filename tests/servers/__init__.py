"""Real servers on the loopback, private to one test process: nothing is mocked, nothing is left behind.

A machine without one of them skips the tests that need it and says what to install. With
TOCSIN_TEST_REQUIRE_SERVERS=1, as in CI, a missing server is a failure.
"""

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["find_program", "free_port", "missing", "unattended"]


def missing(server: str, install: str) -> NoReturn:
    """Skip the test, or fail it where servers are required; `install` says how to get the server."""
    sentence = f"{server} is missing: {install}"
    if os.environ.get("TOCSIN_TEST_REQUIRE_SERVERS") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def find_program(name: str, *elsewhere: str) -> Path | None:
    """The program in PATH or in one of the folders `elsewhere` (patterns; the last match wins), or None."""
    # Debian keeps servers in sbin, which is not in everybody's PATH.
    if found := shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"):
        return Path(found)
    matches = [path for pattern in elsewhere for path in Path("/").glob(f"{pattern.lstrip('/')}/{name}")]
    return max(matches, default=None)


def free_port() -> int:
    """A TCP port of the loopback that was free a moment ago: be ready to try another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unattended(user: str | None = None) -> list[str]:
    """The words to put before a command so that it ends with the test process, even a killed one.

    With `user` the command runs as that user; only root may ask.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [] if user is None else ["runuser", "-u", user, "--"]
    identity = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return [setpriv, "--pdeathsig=TERM", *identity]
