"""`tocsin suppression` and `tocsin bounces`: lists, reasons, and rules undone."""

import asyncio
import csv
import io

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.contact import Contact
from models.delivery import Delivery
from models.states import Channel
from models.suppression import Suppression, address_hash
from store import Database
from tests.service.conftest import Tocsin, Typed
from tests.service.test_inbound import BOUNCE, return_path


def test_a_list_of_fingerprints_alone_is_taken_over_with_its_channel(ready: Tocsin, typed: Typed) -> None:
    fingerprint = address_hash(Channel.SMS, "+33612345678")
    (ready.folder / "list.txt").write_text(f"{fingerprint}\n")
    without = typed("suppression", "import", "list.txt")
    assert "line 1" in without.err
    assert "1 new" in typed.must("suppression", "import", "list.txt", "--channel", "sms")
    (row,) = csv.DictReader(io.StringIO(typed.must("suppression", "export")))
    assert (row["channel"], row["address_hash"], row["reason"]) == ("sms", fingerprint, "imported")


def test_an_address_of_another_channel_than_the_one_named_is_told_and_left_out(
    ready: Tocsin, typed: Typed
) -> None:
    (ready.folder / "list.csv").write_text("address\neve@gmail.com\n0612345678\n")
    ran = typed("suppression", "import", "list.csv", "--channel", "email")
    assert "1 row read, 1 new" in ran.out
    assert "line 3" in ran.err


def test_an_address_is_lifted_with_a_reason_and_by_somebody(ready: Tocsin, typed: Typed) -> None:
    typed.must("suppression", "add", "ada@exemple.fr", "--why", "asked")
    assert typed("suppression", "lift", "ada@exemple.fr", "--why", " ").code != 0
    listed = typed.must("suppression", "list")  # in columns, where "command line: asked" may be broken
    assert "command line" in listed
    assert "asked" in listed
    typed.must("suppression", "lift", "ada@exemple.fr", "--why", "came back")


def test_undoing_a_rule_says_what_it_would_do_and_asks_for_a_reason(ready: Tocsin, typed: Typed) -> None:
    words = ("suppression", "undo", "words-no-such-user", "--since", "2026-01-01")
    assert "0 would be lifted" in typed.must(*words)
    assert "reason" in typed(*words, "--apply").err
    assert "0 lifted" in typed.must(*words, "--apply", "--why", "it was wrong")


def test_a_rule_that_does_not_exist_is_told_with_the_ones_that_resemble_it(
    ready: Tocsin, typed: Typed
) -> None:
    ran = typed("suppression", "undo", "words-no-such-usr", "--since", "2026-01-01")
    assert (ran.code, ran.out) == (1, "")
    assert "There is no rule words-no-such-usr. Did you mean words-no-such-user" in ran.err


@pytest.mark.parametrize(("channel", "way"), [("email", "unsubscribe link"), ("sms", "START")])
def test_lifting_says_that_a_withdrawn_consent_stays_so_and_who_can_give_it_again(
    ready: Tocsin, typed: Typed, channel: str, way: str
) -> None:
    address = "ada@exemple.fr" if channel == "email" else "+33612345678"
    column = "E-mail" if channel == "email" else "Portable"
    (ready.folder / "people.csv").write_text(f"{column}\n{address}\n")
    typed.must("import", "people.csv")
    typed.must("suppression", "add", address)
    assert "may be written to again" in typed.must("suppression", "lift", address, "--why", "asked")
    typed.must("suppression", "add", address)
    in_database(ready, sa.update(Contact).values({f"{channel}_consent": "withdrawn"}))
    ran = typed("suppression", "lift", address, "--why", "asked")
    assert "may be written to again" not in ran.out
    assert "The consent stays withdrawn" in ran.err
    assert way in ran.err


def test_a_file_from_which_nothing_can_be_read_is_an_error_and_its_lines_are_told(
    ready: Tocsin, typed: Typed
) -> None:
    (ready.folder / "list.txt").write_text("xx\nyy\n")
    ran = typed("suppression", "import", "list.txt")
    assert ran.code == 2
    assert "line 2: This is neither an e-mail address nor a telephone number." in ran.err
    assert "list.txt holds no address that can be read." in ran.err
    for words in (("add", "xx"), ("lift", "notanaddress", "--why", "x")):
        assert "neither an e-mail address nor" in typed("suppression", *words).err


def test_bounces_are_read_again_and_nothing_is_changed_without_being_told_to(
    ready: Tocsin, typed: Typed
) -> None:
    assert "0 originals read again" in typed.must("bounces", "replay")
    assert "0 originals read again" in typed.must("bounces", "replay", "--apply")
    assert "0 answers read again" in typed.must("pace", "replay", "--apply")


def in_database(tocsin: Tocsin, statement: sa.Executable) -> list[tuple[object, ...]]:
    """What a statement gives, or nothing."""

    async def work() -> list[tuple[object, ...]]:
        database = Database(f"sqlite:///{tocsin.folder}/tocsin-data/tocsin.db")
        async with database.write() as session:
            result = await (await session.connection()).execute(statement)
            rows = [tuple(row) for row in result.all()] if result.returns_rows else []
        await database.close()
        return rows

    return asyncio.run(work())


def test_a_suppression_outlives_the_person_moves_with_its_list_and_ends_by_a_reason(
    ready: Tocsin, typed: Typed
) -> None:
    """A bounce, an erasure, the same person imported again, another installation, and a second thought."""
    path = return_path(ready)
    ((address,),) = in_database(ready, select(Delivery.address))
    typed.must("inbound", "--recipient", path, stdin=BOUNCE)
    exported = typed.must("suppression", "export")
    # Hashed: neither the list nor the table names anybody.
    (row,) = csv.DictReader(io.StringIO(exported))
    assert row["address_hash"] == address_hash(Channel.EMAIL, str(address))
    assert str(address) not in exported
    assert str(address) not in str(in_database(ready, sa.text("SELECT * FROM suppression")))
    # Surviving erasure, and the import that brings the person back.
    in_database(ready, sa.delete(Contact).where(col(Contact.email) == address))
    (ready.folder / "people.csv").write_text(f"E-mail\n{address}\n")
    typed.must("import", "people.csv")
    assert typed.must("suppression", "export") == exported
    # Taken over elsewhere, and once.
    (ready.folder / "list.csv").write_text(exported)
    in_database(ready, sa.delete(Suppression))
    assert "1 new" in typed.must("suppression", "import", "list.csv")
    assert "0 new" in typed.must("suppression", "import", "list.csv")
    # Reactivation: only with a reason, which stays as a trace; the same bounce told again is no new one.
    assert "reason" in typed("suppression", "lift", str(address), "--why", "").err
    typed.must("suppression", "lift", str(address), "--why", "wrote to us from there")
    ((why,),) = in_database(ready, select(Suppression.lifted_why))
    assert str(why).endswith("command line: wrote to us from there")
    typed.must("inbound", "--recipient", path, stdin=BOUNCE)
    assert typed.must("suppression", "list") == "No address is suppressed.\n"
