"""From zero to the first message, typed as docs/api/README.md has it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.magic import NUMBERS, Magic
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/api/README.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def script() -> str:
    """Every block in its order; Python is handed to Python."""
    parts = ["set -euo pipefail"]
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        parts.append(text if kind == "sh" else f"python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON")
    return "\n".join(parts)


@pytest.mark.docs
def test_the_first_message_goes_out_as_the_page_says(tmp_path: Path) -> None:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ADDRESS": f"http://127.0.0.1:{port}",
        "TOCSIN_BIND_PORT": str(port),
        # Nobody outside is asked.
        "TOCSIN_DNS_SERVERS": "off",
    }
    with (tmp_path / "out").open("w") as out:
        typed = subprocess.Popen(
            ["bash", "-c", script()],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = typed.wait(90)
        finally:
            # The service it left behind.
            os.killpg(typed.pid, signal.SIGTERM)
    told = (tmp_path / "out").read_text(encoding="utf-8")
    assert code == 0, told
    assert re.search(r'"id":"msg_[a-z2-7]{24}","status":"accepted"', told), told
    assert re.search(r"msg_[a-z2-7]{24} delivered$", told, re.MULTILINE), told
    assert "missing_variables ['variables.amount', 'variables.first_name']" in told, told
    assert re.findall(r"^msg_\w+ (don-2026-\d+)$", told, re.MULTILINE) == ["don-2026-0043", "don-2026-0042"]


def test_the_page_of_messages_names_every_address_that_is_nobodys() -> None:
    text = (ROOT / "docs/api/messages.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)@example\.com` \| (?:`([^`]+)`|–) \|", text, re.MULTILINE)
    numbers: dict[Magic, str] = {magic: number for number, magic in NUMBERS.items()}
    assert rows == [(magic.value, numbers.get(magic, "")) for magic in Magic]
