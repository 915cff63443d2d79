"""What must be true of a run before its speed means anything: each message once, its signature good."""

import asyncio
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ledger import recipient
from benchmarks.processes import MeasureError
from sender.dkim import verify

PERL_SCRIPT = Path(__file__).with_name("verify_dkim.pl")
ANSWER_S = 30
SAMPLE = 40
"""Messages whose signatures are verified; each takes dkimpy some milliseconds."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """How many messages of the sample were looked at by each verifier; the second may be missing."""

    keys: int
    by_dkimpy: int
    by_perl: int | None


def check_arrivals(records: Path, numbers: Iterable[int]) -> None:
    """MeasureError unless exactly these people got a message each, every one under its own return path."""
    lines = records.read_text().splitlines()
    arrived = Counter(line.partition(" ")[0] for line in lines)
    expected = {recipient(number) for number in numbers}
    missing, strangers = expected - arrived.keys(), arrived.keys() - expected
    twice = sum(1 for count in arrived.values() if count > 1)
    paths = len({line.partition(" ")[2] for line in lines})
    if missing or strangers or twice or paths != len(expected):
        raise MeasureError(
            f"Not every message arrived exactly once: {len(missing)} missing, {twice} twice or more, "
            f"{len(strangers)} to strangers, {paths} return paths for {len(expected)} people.",
            "This is a fault of the product: please report it with the command you typed.",
        )


async def check_signatures(folder: Path, keys: Mapping[str, str]) -> Signatures:
    """MeasureError unless every signature of the sample verifies, one a key, by two implementations."""
    kept = await asyncio.to_thread(lambda: sorted(folder.glob("*.eml")))
    step = max(1, len(kept) // SAMPLE)
    sample = [await asyncio.to_thread(path.read_bytes) for path in kept[::step]]
    if not sample:
        raise MeasureError("The sink kept no message to verify.")
    if not keys:
        return Signatures(0, 0, None)
    for raw in sample:
        opinions = await asyncio.to_thread(verify, raw, keys.get)
        if len(opinions) != len(keys) or not all(opinion.valid for opinion in opinions):
            raise MeasureError(f"dkimpy does not accept a signature: {opinions}.")
    perl = await asyncio.to_thread(_perl)
    if perl is None:
        return Signatures(len(keys), len(sample), None)
    for raw in sample:
        await asyncio.to_thread(_ask_perl, perl, raw, keys)
    return Signatures(len(keys), len(sample), len(sample))


def _perl() -> str | None:
    """Perl, where it has Mail::DKIM."""
    perl = shutil.which("perl")
    if perl is None:
        return None
    asked = subprocess.run([perl, "-MMail::DKIM", "-e1"], check=False, capture_output=True)
    return perl if asked.returncode == 0 else None


def _ask_perl(perl: str, raw: bytes, keys: Mapping[str, str]) -> None:
    answer = subprocess.run(
        [perl, str(PERL_SCRIPT), json.dumps(dict(keys))],
        input=raw,
        check=True,
        capture_output=True,
        timeout=ANSWER_S,
    )
    opinions = json.loads(answer.stdout)
    good = [opinion for opinion in opinions if opinion["result"] == "pass"]
    # Mail::DKIM reads Ed25519 from version 1.20230630 on; an older one does not know what it is.
    unknown = [opinion for opinion in opinions if "unsupported" in opinion["detail"].lower()]
    if not good or len(good) + len(unknown) != len(keys):
        raise MeasureError(f"Mail::DKIM does not accept a signature: {opinions}.")
