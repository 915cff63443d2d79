"""nodemailer, where node and npm are at hand: pooled, ten connections, building and signing each message.

Fetched by npm into the temporary folder of the measurement, and gone with it.
"""

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from pathlib import Path

from benchmarks import newsletter
from benchmarks.ledger import RECIPIENT_DOMAIN, SIGNING_DOMAIN
from benchmarks.plain import finished_html
from models.signing import DkimAlgorithm
from sender.dkim import make_key

MESSAGES = 2_000
FETCH_S = 120
SEND_S = 120
SCRIPT = Path(__file__).with_name("nodemailer.js")


async def measure_nodemailer(port: int, folder: Path, tell: Callable[[str], None]) -> float | None:
    """Messages a second, or None where it cannot be had; what stood in the way is told."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        tell("nodemailer is left out: node and npm are not installed.")
        return None
    tell(f"nodemailer, {MESSAGES:,} messages.")
    home = folder / "nodemailer"
    home.mkdir()
    flags = ("--no-audit", "--no-fund", "--ignore-scripts")
    if await _said([npm, "install", *flags, "nodemailer"], home, FETCH_S) is None:
        tell("nodemailer is left out: npm could not fetch it.")
        return None
    (home / "send.js").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (home / "task.json").write_text(
        json.dumps(
            {
                "port": port,
                "count": MESSAGES,
                "domain": SIGNING_DOMAIN,
                "recipients": RECIPIENT_DOMAIN,
                "html": finished_html(),
                "text": newsletter.PARAGRAPH * 20,
                "key": (await asyncio.to_thread(make_key, DkimAlgorithm.RSA)).private_pem,
            }
        )
    )
    answer = await _said([node, "send.js"], home, SEND_S)
    if answer is None:
        tell("nodemailer is left out: it did not run.")
        return None
    return float(json.loads(answer)["rate"])


async def _said(command: list[str], folder: Path, seconds: float) -> str | None:
    """What a command printed, None when it failed or took too long."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return out.decode() if process.returncode == 0 else None
