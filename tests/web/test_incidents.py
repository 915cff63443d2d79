"""The pages of incidents: what is open, what was done, and the button that takes it back."""

import re

import pytest
import sqlalchemy as sa

from models.access import Role
from models.campaign import UNTIL_TOLD, Campaign, CampaignLane
from models.incident import AlertWay, Incident, IncidentDeed, IncidentKind, IncidentLevel
from models.pace import BreakerState, Throttle
from models.states import CampaignState
from scheduler.incidents import close_incident, open_incident
from store import alerts, incidents, throttles
from store.deliveries import Lane
from tests.clocks import START
from tests.factories import a_campaign, an_identity
from tests.web.browsers import Site, parse_strictly


async def an_incident(site: Site) -> tuple[Incident, int]:
    """A lane at rest because of its bounces, with a campaign in it; and that campaign."""
    async with site.database.write() as session:
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity])
        session.add(CampaignLane(campaign_id=campaign.id, identity_id=identity.id, provider="orange"))
        key = f"lane:{identity.id}:orange"
        session.add(
            Throttle(key=key, state=BreakerState.OPEN, changed_at=START, opens_at=START.replace(hour=21))
        )
        opened = await open_incident(
            session,
            IncidentKind.HARD_BOUNCES,
            IncidentLevel.RED,
            identity_id=identity.id,
            provider="orange",
            part=40,
            whole=400,
            reason="hard",
            deed=IncidentDeed.STOPPED,
            until=START.replace(hour=21),
            evidence={
                "undo": [{"do": "brake", "key": key}],
                "amber": 0.02,
                "red": 0.05,
                "examples": [
                    {"provider": "orange", "code": 550, "enhanced": "5.1.1", "class": "no_such_address",
                     "text": "550 5.1.1 <b>unknown</b>", "count": 37}
                ],
            },
            now=START,
        )  # fmt: skip
        assert opened is not None
        await alerts.note(
            session, opened.id, "began", way=AlertWay.MAIL, target="ana@parti.example", due_at=START
        )
    return opened, campaign.id


