"""A call that was answered is answered the same again, whatever became of what it named meanwhile."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col
from starlette.routing import Mount

from models.template import Template
from store import api_keys, contacts
from tests.factories import a_contact
from tests.web.browsers import Site
from tests.web.programs import Program, a_program, a_wish


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


def forget_names(site: Site) -> None:
    """As another process would, which has looked nothing up yet."""
    for route in site.app.routes:
        if isinstance(route, Mount) and route.path == "/v1":
            for name in ("names", "gathering"):
                if hasattr(route.app.state, name):  # type: ignore[attr-defined]
                    delattr(route.app.state, name)  # type: ignore[attr-defined]


async def test_when_its_person_was_erased(site: Site, program: Program) -> None:
    async with site.database.write() as session:
        person = await a_contact(session, email="camille@gmail.com")
        person.external_id = "42"
        session.add(person)
    wish = a_wish(to={"external_id": "42"})
    first = await program.call("POST", "/messages", wish, idempotency_key="k")
    assert first.status_code == 202
    async with site.database.write() as session:
        await contacts.erase(session, person.id)
    again = await program.call("POST", "/messages", wish, idempotency_key="k")
    assert (again.status_code, again.headers.get("idempotency-replayed")) == (202, "true")
    other = await program.call("POST", "/messages", {**wish, "reference": "7"}, idempotency_key="k")
    assert other.json()["code"] == "idempotency_key_reused"
    fresh = await program.call("POST", "/messages", wish, idempotency_key="another")
    assert fresh.status_code == 404


async def test_when_its_template_has_another_name(site: Site, program: Program) -> None:
    first = await program.call("POST", "/messages", a_wish(), idempotency_key="k")
    async with site.database.write() as session:
        await session.exec(sa.update(Template).where(col(Template.name) == "Reçu").values(name="Autre"))
    forget_names(site)
    again = await program.call("POST", "/messages", a_wish(), idempotency_key="k")
    assert (again.status_code, again.text) == (202, first.text)
    assert len(await program.deliveries()) == 1


async def test_when_its_key_was_exchanged_for_a_successor(site: Site, program: Program) -> None:
    first = await program.call("POST", "/messages", a_wish(), idempotency_key="k")
    for _ in range(2):
        async with site.database.write() as session:
            key, program.secret = await api_keys.rotate_key(
                session, program.key_id, by="Ana", now=site.clock.now(), overlap=timedelta(hours=1)
            )
            program.key_id = key.id
    again = await program.call("POST", "/messages", a_wish(), idempotency_key="k")
    assert again.text == first.text
    assert len(await program.deliveries()) == 1
