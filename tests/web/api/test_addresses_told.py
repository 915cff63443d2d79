"""A key that may not read people is not told the address behind an id; what it said itself it is told."""

import pytest

from models.api import KeyMode, Scope
from store import api_keys
from tests.factories import a_contact
from tests.web.browsers import Site
from tests.web.programs import a_program, a_wish

SENDS = [Scope.MESSAGES_SEND, Scope.MESSAGES_READ]
pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
async def _person(site: Site) -> None:
    async with site.database.write() as session:
        person = await a_contact(session, email="secret@gmail.com")
        person.external_id = "42"
        session.add(person)


@pytest.mark.parametrize("mode", list(KeyMode))
async def test_whom_a_key_names_by_id_it_does_not_learn_the_address_of(site: Site, mode: KeyMode) -> None:
    program = await a_program(site, mode=mode, scopes=SENDS)
    wish = a_wish(to={"external_id": "42"})
    told = await program.call("POST", "/messages", wish)
    many = await program.call("POST", "/messages/batch", {"messages": [wish]})
    (one, page) = [
        await program.call("GET", path) for path in (f"/messages/{told.json()['id']}", "/messages")
    ]
    for answer in (told, many, one, page):
        assert answer.status_code < 300
        assert "secret" not in answer.text
        assert "s…@gmail.com" in str(answer.json())


async def test_who_reads_people_or_said_the_address_is_told_it(site: Site) -> None:
    program = await a_program(site, scopes=[*SENDS, Scope.CONTACTS_READ])
    told = await program.call("POST", "/messages", a_wish(to={"external_id": "42"}))
    assert told.json()["to"] == "secret@gmail.com"
    assert (await program.call("GET", f"/messages/{told.json()['id']}")).json()["to"] == "secret@gmail.com"
    said = await program.call("POST", "/messages", a_wish(to={"email": "secret@gmail.com"}))
    async with site.database.write() as session:
        _, program.secret = await api_keys.add_key(
            session, name="Sends", mode=KeyMode.LIVE, scopes=SENDS, by="Ana", now=site.clock.now()
        )
    assert (await program.call("GET", f"/messages/{said.json()['id']}")).json()["to"] == "secret@gmail.com"
    assert (await program.call("GET", f"/messages/{told.json()['id']}")).json()["to"] == "s…@gmail.com"
