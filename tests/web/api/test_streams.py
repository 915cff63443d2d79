"""How long what carries messages of programs stays open: whoever sweeps looks at all of it, each second."""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from models.campaign import Campaign
from models.states import CampaignState
from scheduler import streams
from scheduler.upkeep import finish_if_done
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

LATER = timedelta(seconds=20)


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def sweep(program: Program) -> list[CampaignState]:
    """End what is to be ended; where each stream stands then."""
    site = program.site
    async with site.database.read() as session:
        found = (await session.exec(select(Campaign.id).order_by(col(Campaign.id)))).all()
    for number in found:
        await finish_if_done(site.database, number, site.clock)
    async with site.database.read() as session:
        states = (await session.exec(select(Campaign.state).order_by(col(Campaign.id)))).all()
    return [CampaignState(state) for state in states]


async def test_a_stream_of_a_single_content_ends_soon_after_it_left(program: Program) -> None:
    for number in range(3):
        content = {"subject": "Your receipt", "html": f"<p>Receipt {number}</p>"}
        to = {"email": "camille@gmail.com"}
        assert (await program.call("POST", "/messages", {"to": to, "content": content})).status_code == 202
    program.site.clock.advance(LATER)
    assert await sweep(program) == [CampaignState.SENDING] * 3, "they have not left yet"
    await program.drain()
    assert await sweep(program) == [CampaignState.FINISHED] * 3


async def test_a_stream_sends_on_after_it_ended_soon(program: Program) -> None:
    await program.send()
    await program.drain()
    assert await sweep(program) == [CampaignState.SENDING]
    program.site.clock.advance(LATER)
    assert await sweep(program) == [CampaignState.FINISHED]
    await program.send(to={"email": "b@gmail.com"})
    assert await program.drain() == ["camille@gmail.com", "b@gmail.com"]
    program.site.clock.advance(LATER)
    assert await sweep(program) == [CampaignState.FINISHED]


async def test_a_stream_that_carried_much_ends_after_an_hour(program: Program) -> None:
    wishes = [
        {"to": {"email": f"p{place}@gmail.com"}, "template": {"id": "Reçu"}, "variables": {"first_name": "A"}}
        for place in range(streams.FEW + 1)
    ]
    assert (await program.call("POST", "/messages/batch", {"messages": wishes})).status_code == 207
    await program.drain()
    program.site.clock.advance(timedelta(minutes=59))
    assert await sweep(program) == [CampaignState.SENDING]
    program.site.clock.advance(timedelta(minutes=1))
    assert await sweep(program) == [CampaignState.FINISHED]
