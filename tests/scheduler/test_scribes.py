"""Scribes write what would be written without them, and nothing hangs on any of them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import dkim
import pytest

from models.signing import DkimAlgorithm, EmailSender, SigningKey
from models.states import Channel, DeliveryState
from models.tokens import Tokens
from models.values import EmailEnvelope
from scheduler import scribes
from scheduler.letters import Addresses, Letter, Letterhead, Pen, Wording, Work, Written
from scheduler.scribe import Office, Scribe
from scheduler.scribes import Scribes
from scheduler.shelf import PLACES
from sender.dkim import make_key
from store import Database
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, MJML, a_campaign, a_contact
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.ledgers import states

ADDRESSES = Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr")
HEAD = Letterhead("siege", "exemple.fr", "retour.exemple.fr", "", {"sender_name": "Le siège"})
RSA = make_key(DkimAlgorithm.RSA)
Hire = Callable[[int], Scribes]


@pytest.fixture
async def hire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    """Makes scribes, who are sent home in the end."""
    monkeypatch.setattr(scribes, "WORTH_HIRING", 1)
    hired: list[Scribes] = []

    def make(count: int) -> Scribes:
        hired.append(Scribes(ADDRESSES, count))
        return hired[-1]

    yield make
    for staff in hired:
        await staff.close()


def a_pen(*keys: SigningKey, key: str = "siege") -> Pen:
    head = Letterhead(key, HEAD.domain, HEAD.bounce_domain, "", HEAD.values)
    return Pen.of(head, EmailSender(key, "Le siège", "siege@exemple.fr", None, "retour.exemple.fr", keys))


def a_wording(number: int) -> Wording:
    return Wording(
        f"Campagne {number}", Channel.EMAIL, f"{{{{ first_name }}}}, {number}", "", MJML, {"x": "y"}, "fr"
    )


def letters_of(*campaigns: int, count: int = 6) -> list[Letter]:
    """The first to a seed, the second to somebody without the name that is asked for."""
    found = []
    for number in range(1, count + 1):
        values = (
            None if number == 1 else {"commune": "Lyon"} if number == 2 else {"first_name": f"Ève {number}"}
        )
        campaign = campaigns[number % len(campaigns)]
        address = f"p{number}@gmail.com"
        found.append(Letter(number, campaign, Channel.EMAIL, address, None, values))
    return found


async def written_by(
    staff: Scribes, pen: Pen, wordings: dict[int, Wording], letters: Sequence[Letter]
) -> Written:
    """What the scribes make of letters, once one of them is there."""
    async with asyncio.timeout(30):
        while not (written := await staff.write(pen, wordings, letters, START)).envelopes:
            await asyncio.sleep(0.05)
    return written


def written_here(pen: Pen, wordings: dict[int, Wording], letters: Sequence[Letter]) -> Written:
    contents = {number: (wording.campaign_name, wording.compile()) for number, wording in wordings.items()}
    return Work(pen, contents, ADDRESSES, START).write_all(letters)


def plain(written: Written) -> dict[int, tuple[str, str, bytes, bool]]:
    """The envelopes without their boundaries, which nobody can foresee."""
    found = {}
    for number, envelope in written.envelopes.items():
        assert isinstance(envelope, EmailEnvelope)
        data = re.sub(rb"=_[0-9a-f]{24}", b"=_boundary", bytes(envelope.data))
        found[number] = (envelope.return_path, envelope.recipient, data, envelope.proven)
    return found


def alive(number: int) -> bool:
    """Whether a process is there; one that has ended and is not buried yet is not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text(encoding="ascii")
    except OSError:
        return False


def given_to(number: int, what: str) -> bytes:
    return Path(f"/proc/{number}/{what}").read_bytes()


async def ended(number: int) -> None:
    async with asyncio.timeout(60):
        while alive(number):
            await asyncio.sleep(0.02)


def pids(staff: Scribes) -> list[int]:
    return [line._process.pid for line in staff._staff if line._process is not None]


async def test_a_scribe_writes_what_would_be_written_here(hire: Hire) -> None:
    wordings = {7: a_wording(7), 8: a_wording(8)}
    letters = letters_of(7, 8)
    theirs = await written_by(hire(1), a_pen(), wordings, letters)
    ours = written_here(a_pen(), wordings, letters)
    assert plain(theirs) == plain(ours)
    assert sorted(ours.envelopes) == [1, 3, 4, 5, 6]
    assert theirs.unwritten == ours.unwritten
    assert "first_name" in ours.unwritten[2]


def places_free(staff: Scribes) -> list[int]:
    return [line._shelf.free for line in staff._staff if line._shelf is not None]


