"""A private PostgreSQL: one cluster a test process, started when first asked for, gone with it."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers import (
    MEMORY,
    as_user,
    find_program,
    free_port,
    in_memory,
    missing,
    start_server,
    stop_server,
)

__all__ = ["PostgresqlServer", "start_postgresql"]

START_SECONDS = 60

STOP_AT_ONCE_SECONDS = 10
"""Twice as long as it gives its own processes before it ends them itself."""

# Speed over safety: this data need not survive a power cut.
SPEED = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
# Nor is its log worth keeping: it may lie in memory, where a gigabyte of it would be missed.
SPEED += ["max_wal_size=128MB", "min_wal_size=32MB", "wal_level=minimal", "max_wal_senders=0"]


class PostgresqlServer:
    """A running cluster on the loopback; `create_database` gives empty databases in some 20 ms."""

    def __init__(self, programs: Path, folder: Path, user: str | None) -> None:
        self._programs = programs
        self._folder = folder
        self._user = user
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._version = 0
        self.port = 0

    @property
    def log(self) -> str:
        """PostgreSQL's own account of what happened."""
        return (self._folder / "log").read_text(errors="replace")

    def url(self, database: str) -> str:
        """The address of a database, as SQLAlchemy reads it."""
        return f"postgresql+psycopg://tocsin@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template0") -> str:
        """Create a database and return its name; with `template`, a copy of a database nobody is using."""
        name = f"test_{next(self._numbers)}"
        # Since version 15 through the log unless asked otherwise, which takes three times as long.
        how = "STRATEGY FILE_COPY" if self._version >= 150_000 else ""
        self._ask(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.SQL(how)
            )
        )
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, even one with connections left open."""
        self._ask(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def commit_for_good(self, name: str) -> None:
        """Make a database keep what it has committed, even when the server is stopped at once."""
        self._ask(sql.SQL("ALTER DATABASE {} SET synchronous_commit TO on").format(sql.Identifier(name)))

    def prepare(self) -> None:
        """Make the cluster's files."""
        command = [
            *as_user(self._user),
            str(self._programs / "initdb"),
            *["--pgdata", str(self._folder / "data"), "--username", "tocsin", "--auth", "trust"],
            *["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"],
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, timeout=START_SECONDS)

    def start(self) -> None:
        """Start, on the port used before if there was one; returns when connections are accepted.

        What comes back tries again for a while: what it was before may not be gone altogether, nor its port
        be free again.
        """
        returns, deadline = self.port != 0, time.monotonic() + START_SECONDS
        self.port = self.port or free_port()
        while True:
            self._process = start_server(self._command(), output=self._folder / "log")
            while self._process.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return
                time.sleep(0.02)
            self.stop()
            if not returns or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGQUIT, *, patience_s: float = STOP_AT_ONCE_SECONDS) -> None:
        """Stop at once, connections or not, as a machine that loses its power would.

        With SIGINT it writes down first what it has promised to keep. What has not ended after `patience_s`
        is ended by force.
        """
        if self._process is not None:
            stop_server(self._process, how, patience_s=patience_s)
            self._process = None

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self) -> list[str]:
        return [
            *as_user(self._user),
            str(self._programs / "postgres"),
            *["-D", str(self._folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"],
            *["-c", "unix_socket_directories="],
            *[word for setting in SPEED for word in ("-c", setting)],
        ]

    def _answers(self) -> bool:
        """Whether connections are accepted, and by this server: another may have taken the port."""
        try:
            with psycopg.connect(self._address()) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
                self._version = connection.info.server_version
        except psycopg.OperationalError:
            return False
        return row is not None and (self._folder / "data").samefile(row[0])

    def _address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=tocsin dbname=postgres connect_timeout=5"

    def _ask(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self._address(), autocommit=True) as connection:
            connection.execute(statement)


def start_postgresql() -> PostgresqlServer:
    """A new cluster, running; skips the test where PostgreSQL is not installed."""
    initdb = find_program("initdb", "/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin")
    if initdb is None:
        missing("PostgreSQL", "install it with: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgresql-", dir=MEMORY if in_memory() else None))
    user = _unprivileged_user()
    if user is not None:
        shutil.chown(folder, user)
    server = PostgresqlServer(initdb.resolve().parent, folder, user)
    try:
        server.prepare()
        _start_on_a_free_port(server)
    except BaseException:
        server.remove()
        raise
    return server


def _start_on_a_free_port(server: PostgresqlServer, attempts: int = 3) -> None:
    for remaining in reversed(range(attempts)):
        try:
            server.start()
        except RuntimeError:
            server.port = 0
            if not remaining:
                raise
        else:
            return


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: its own user then, or nobody. None for anyone else."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
