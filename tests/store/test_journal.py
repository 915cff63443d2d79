"""What a killed worker can still tell, and what nobody may read into it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain
from store import journal
from store.journal import Answer, Journal, JournalError, abandoned_journals, boot_id, has_others, read_journal
from tests.clocks import START

WORKER, HOME = "0123456789ab", "home"
TOKEN = WORKER + "c" * 20
replies = st.builds(
    Reply,
    st.none() | st.integers(200, 599),
    st.none() | st.just("5.1.1"),
    st.text(st.characters(codec=None), max_size=60),
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Accepted, replies, st.none() | st.text(max_size=20)),
    st.builds(
        Deferred,
        replies,
        st.none() | st.timedeltas(timedelta(0), timedelta(days=2)),
        unreached=st.booleans(),
    ),
    st.builds(Refused, replies),
    st.builds(Uncertain, replies),
)
stories = st.dictionaries(st.integers(1, 2**48), st.none() | outcomes, max_size=6)


def write(folder: Path, story: dict[int, Outcome | None]) -> bytes:
    """The octets of the journal of a worker that was killed."""
    worker = Journal(folder, WORKER, HOME)
    for number in story:
        worker.on_wire(number, TOKEN)
    for number, outcome in story.items():
        if outcome is not None:
            worker.answered(number, TOKEN, outcome, START)
    kill(worker)
    return (folder / f"{WORKER}.log").read_bytes()


def kill(worker: Journal) -> None:
    """Let go of the file as the system does for a process that is no more."""
    os.close(worker._file)


def told(story: dict[int, Outcome | None]) -> dict[tuple[int, str], Answer | None]:
    return {
        (number, TOKEN): None if outcome is None else Answer(outcome, START)
        for number, outcome in story.items()
    }


@given(stories)
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, story: dict[int, Outcome | None]
) -> None:
    data = write(tmp_path_factory.mktemp("journal"), story)
    account = read_journal(data, worker_id=WORKER, boot=boot_id())
    assert (account.entries, account.whole, account.installation) == (told(story), True, HOME)


@given(stories)
def test_a_journal_cut_off_at_any_octet_tells_less_and_never_anything_else(
    tmp_path_factory: pytest.TempPathFactory, story: dict[int, Outcome | None]
) -> None:
    data, whole_story = write(tmp_path_factory.mktemp("journal"), story), told(story)
    known = -1
    for end in range(len(data) + 1):
        account = read_journal(data[:end], worker_id=WORKER, boot=boot_id())
        for key, answer in account.entries.items():
            assert answer in {None, whole_story[key]} if answer is None else answer == whole_story[key]
        answered = len(account.entries) + sum(answer is not None for answer in account.entries.values())
        assert answered >= known
        known = answered


@given(st.binary(max_size=300))
def test_rubbish_is_no_journal_and_no_error(data: bytes) -> None:
    header = b"tocsin-journal 1 %b %b home\n" % (WORKER.encode(), boot_id().encode())
    assert not read_journal(data, worker_id=WORKER, boot=boot_id()).whole
    read_journal(header + data, worker_id=WORKER, boot=boot_id())


@pytest.mark.parametrize(
    "damage", [b"w 12\n", b"\x00" * 40 + b"\n", b"a 1 t 5 [\n", b"x 1 t\n", b"w one t\n"]
)
def test_a_line_that_cannot_be_read_means_that_others_may_be_missing(tmp_path: Path, damage: bytes) -> None:
    data = write(tmp_path, {1: None})
    account = read_journal(data + damage + b"w 2 t\n", worker_id=WORKER, boot=boot_id())
    assert not account.whole
    assert set(account.entries) == {(1, TOKEN), (2, "t")}


def test_after_another_boot_news_may_be_missing(tmp_path: Path) -> None:
    account = read_journal(write(tmp_path, {1: None}), worker_id=WORKER, boot="another")
    assert not account.whole
    assert set(account.entries) == {(1, TOKEN)}


def test_an_empty_file_proves_nothing() -> None:
    assert not read_journal(b"", worker_id=WORKER, boot=boot_id()).whole


def test_a_living_workers_journal_is_nobody_elses(tmp_path: Path) -> None:
    worker = Journal(tmp_path, WORKER, HOME)
    worker.on_wire(1, TOKEN)
    assert list(abandoned_journals(tmp_path, HOME)) == []
    kill(worker)
    (found,) = abandoned_journals(tmp_path, HOME)
    assert found.account.entries == {(1, TOKEN): None}
    # Under the lock of who adopts it nobody else does.
    assert list(abandoned_journals(tmp_path, HOME)) == []
    found.let_go()
    (found,) = abandoned_journals(tmp_path, HOME)
    found.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_of_another_database_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, {1: None})
    assert list(abandoned_journals(tmp_path, "elsewhere")) == []
    (found,) = abandoned_journals(tmp_path, HOME)
    found.let_go()


def test_what_is_recorded_is_dropped_and_what_is_not_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "COMPACT_AT", 5000)
    worker = Journal(tmp_path, WORKER, HOME)
    taken = Accepted(Reply(250, "2.0.0", "taken"))
    worker.on_wire(10**6, TOKEN)
    for number in range(1000):
        worker.on_wire(number, TOKEN)
        worker.answered(number, TOKEN, taken, START)
        worker.recorded([number])
        assert (tmp_path / f"{WORKER}.log").stat().st_size < 6000
    worker.answered(10**6 + 1, TOKEN, taken, START)
    assert list(abandoned_journals(tmp_path, HOME)) == []
    kill(worker)
    (found,) = abandoned_journals(tmp_path, HOME)
    assert found.account.whole
    assert found.account.entries[10**6, TOKEN] is None
    assert found.account.entries[10**6 + 1, TOKEN] == Answer(taken, START)
    found.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_ends_in_order_leaves_nothing_and_otherwise_what_is_open(tmp_path: Path) -> None:
    first, second = Journal(tmp_path, WORKER, HOME), Journal(tmp_path, "f" * 12, HOME)
    first.on_wire(1, TOKEN)
    second.on_wire(1, TOKEN)
    second.recorded([1])
    first.close()
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == [f"{WORKER}.log"]


def test_a_full_disk_lets_nothing_go_and_a_line_written_in_part_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Journal(tmp_path, WORKER, HOME)
    worker.on_wire(1, TOKEN)
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, line: real(file, line[:5]))
    with pytest.raises(JournalError, match="cannot be written"):
        worker.on_wire(2, TOKEN)
    worker.answered(1, TOKEN, Accepted(Reply(250, None, "")), START)
    assert not worker.probe()
    assert worker.problem
    monkeypatch.undo()
    assert worker.probe()
    assert worker.problem == ""
    worker.on_wire(3, TOKEN)
    kill(worker)
    (found,) = abandoned_journals(tmp_path, HOME)
    assert found.account.whole
    assert found.account.entries == {(1, TOKEN): None, (3, TOKEN): None}
    found.let_go()


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "journal", WORKER, HOME)


def test_an_answer_is_one_line_whatever_was_said(tmp_path: Path) -> None:
    data = write(tmp_path, {1: Refused(Reply(550, None, "no\nw 2 x\r\n\udc80\x00"))})
    lines = data.splitlines()
    assert len(lines) == 3
    assert json.loads(lines[-1].split(b" ", 4)[4])[0] == "Refused"


@pytest.mark.parametrize(
    "name",
    ["journal.log", f"{WORKER} (copy).log", f"{WORKER.upper()}.log", f"0{WORKER}.log", f"{WORKER[1:]}.log"],
)
def test_a_file_that_is_not_called_as_a_journal_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"what somebody kept")
    assert not has_others(tmp_path, "f" * 12)
    assert list(abandoned_journals(tmp_path, HOME)) == []
    (tmp_path / f"{WORKER}.log").write_bytes(b"")
    assert has_others(tmp_path, "f" * 12)
    (found,) = abandoned_journals(tmp_path, HOME)
    found.delete()
    assert (tmp_path / name).exists()
