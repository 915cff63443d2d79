"""The real command, in a folder of its own, with nothing of this machine's settings."""

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

LAUNCH = (sys.executable, "-W", "error", "-c", "from service.cli import main; main()")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """The one line of an error, checked to be one: no traceback, nothing besides."""
        lines = self.err.splitlines()
        assert "Traceback" not in self.err
        assert len(lines) == 1, self.err
        assert lines[0].startswith("tocsin: ")
        return lines[0].removeprefix("tocsin: ")


# Nobody outside is asked, and whoever tries what comes after need not show whose domain it is.
# What the law asks of political campaigns is tested where it is the matter.
FIXED = {"TOCSIN_DNS_SERVERS": "off", "TOCSIN_IDENTITY_PROOFS": "off", "TOCSIN_NATURE": "civic"}


@dataclass(frozen=True)
class Tocsin:
    """A working directory with a `tocsin` in it."""

    folder: Path

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "COLUMNS"))
        }
        fixed = {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        return {**kept, **fixed, **FIXED, **variables}

    def __call__(self, *words: str, stdin: str | bytes = "", limit: str = "", **variables: str) -> Ran:
        """Run one command to its end; `limit` is a shell command before it, such as `ulimit -f 40`."""
        command = [*LAUNCH, *words]
        if limit:
            command = ["bash", "-c", f'{limit}; exec "$@"', "bash", *command]
        given = stdin.encode() if isinstance(stdin, str) else stdin
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**variables),
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def must(self, *words: str, stdin: str = "", **variables: str) -> str:
        """Run a command that has to succeed, silently on standard error; what it printed."""
        ran = self(*words, stdin=stdin, **variables)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out


@dataclass(frozen=True)
class Typed:
    """The same command within this process: a tenth of a second instead of a whole one."""

    screen: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, *words: str, stdin: str = "", **variables: str) -> Ran:
        """Run one command to its end, with the settings `variables` and nobody at the terminal."""
        from service.cli import run

        with self.patch.context() as patch:
            # COLUMNS: what a pipe gets does not depend on the window the tests were started in.
            for name in [name for name in os.environ if name.startswith("TOCSIN_") or name == "COLUMNS"]:
                patch.delenv(name)
            for name, value in {**FIXED, **variables}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            code = run(list(words))
        printed = self.screen.readouterr()
        return Ran(code, printed.out, printed.err)

    def must(self, *words: str, stdin: str = "", **variables: str) -> str:
        """Run a command that has to succeed, silently on standard error; what it printed."""
        ran = self(*words, stdin=stdin, **variables)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """The command within this process, in the same folder as `tocsin` and `ready`."""
    monkeypatch.chdir(tmp_path)
    return Typed(capsys, monkeypatch)


@pytest.fixture
def tocsin(tmp_path: Path) -> Tocsin:
    """The command, where nothing has been done yet."""
    return Tocsin(tmp_path)


@pytest.fixture
def ready(tocsin: Tocsin, migrated_sqlite_file: Path) -> Tocsin:
    """The command, with a migrated database."""
    data = tocsin.folder / "tocsin-data"
    data.mkdir()
    (data / "tocsin.db").write_bytes(migrated_sqlite_file.read_bytes())
    return tocsin