async def all_free(staff: Scribes) -> None:
    """Comes back once no letter lies on any shelf."""
    async with asyncio.timeout(60):
        while set(places_free(staff)) != {PLACES}:
            await asyncio.sleep(0.01)


async def test_the_places_of_letters_that_nobody_needs_any_more_are_free_again(hire: Hire) -> None:
    staff = hire(1)
    wordings = {7: a_wording(7)}
    written = await written_by(staff, a_pen(), wordings, letters_of(7))
    assert places_free(staff) == [PLACES - len(written.envelopes)]
    assert all(
        isinstance(envelope, EmailEnvelope) and isinstance(envelope.data, memoryview)
        for envelope in written.envelopes.values()
    )
    del written
    await all_free(staff)


async def test_the_places_of_letters_that_nobody_waits_for_any_more_are_free_again(hire: Hire) -> None:
    staff = hire(1)
    wordings = {7: a_wording(7)}
    await written_by(staff, a_pen(), wordings, letters_of(7))
    waiting = asyncio.create_task(staff.write(a_pen(), wordings, letters_of(7, count=60), START))
    async with asyncio.timeout(60):
        while places_free(staff) != [PLACES - 60]:
            await asyncio.sleep(0)
    waiting.cancel()
    await all_free(staff)


async def test_letters_for_which_there_is_no_place_are_carried(hire: Hire) -> None:
    staff = hire(1)
    wordings = {7: a_wording(7)}
    await written_by(staff, a_pen(), wordings, letters_of(7))
    (line,) = staff._staff
    assert line._shelf is not None
    lent = line._shelf.lend(PLACES - 2)
    letters = letters_of(7, count=8)
    theirs = await staff.write(a_pen(), wordings, letters, START)
    assert plain(theirs) == plain(written_here(a_pen(), wordings, letters))
    line._shelf.give_back(lent)
    del theirs
    await all_free(staff)


async def test_what_a_scribe_signs_verifies(hire: Hire) -> None:
    pen = a_pen(SigningKey("exemple.fr", "s1", DkimAlgorithm.RSA, RSA.private_pem))
    written = await written_by(hire(1), pen, {7: a_wording(7)}, letters_of(7))
    record = f"v=DKIM1; k=rsa; p={RSA.public_base64}".encode()
    for envelope in written.envelopes.values():
        assert isinstance(envelope, EmailEnvelope)
        assert dkim.verify(envelope.data, dnsfunc=lambda *_args, **_how: record)  # type: ignore[no-untyped-call]


async def test_a_scribe_is_told_what_is_new_and_forgets_what_is_old(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "WORDINGS_KEPT", 2)
    staff = hire(1)
    for turn in range(6):
        wordings = {number: a_wording(number + turn // 3) for number in range(turn, turn + 3)}
        pen, letters = a_pen(key=f"section{turn % 2}"), letters_of(*wordings, count=9)
        theirs = await written_by(staff, pen, wordings, letters)
        assert plain(theirs) == plain(written_here(pen, wordings, letters))


async def test_a_scribe_holds_neither_the_secret_nor_the_database(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_SECRET_KEY", "not for everybody's eyes, this one")
    staff = hire(1)
    await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))
    (number,) = pids(staff)
    assert not any(b"TOCSIN_" in given_to(number, what) for what in ("environ", "cmdline"))


async def test_scribes_are_sent_home_when_there_is_nothing_to_write_and_come_again(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "IDLE_S", 0.2)
    staff = hire(2)
    await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))
    numbers = pids(staff)
    for number in numbers:
        await ended(number)
    assert (await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))).envelopes
    assert not set(pids(staff)) & set(numbers)


async def test_a_scribe_does_not_forget_what_it_is_asked_to_write_now(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "WORDINGS_KEPT", 2)
    staff, wordings = hire(1), {number: a_wording(number) for number in range(4)}
    for _ in range(2):
        theirs = await written_by(staff, a_pen(), wordings, letters_of(*wordings))
        assert len(theirs.envelopes) == 5


def test_a_scribe_that_could_not_take_something_in_writes_nothing_with_what_it_was_to_replace() -> None:
    scribe = Scribe(Office(ADDRESSES.public_url, dict(ADDRESSES.tokens.keys)))
    line = scribes._Line(lambda _line: None)
    wordings, letters = {7: a_wording(7)}, letters_of(7)
    assert scribe.carry_out(line._as_order(1, a_pen(), wordings, letters, START)).sheets
    pen = Pen.of(replace(HEAD, bounce_domain="neuf.exemple.fr"), a_pen().sender)
    broken = replace(a_wording(8), subject="{{ first_name")
    assert scribe.carry_out(line._as_order(2, pen, {8: broken}, letters_of(8), START)).failure
    assert not scribe.carry_out(line._as_order(3, pen, wordings, letters, START)).sheets