async def test_with_nothing_wrong_the_page_says_so(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    page = await browser.read("/incidents")
    parse_strictly(page)
    assert "Nothing is wrong" in page


async def test_an_incident_is_told_with_its_figures_words_and_deed(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.EDITOR)
    listed = await browser.read("/incidents")
    page = await browser.read(f"/incidents/{opened.id}")
    for text in (listed, page):
        parse_strictly(text)
        assert "40 of 400 messages came back" in text
        assert "Le Parti at Orange" in text
        assert "Nothing leaves there until" in text
    assert "550 5.1.1 &lt;b&gt;unknown&lt;/b&gt;" in page
    assert "Let it go on" in page


async def test_letting_it_go_on_takes_the_brake_away_and_keeps_the_name(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.EDITOR)
    page = f"/incidents/{opened.id}"
    answer = await browser.send_form(f"{page}/go-on", {"note": "list cleaned"}, page=page)
    assert answer.status_code == 303
    async with site.database.read() as session:
        found = await incidents.get_incident(session, opened.id)
        assert found.ended_at is not None
        assert found.ended_by
        assert await session.get(Throttle, f"lane:{found.identity_id}:orange") is None
    page = await browser.read(f"/incidents/{opened.id}")
    assert "list cleaned" in page
    assert "Let it go on" not in page


async def test_closing_leaves_the_brake(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.EDITOR)
    page = f"/incidents/{opened.id}"
    assert (await browser.send_form(f"{page}/close", {"note": "known"}, page=page)).status_code == 303
    async with site.database.read() as session:
        found = await incidents.get_incident(session, opened.id)
        assert found.ended_by
        assert await session.get(Throttle, f"lane:{found.identity_id}:orange") is not None


async def test_readers_look_and_do_nothing(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.READER)
    assert "go-on" not in await browser.read(f"/incidents/{opened.id}")


async def test_open_incidents_are_told_where_one_works(site: Site) -> None:
    opened, campaign_id = await an_incident(site)
    browser = await site.signed_in(Role.EDITOR)
    for address in ("/campaigns", f"/campaigns/{campaign_id}", f"/identities/{opened.identity_id}"):
        page = await browser.read(address)
        assert "1 incident is open" in page, address
        assert f'href="/incidents/{opened.id}"' in page
    async with site.database.write() as session:
        await close_incident(session, opened.id, by="Ana", now=START)
    assert "incident is open" not in await browser.read(f"/campaigns/{campaign_id}")


async def test_the_list_can_be_narrowed(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.READER)
    assert f"/incidents/{opened.id}" in await browser.read("/incidents?kind=hard_bounces&open=1")
    other = await browser.read("/incidents?kind=complaints")
    assert f"/incidents/{opened.id}" not in other
    assert "No such incident" in other
    assert "Nothing is wrong" not in other


async def test_in_french_nothing_stays_english(site: Site) -> None:
    opened, _ = await an_incident(site)
    browser = await site.signed_in(Role.EDITOR)
    await browser.send_form("/language", {"language": "fr"}, page="/account")
    page = await browser.read(f"/incidents/{opened.id}")
    assert "40 messages sur 400 sont revenus" in page
    assert "Laisser reprendre" in page
    assert not re.search(r"What (was|happened)|Nothing leaves", page)


@pytest.mark.parametrize("address", ["/incidents/99", "/incidents/nonsense"])
async def test_what_is_not_there_is_not_found(site: Site, address: str) -> None:
    browser = await site.signed_in(Role.READER)
    assert (await browser.get(address)).status_code == 404


async def test_what_a_look_found_is_told_in_the_readers_language(site: Site) -> None:
    async with site.database.write() as session:
        identity = await an_identity(session)
        opened = await open_incident(
            session,
            IncidentKind.HEALTH,
            IncidentLevel.RED,
            identity_id=identity.id,
            reason="The record that shows whose domain it is has been gone for a day or more.",
            deed=IncidentDeed.STOPPED,
            evidence={"codes": ["proof_lost"]},
            now=START,
        )
    assert opened is not None
    browser = await site.signed_in(Role.EDITOR)
    assert "The record that shows whose domain it is" in await browser.read("/incidents")
    await browser.send_form("/language", {"language": "fr"}, page="/account")
    assert "The record that shows" not in await browser.read("/incidents")


async def test_a_halt_that_outlasts_its_incident_can_still_be_lifted_there(site: Site) -> None:
    opened, campaign_id = await an_incident(site)
    assert opened.identity_id is not None
    lane = Lane(opened.identity_id, "orange")
    undo = {"do": "halt", "campaign": campaign_id, "identity": lane.identity_id, "provider": "orange"}
    async with site.database.write() as session:
        halted = await open_incident(
            session,
            IncidentKind.SPAM_PLACEMENT,
            IncidentLevel.RED,
            identity_id=lane.identity_id,
            provider="orange",
            campaign_id=campaign_id,
            deed=IncidentDeed.STOPPED,
            evidence={"undo": [undo]},
            now=START,
        )
        assert halted is not None
        await session.exec(sa.update(Campaign).values(state=CampaignState.SENDING))
        await throttles.halt_lane(session, campaign_id, lane, UNTIL_TOLD)
        await close_incident(session, halted.id, by="Ana", now=START)
    browser = await site.signed_in(Role.EDITOR)
    page = await browser.read(f"/incidents/{halted.id}")
    parse_strictly(page)
    assert "Let it go on" in page
    assert "Close, and leave" not in page
    address = f"/incidents/{halted.id}"
    answer = await browser.send_form(f"{address}/go-on", {"note": ""}, page=address)
    assert answer.status_code == 303
    assert "Let it go on" not in await browser.read(address)
    async with site.database.read() as session:
        assert not await throttles.halted_lanes(session, [campaign_id], START)
