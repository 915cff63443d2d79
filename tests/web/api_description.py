"""What the API promises, kept in docs/api/openapi.json, and the Python client that is written from it.

After a change of the API: `python -m tests.web.api_description`. It refuses what callers would stumble over
and says what that is; where it is wanted all the same, before a first release or with a new version of the
API, `--bless` writes it down.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from models.tokens import Tokens
from store import Database
from tests.clocks import ManualClock
from tests.factories import KEYRING
from tests.web.api_promises import breaches
from tests.web.client_writer import Writer
from web import WebContext
from web.api import make_api
from web.door import make_front_door

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs/api/openapi.json"
CLIENT = ROOT / "tocsin_client/nouns"
PUBLIC_URL = "https://tocsin.example.org"
HOW = "python -m tests.web.api_description"


def described() -> dict[str, Any]:
    """The API as it describes itself now."""
    context = WebContext(
        database=Database("sqlite+aiosqlite:///never-opened.db"),
        clock=ManualClock(),
        tokens=Tokens(KEYRING),
        keyring=KEYRING,
        public_url=PUBLIC_URL,
        setup_code="",
    )
    told: dict[str, Any] = make_api(context, make_front_door(context)).openapi()
    return told


def promised() -> dict[str, Any]:
    """The API as it was written down."""
    told: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return told


def write_json(told: dict[str, Any]) -> str:
    """As it is kept: one part a line, so that changes are read easily."""
    return json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def client_modules(told: dict[str, Any]) -> dict[str, str]:
    """The modules of the client by name, in shape."""
    return {name: _in_shape(text) for name, text in Writer(told).modules().items()}


def _in_shape(text: str) -> str:
    ruff = [str(Path(sys.executable).parent / "ruff")]
    imports = [
        *ruff,
        "check",
        "--quiet",
        "--fix-only",
        "--select",
        "I",
        "--stdin-filename",
        "tocsin_client/x.py",
        "-",
    ]
    for command in (imports, [*ruff, "format", "--quiet", "--stdin-filename", "tocsin_client/x.py", "-"]):
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, check=True)
        text = done.stdout
    return text


def main(arguments: list[str]) -> int:
    """Write both down; 1 when a promise would be broken."""
    now = described()
    broken = breaches(promised(), now) if KEPT.exists() else []
    sys.stderr.writelines(f"{line}\n" for line in broken)
    if broken and "--bless" not in arguments:
        sys.stderr.write(f"Callers would stumble over that. If it is meant: {HOW} --bless\n")
        return 1
    KEPT.write_text(write_json(now), encoding="utf-8")
    (CLIENT / "awaited").mkdir(parents=True, exist_ok=True)
    for name, text in client_modules(now).items():
        (CLIENT / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