async def test_after_something_it_could_not_take_in_a_scribe_is_told_everything_anew(hire: Hire) -> None:
    staff = hire(1)
    await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))
    broken = {8: replace(a_wording(8), subject="{{ first_name")}
    assert await staff.write(a_pen(), broken, letters_of(8), START) == Written({}, {})
    theirs = await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START)
    assert plain(theirs) == plain(written_here(a_pen(), {7: a_wording(7)}, letters_of(7)))


async def test_letters_of_one_chunk_are_shared_among_all_scribes(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "SHEETS", 2)
    staff = hire(2)
    async with asyncio.timeout(30):
        while staff.count < 2:
            await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START)
            await asyncio.sleep(0.05)
    asked: list[int] = []
    really = scribes._Line._as_order

    def note(line: scribes._Line, *what: object) -> object:
        asked.append(id(line))
        return really(line, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(scribes._Line, "_as_order", note)
    await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7, count=8), START)
    assert sorted(asked.count(line) for line in set(asked)) == [2, 2]
    assert [line.outstanding for line in staff._staff] == [0, 0]


async def test_a_scribe_that_hangs_keeps_nobody_waiting_for_ever(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = hire(1)
    await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))
    (process,) = (line._process for line in staff._staff)
    assert process is not None
    monkeypatch.setattr(scribes, "PATIENCE_S", 0.2)
    monkeypatch.setattr(scribes, "LAST_ORDERS_S", 0.2)
    os.kill(process.pid, signal.SIGSTOP)
    async with asyncio.timeout(60):
        assert await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START) == Written({}, {})
        # Nor does it stay when everybody else goes, though it has not been ended by then.
        await staff.close()
    assert process.returncode == -signal.SIGKILL


async def test_a_scribe_that_never_begins_is_not_waited_for(
    hire: Hire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    idler = tmp_path / "idler"
    idler.write_text("#!/bin/sh\nexec sleep 600\n", encoding="ascii")
    idler.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(idler))
    monkeypatch.setattr(scribes, "PATIENCE_S", 0.2)
    monkeypatch.setattr(scribes, "LAST_ORDERS_S", 0.2)
    staff = hire(1)
    await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START)
    async with asyncio.timeout(60):
        while staff._coming:
            await asyncio.sleep(0.02)
    assert staff.count == 0


async def test_few_letters_are_no_reason_to_start_a_process() -> None:
    staff = Scribes(ADDRESSES, 2)
    written = await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START)
    await asyncio.sleep(0)
    assert (written, staff.count, staff._coming) == (Written({}, {}), 0, 0)


async def test_where_scribes_die_again_and_again_no_more_are_started(
    hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    staff = hire(1)
    for _ in range(scribes.MOST_DEATHS):
        assert await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START) == Written({}, {})
        async with asyncio.timeout(60):
            while staff._coming:
                await asyncio.sleep(0.02)
    await staff.write(a_pen(), {7: a_wording(7)}, letters_of(7), START)
    assert staff._coming == 0


async def test_a_scribe_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "employer.py"
    script.write_text(
        "import asyncio, os, sys\n"
        f"sys.path.insert(0, {str(Path(scribes.__file__).parent.parent)!r})\n"
        "from tests.scheduler import test_scribes as t\n"
        "t.scribes.WORTH_HIRING = 1\n"
        "async def main():\n"
        "    staff = t.Scribes(t.ADDRESSES, 1)\n"
        "    await t.written_by(staff, t.a_pen(), {7: t.a_wording(7)}, t.letters_of(7))\n"
        "    print(t.pids(staff)[0], flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(script)], stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    await ended(int(done.stdout))


async def test_a_scribe_that_is_killed_costs_no_message_and_doubles_none(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribes, "WORTH_HIRING", 1)
    async with database.write() as session:
        for _ in range(600):
            await a_contact(session)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    transport = ScriptedTransport()
    dispatcher = a_dispatcher(database, transport, clock, scribes=1)
    staff = dispatcher._workshop._scribes
    await written_by(staff, a_pen(), {7: a_wording(7)}, letters_of(7))
    really = scribes._Line._as_order
    killed: list[int] = []

    def kill(line: scribes._Line, *what: object) -> object:
        """The first order of all does not come back."""
        with suppress(ProcessLookupError):
            if not killed:
                killed.extend(pids(staff))
                os.kill(killed[0], signal.SIGKILL)
        return really(line, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(scribes._Line, "_as_order", kill)
    await drain_all(database, dispatcher, clock.now())
    await dispatcher.close()
    assert len(killed) == 1
    assert set((await states(database)).values()) == {DeliveryState.ACCEPTED}
    assert len(transport.recipients) == len(set(transport.recipients)) == 600
