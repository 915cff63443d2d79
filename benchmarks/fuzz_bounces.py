"""Mutants of bounces against the reader: `python -m benchmarks.fuzz_bounces 1000000 [FOLDER]`.

Each mutant has bytes flipped, lines moved, pieces doubled or cut, and parts of two mails joined. The reader
has to answer each one; the slowest is told. Exit status 1 when one raised or took more than a second.
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from deliverability.signals.news import read_news

GOLDEN = Path("tests/deliverability/golden")
SLOW = 1.0


def mutants(originals: Sequence[bytes], chance: random.Random, count: int) -> Iterator[bytes]:
    """`count` mutants; the same for the same `chance`."""
    for _ in range(count):
        mutant = chance.choice(originals)
        for _ in range(chance.randint(1, 4)):
            mutant = _changed(mutant, chance.choice(originals), chance)
        yield mutant[:200_000]


def _changed(mail: bytes, other: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(mail) + 1)
    until = min(len(mail), place + chance.choice((1, 4, 40, 400)))
    match chance.randrange(7):
        case 0:
            return mail[:place] + chance.randbytes(until - place) + mail[until:]
        case 1:
            return mail[:place] + mail[until:]
        case 2:
            return mail[:place] + mail[place:until] * chance.choice((2, 10, 100)) + mail[until:]
        case 3:
            return mail[:place] + other[chance.randrange(len(other) + 1) :]
        case 4:
            lines = mail.splitlines(keepends=True)
            chance.shuffle(lines)
            return b"".join(lines)
        case 5:
            return mail.replace(b"\n", b"\r\n") if b"\r" not in mail else mail.replace(b"\r", b"")
        case _:
            return mail[:place]


def main() -> int:
    """Read the mutants, tell how it went."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else GOLDEN
    originals = [path.read_bytes() for path in sorted(folder.rglob("*.eml"))]
    if not originals:
        sys.stderr.write(f"There is no *.eml in {folder}.\n")
        return 1
    slowest, failed, began = 0.0, 0, time.perf_counter()
    for number, mutant in enumerate(mutants(originals, random.Random(count), count)):
        started = time.perf_counter()
        try:
            read_news(mutant)
        except Exception as error:  # noqa: BLE001 - what is looked for
            failed += 1
            Path(f"fuzz_{number}.eml").write_bytes(mutant)
            sys.stderr.write(f"mutant {number}: {error!r}\n")
        slowest = max(slowest, time.perf_counter() - started)
    spent = time.perf_counter() - began
    sys.stdout.write(
        f"{count} mutants, {failed} raised, slowest {slowest * 1000:.0f} ms, {count / spent:.0f} a second\n"
    )
    return 1 if failed or slowest > SLOW else 0


if __name__ == "__main__":
    sys.exit(main())
