"""What programs gave to be said is forgotten some time after it was said, and never before."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import col, select, update
from starlette.routing import Mount

from models.access import Role
from models.campaign import Campaign
from models.delivery import Delivery
from models.message import Message
from models.states import DeliveryState, Nature
from models.template import Template, TemplateVersion
from models.values import EmailEnvelope
from scheduler.forgetting import RECORDED, Forgetting
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

KEPT = timedelta(days=90)
CONTENT = {"subject": "For {{ first_name }}", "html": "<p>Receipt of Camille Durand</p>"}


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


@pytest.fixture
def forgetting(site: Site) -> Forgetting:
    return Forgetting(site.database, site.clock, KEPT)


async def send(program: Program, **changes: Any) -> dict[str, Any]:
    wish = {"to": {"email": "camille@gmail.com"}, "content": CONTENT, "variables": {"first_name": "Camille"}}
    answer = await program.call("POST", "/messages", wish | changes)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def forget_names(program: Program) -> None:
    """What is remembered for two seconds of a real clock."""
    for route in program.site.app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            route.app.state.names = None


async def variables(program: Program) -> list[dict[str, str]]:
    async with program.site.database.read() as session:
        return [
            dict(values)
            for values in (await session.exec(select(Message.values).order_by(col(Message.id)))).all()
        ]


def said(program: Program) -> list[str]:
    """What left, as it went over the wire."""
    return [bytes(one.data).decode() for one in program.site.postman.sent if isinstance(one, EmailEnvelope)]


async def contents(program: Program) -> list[str]:
    """The subjects that are kept of what programs sent, "" for what is forgotten."""
    wanted = select(TemplateVersion.subject, TemplateVersion.body).join(Template).where(Template.hidden)
    async with program.site.database.read() as session:
        found = (await session.exec(wanted.order_by(col(TemplateVersion.id)))).all()
    assert all(bool(subject) is bool(body) for subject, body in found)
    return [subject for subject, _ in found]


async def test_what_was_said_is_forgotten_when_its_time_is_over(
    program: Program, forgetting: Forgetting
) -> None:
    message = await send(program, reference="don 42", metadata={"row": "7"})
    await program.drain()
    program.site.clock.advance(KEPT)
    await forgetting.forget()
    assert (await variables(program), await contents(program)) == (
        [{"first_name": "Camille"}],
        ["For {{ first_name }}"],
    )
    program.site.clock.advance(timedelta(seconds=1))
    await forgetting.forget()
    assert (await variables(program), await contents(program)) == ([{}], [""])
    told = (await program.call("GET", f"/messages/{message['id']}")).json()
    assert (told["to"], told["reference"], told["metadata"], told["status"]) == (
        "camille@gmail.com",
        "don 42",
        {"row": "7"},
        "sent",
    )
    page = await (await program.site.signed_in(Role.READER)).read("/api-messages")
    assert "(what it said is no longer kept)" in page


async def test_the_same_content_asked_for_again_is_kept_anew_and_sent(
    program: Program, forgetting: Forgetting
) -> None:
    await send(program)
    await program.drain()
    program.site.clock.advance(KEPT * 2)
    await forgetting.forget()
    forget_names(program)
    await send(program)
    assert await contents(program) == ["", "For {{ first_name }}"]
    await program.drain()
    assert len(program.site.postman.sent) == 2
    assert said(program)[1].count("For Camille") == 1


async def test_content_that_is_asked_for_now_and_then_stays(program: Program, forgetting: Forgetting) -> None:
    for _ in range(4):
        await send(program)
        await program.drain()
        program.site.clock.advance(KEPT - timedelta(hours=2))
        await forgetting.forget()
        forget_names(program)
    assert await contents(program) == ["For {{ first_name }}"]
    assert await variables(program) == [{}, {}, {}, {"first_name": "Camille"}]


async def test_nothing_is_forgotten_of_what_is_to_leave_yet(program: Program, forgetting: Forgetting) -> None:
    site = program.site
    later = site.clock.now() + KEPT * 3
    await send(program, send_at=later.isoformat())
    await send(program, to={"email": "b@gmail.com"}, template={"id": "Reçu"}, content=None)
    await program.drain()
    site.clock.advance(KEPT * 2)
    await forgetting.forget()
    assert await variables(program) == [{"first_name": "Camille"}, {}]
    assert await contents(program) == ["For {{ first_name }}"]
    site.clock.advance(KEPT)
    await program.drain()
    assert "For Camille" in said(program)[-1]
    await forgetting.forget()
    assert (await variables(program), await contents(program)) == ([{}, {}], [""])


async def test_templates_of_people_are_never_forgotten(program: Program, forgetting: Forgetting) -> None:
    await program.send()
    await program.drain()
    program.site.clock.advance(KEPT * 10)
    await forgetting.forget()
    async with program.site.database.read() as session:
        assert all((await session.exec(select(TemplateVersion.body))).all())


@pytest.mark.parametrize("nature", Nature)
async def test_what_may_be_political_is_recorded_for_seven_years(
    program: Program, forgetting: Forgetting, nature: Nature
) -> None:
    await send(program, purpose="campaign")
    async with program.site.database.write() as session:
        await session.exec(update(Campaign).values(nature=nature))
        await session.exec(update(Delivery).values(state=DeliveryState.ACCEPTED))
    program.site.clock.advance(KEPT * 2)
    await forgetting.forget()
    assert await contents(program) == ["" if nature is Nature.CIVIC else "For {{ first_name }}"]
    program.site.clock.advance(RECORDED)
    await forgetting.forget()
    assert await contents(program) == [""]
