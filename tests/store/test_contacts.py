"""Contacts in the database: what is derived at every write, keys, tags, pages."""

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.contact import ConsentRecord, Contact, ContactTag
from models.errors import NotFoundError
from models.segment_tree import Clause, Operator
from models.states import Channel
from models.suppression import address_hash
from store import Database, contacts
from store.segment_sql import matching
from tests.clocks import START


async def test_every_write_sets_fingerprints_and_folded_twins(database: Database) -> None:
    row = {"email": "a@b.fr", "commune": "Saint-Étienne", "attributes": {"profession": "Élu·e"}}
    async with database.write() as session:
        [number] = await contacts.insert_contacts(session, [row], now=START)
        created = await contacts.get_contact(session, number)
        assert created.email_hash == address_hash(Channel.EMAIL, "a@b.fr")
        assert (created.phone, created.phone_hash, created.language) == (None, None, "fr")
        assert created.commune_key == "saint etienne"
        assert created.attributes_key == {"profession": "elu·e"}
        session.expunge_all()
        await contacts.update_contacts(
            session, [(number, {"phone": "+33612345678", "commune": "Lyon"})], now=START
        )
        changed = await contacts.get_contact(session, number)
    assert changed.phone_hash == address_hash(Channel.SMS, "+33612345678")
    assert (changed.commune_key, changed.email) == ("lyon", "a@b.fr")


async def test_numbers_come_back_in_the_order_of_the_rows(database: Database) -> None:
    rows = [{"email": f"a{n}@b.fr"} for n in range(2500)]
    async with database.write() as session:
        numbers = await contacts.insert_contacts(session, rows, now=START)
        assert numbers == sorted(numbers)
        for place in (0, 1234, 2499):
            assert (await contacts.get_contact(session, numbers[place])).email == f"a{place}@b.fr"


async def test_a_contact_is_found_by_any_of_its_keys(database: Database) -> None:
    async with database.write() as session:
        [number] = await contacts.insert_contacts(
            session, [{"external_id": "A1", "email": "a@b.fr", "phone": "+33612345678"}], now=START
        )
        for key in (
            {"external_id": "A1"},
            {"email": "a@b.fr"},
            {"external_id": "?", "phone": "+33612345678"},
        ):
            found = await contacts.find_contact(session, **key)
            assert found is not None
            assert found.id == number
        assert await contacts.find_contact(session, email="x@b.fr") is None
        with pytest.raises(NotFoundError):
            await contacts.get_contact(session, number + 1)


async def test_addresses_can_be_exchanged_in_one_transaction(database: Database) -> None:
    async with database.write() as session:
        first, second = await contacts.insert_contacts(
            session, [{"email": "a@b.fr"}, {"email": "c@d.fr"}], now=START
        )
        await contacts.release_keys(session, {"email": [first, second]})
        await contacts.update_contacts(
            session, [(first, {"email": "c@d.fr"}), (second, {"email": "a@b.fr"})], now=START
        )
    async with database.read() as session:
        assert (await contacts.get_contact(session, first)).email == "c@d.fr"


async def test_tags_are_worn_once_under_the_label_they_first_had(database: Database) -> None:
    async with database.write() as session:
        first, second = await contacts.insert_contacts(
            session, [{"email": "a@b.fr"}, {"email": "c@d.fr"}], now=START
        )
        await contacts.add_tags(session, {"economie": "Économie"}, [("economie", first)])
        await contacts.add_tags(
            session, {"economie": "ECONOMIE", "a": "a"}, [("economie", first), ("a", first)]
        )
        assert await contacts.tags_of(session, [first, second]) == {first: ["a", "Économie"], second: []}


async def test_pages_and_batches_walk_through_everybody_once(database: Database) -> None:
    async with database.write() as session:
        await contacts.insert_contacts(
            session,
            [{"email": f"a{n}@b.fr", "language": "fr" if n % 2 else "en"} for n in range(25)],
            now=START,
        )
    french = matching(Clause("language", Operator.IS, ("fr",)), now=START)
    async with database.read() as session:
        forward: list[int] = []
        while batch := await contacts.audience_batch(
            session, french, after_id=forward[-1] if forward else 0, limit=5
        ):
            forward += [contact.id for contact in batch]
        backward: list[int] = []
        while page := await contacts.page_contacts(
            session, condition=french, before_id=backward[-1] if backward else None, limit=5
        ):
            backward += [contact.id for contact in page]
    assert len(forward) == 12
    assert forward == sorted(forward) == backward[::-1]


async def test_tags_and_proofs_go_with_the_person(database: Database) -> None:
    async with database.write() as session:
        gone, stays = await contacts.insert_contacts(
            session, [{"email": "a@b.fr"}, {"email": "c@d.fr"}], now=START
        )
        await contacts.add_tags(session, {"sante": "Santé"}, [("sante", gone), ("sante", stays)])
        said = {
            "channel": "email",
            "status": "granted",
            "source": "",
            "given_at": START,
            "recorded_at": START,
        }
        await contacts.add_statements(session, [said | {"contact_id": number} for number in (gone, stays)])
    async with database.write() as session:
        await session.exec(sa.delete(Contact).where(col(Contact.id) == gone))
    async with database.read() as session:
        left = [
            list((await session.exec(select(owner))).all())
            for owner in (ContactTag.contact_id, ConsentRecord.contact_id)
        ]
    assert left == [[stays], [stays]]
