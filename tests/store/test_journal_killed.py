"""kill -9 of a worker whose journal goes on in a new file again and again: what was noted is noted."""

import random
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store.journal import abandoned_journals

ROOT = Path(__file__).parents[2]
WORKER = "0123456789ab"
KEPT = 40
"""So many messages are under way at a time."""
WRITER = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from models.values import Accepted, Reply
from store import journal
journal.COMPACT_AT = 2000
book = journal.Journal(Path(sys.argv[1]), "{WORKER}", "installation")
taken, at = Accepted(Reply(250, "2.0.0", "ok")), datetime(2026, 3, 10, tzinfo=UTC)
tell = sys.stdout.write
number = 0
while True:
    number += 1
    book.on_wire(number, "token")
    tell(f"w{{number}}\\n")
    if number % 3:
        book.answered(number, "token", taken, at)
        tell(f"a{{number}}\\n")
    sys.stdout.flush()
    if number > {KEPT}:
        # Said before it is done: what is dropped may be missing, what is not must be there.
        tell(f"r{{number - {KEPT}}}\\n")
        sys.stdout.flush()
        book.recorded([number - {KEPT}])
"""


@pytest.mark.parametrize("seed", range(12))
def test_killed_while_its_journal_is_made_smaller_a_worker_leaves_all_that_is_open(
    tmp_path: Path, seed: int
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert writer.stdout is not None
    assert select.select([writer.stdout], [], [], 60)[0]
    time.sleep(random.Random(seed).uniform(0.01, 0.2))
    writer.kill()
    told = writer.communicate()[0].splitlines()
    heard = {kind: {int(line[1:]) for line in told if line[0] == kind and line[1:]} for kind in "war"}
    # The last line may have been cut off, and then names another number.
    last = int(told[-1][1:] or 0) if told else 0
    (found,) = abandoned_journals(tmp_path, "installation")
    account = found.account
    open_ones = heard["w"] - heard["r"] - {last}
    assert len(heard["w"]) > KEPT, "it was killed before it had anything to drop"
    assert account.whole
    assert open_ones <= {number for number, _ in account.entries}
    unanswered = {number for number, _ in account.entries if account.entries[number, "token"] is None}
    assert not unanswered & (heard["a"] - {last})
    # It was made smaller on the way: it holds what is open, and not all that ever was.
    assert len(account.entries) < len(heard["w"])
    found.delete()
    assert list(tmp_path.iterdir()) == []
