"""What lies behind a campaign's figures: its proof, its end, its uncertain people, drafts that change."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.access import Role
from models.campaign import Campaign, LeftOut
from models.delivery import Delivery
from models.event import Event
from models.states import CampaignState, Channel, DeliveryState, EventKind, LatePolicy, LeftOutReason, Purpose
from scheduler.calendar import read_sending_windows, windows_from_rows
from scheduler.expansion import launch
from store import campaigns
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Browser, Site, parse_strictly

OPTIONS = {
    "until_day": "2026-03-12",
    "until_time": "20:00",
    "urgent": "1",
    "late_policy": "ask",
    "late_minutes": "180",
    "hours": "chosen",
    "open_day": ["0", "1", "2"],
    "opens": "09:00",
    "closes": "18:30",
}
FORM = {"name": "Réunion", "version": "1", "include": "1", "identity": "1", "basis": "consent", "rule": "one"}


async def prepare(site: Site, role: Role = Role.EDITOR) -> Browser:
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com", first_name="Camille")
        await a_contact(session, email="sacha@orange.fr", first_name="Sacha")
        await a_segment(session, name="Everybody")
        await a_template(session, name="Letter")
        await an_identity(session)
    return await site.signed_in(role)


async def a_launched(site: Site, state: DeliveryState, *, ended: bool = False) -> int:
    """A campaign to two people, both in that state."""
    async with site.database.write() as session:
        campaign = await a_campaign(
            session,
            version=await a_template(session),
            include=[await a_segment(session, name="All")],
            senders=[await an_identity(session, key="nord")],
        )
        campaign.state, campaign.starts_at = CampaignState.SCHEDULED, START
        session.add(campaign)
    await launch(site.database, campaign.id, START, language="fr")
    async with site.database.write() as session:
        await session.exec(sa.update(Delivery).values(state=state, settled_at=START, due_at=START))
        if ended:
            row = await campaigns.get_campaign(session, campaign.id)
            row.state, row.finished_at = CampaignState.FINISHED, START
            session.add(row)
    return campaign.id


async def only(site: Site) -> Campaign:
    async with site.database.read() as session:
        (found,) = await campaigns.list_campaigns(session)
    return found


async def test_the_form_sets_deadline_hours_urgency_and_lateness(site: Site) -> None:
    browser = await prepare(site)
    answer = await browser.send_form("/campaigns", {**FORM, **OPTIONS}, page="/campaigns/new")
    assert answer.status_code == 303, answer.text
    campaign = await only(site)
    assert campaign.not_after is not None
    assert f"{campaign.not_after:%Y-%m-%d %H:%M}" == "2026-03-12 19:00", "the wall clock of Paris"
    assert (campaign.urgent, campaign.late_policy, campaign.late_minutes) == (True, LatePolicy.ASK, 180)
    assert windows_from_rows(campaign.windows) == read_sending_windows("mon-wed 09:00-18:30")


async def test_the_hours_of_a_campaign_may_spare_public_holidays(site: Site) -> None:
    browser = await prepare(site)
    fields = {**FORM, **OPTIONS, "spare_holidays": "1"}
    await browser.send_form("/campaigns", fields, page="/campaigns/new")
    campaign = await only(site)
    assert windows_from_rows(campaign.windows) == read_sending_windows("mon-wed 09:00-18:30, not on holidays")
    page = await browser.read(f"/campaigns/{campaign.id}")
    assert "Monday–Wednesday 09:00–18:30, not on public holidays" in page
    tick = '<input type="checkbox" name="spare_holidays" value="1" checked>'
    assert tick in await browser.read(f"/campaigns/{campaign.id}/edit")
    await browser.send_form(
        f"/campaigns/{campaign.id}/edit", {**FORM, **OPTIONS}, page=f"/campaigns/{campaign.id}/edit"
    )
    assert tick not in await browser.read(f"/campaigns/{campaign.id}/edit")


async def test_without_options_a_campaign_is_an_ordinary_one(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", FORM, page="/campaigns/new")
    campaign = await only(site)
    assert (campaign.not_after, campaign.urgent, campaign.windows) == (None, False, [])
    assert (campaign.purpose, campaign.late_policy) == (Purpose.CAMPAIGN, LatePolicy.SEND)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"until_time": ""}, "Give the deadline a day and a time, or neither."),
        ({"open_day": []}, "Choose at least one day on which messages may arrive."),
        ({"closes": "08:00"}, "ends before it begins"),
        ({"until_day": "2026-03-01"}, "The deadline has passed already."),
        ({"purpose": "transactional"}, "Only an administrator"),
    ],
)
async def test_options_that_cannot_be_used_are_told_and_kept(
    site: Site, wrong: dict[str, str], said: str
) -> None:
    browser = await prepare(site)
    answer = await browser.send_form("/campaigns", {**FORM, **OPTIONS, **wrong}, page="/campaigns/new")
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="09:00"' in answer.text


async def test_a_draft_is_changed_in_the_form_it_was_made_with(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, **OPTIONS}, page="/campaigns/new")
    page = await browser.read("/campaigns/1/edit")
    parse_strictly(page)
    assert 'value="2026-03-12"' in page
    assert 'value="18:30"' in page
    answer = await browser.send_form("/campaigns/1/edit", {**FORM, "name": "Autre", "hours": "always"})
    assert answer.status_code == 303, answer.text
    campaign = await only(site)
    assert (campaign.name, campaign.urgent, campaign.not_after) == ("Autre", False, None)
    assert windows_from_rows(campaign.windows).always


async def test_only_a_draft_can_be_changed(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.QUEUED)
    assert (await browser.get(f"/campaigns/{number}/edit")).status_code == 409
    assert f"/campaigns/{number}/edit" not in await browser.read(f"/campaigns/{number}")


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        ("sent", DeliveryState.ACCEPTED),
        ("not_sent", DeliveryState.REFUSED),
        ("send_again", DeliveryState.QUEUED),
    ],
)
async def test_a_person_decides_what_becomes_of_uncertain_messages(
    site: Site, decision: str, state: DeliveryState
) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.UNCERTAIN)
    assert "2 messages are uncertain" in await browser.read(f"/campaigns/{number}")
    page = await browser.read(f"/campaigns/{number}/uncertain")
    parse_strictly(page)
    assert "camille@gmail.com" in page
    answer = await browser.send_form(
        f"/campaigns/{number}/uncertain", {"decision": decision, "shown": shown_on(page)}
    )
    assert answer.status_code == 303, answer.text
    assert "uncertain-decided" in answer.headers["location"]
    async with site.database.read() as session:
        assert await campaigns.progress(session, number) == {state: 2}
        told = (await session.exec(select(Event.details).where(col(Event.kind) == EventKind.RESOLVED))).all()
    assert [each["by"] for each in told] == ["editor@parti.example"] * 2
    assert "editor@parti.example" in await browser.read(f"/campaigns/{number}/uncertain")


def shown_on(page: str) -> str:
    return str(re.findall(r'name="shown" value="(\d+)"', page)[0])


async def test_what_became_uncertain_after_the_page_was_made_is_not_decided_with_it(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.UNCERTAIN)
    page = await browser.read(f"/campaigns/{number}/uncertain")
    async with site.database.write() as session:
        later = sa.update(Delivery).where(col(Delivery.address) == "sacha@orange.fr")
        await session.exec(later.values(settled_at=START + timedelta(seconds=1)))
    form = {"decision": "send_again", "shown": shown_on(page)}
    answer = await browser.send_form(f"/campaigns/{number}/uncertain", form)
    assert "uncertain-left" in answer.headers["location"]
    async with site.database.read() as session:
        assert await campaigns.progress(session, number) == {
            DeliveryState.QUEUED: 1,
            DeliveryState.UNCERTAIN: 1,
        }
    assert "What could be decided is decided." in await browser.read(answer.headers["location"])


@pytest.mark.parametrize("shown", [{}, {"shown": "later"}, {"shown": "0"}])
async def test_nothing_is_decided_of_what_was_not_shown(site: Site, shown: dict[str, str]) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.UNCERTAIN)
    await browser.send_form(f"/campaigns/{number}/uncertain", {"decision": "send_again", **shown})
    async with site.database.read() as session:
        assert await campaigns.progress(session, number) == {DeliveryState.UNCERTAIN: 2}


async def test_a_decision_has_to_be_made_to_be_sent(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.UNCERTAIN)
    answer = await browser.send_form(f"/campaigns/{number}/uncertain", {})
    assert answer.status_code == 400
    assert "Choose one of the three." in answer.text


async def test_an_ended_campaign_shows_its_proof_and_can_be_counted_again(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.ACCEPTED, ended=True)
    page = await browser.read(f"/campaigns/{number}")
    assert "2 messages = 2 accepted" in page
    assert "Every message has its end." not in page, "nobody has counted yet"
    answer = await browser.send_form(f"/campaigns/{number}/prove", page=f"/campaigns/{number}")
    assert "proof-equal" in answer.headers["location"]
    assert "Every message has its end." in await browser.read(f"/campaigns/{number}")


async def test_a_proof_that_fails_says_what_to_do(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.ACCEPTED, ended=True)
    async with site.database.write() as session:
        await session.exec(sa.update(Campaign).values(frozen=3))
    answer = await browser.send_form(f"/campaigns/{number}/prove", page=f"/campaigns/{number}")
    assert "proof-unequal" in answer.headers["location"]
    page = await browser.read(f"/campaigns/{number}")
    assert "The sums do not come out." in page
    assert "3 messages ≠ 2 accepted" in page
    assert "Rows are missing or too many" in page


async def test_who_had_enough_messages_is_listed_with_the_moment_of_the_next(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.CAPPED)
    reason = "the person has had enough messages lately; the next may leave from 2026-03-11 18:00"
    async with site.database.write() as session:
        await session.exec(sa.update(Delivery).values(reason=reason))
        contact = await a_contact(session, email="alex@free.fr", first_name="Alex")
        session.add(
            LeftOut(
                campaign_id=number,
                contact_id=contact.id,
                reason=LeftOutReason.CAPPED,
                next_at=START + timedelta(days=2),
            )
        )
    page = await browser.read(f"/campaigns/{number}/capped")
    parse_strictly(page)
    assert "3 people" in page
    assert "12 Mar 2026, 10:00" in page
    assert "<td>2026-03-11 18:00</td>" in page
    assert "sacha@orange.fr" in page
    assert f"/campaigns/{number}/capped" in await browser.read(f"/campaigns/{number}")


@pytest.mark.parametrize(
    ("kept_back", "left_out"), [(120, 7), (100, 7), (50, 0), (0, 120), (20, 30), (20, 31)]
)
async def test_everybody_who_had_enough_messages_is_listed_page_by_page(
    site: Site, kept_back: int, left_out: int
) -> None:
    browser = await prepare(site)
    async with site.database.write() as session:
        campaign = await a_campaign(session, senders=[await an_identity(session, key="nord")])
        for number in range(kept_back + left_out):
            contact = await a_contact(session, first_name=f"P{number:03}")
            if number >= kept_back:
                reason = LeftOutReason.CAPPED
                session.add(LeftOut(campaign_id=campaign.id, contact_id=contact.id, reason=reason))
                continue
            session.add(
                Delivery(
                    campaign_id=campaign.id,
                    contact_id=contact.id,
                    channel=Channel.EMAIL,
                    identity_id=1,
                    provider="gmail",
                    address=contact.email or "",
                    state=DeliveryState.CAPPED,
                    due_at=START,
                )
            )
    seen, path = [], f"/campaigns/{campaign.id}/capped"
    while path:
        page = await browser.read(path)
        listed = re.findall(r"\bP(\d{3})\b", page)
        assert 0 < len(listed) <= 50
        seen += listed
        more = re.findall(r'href="(/campaigns/\d+/capped\?[^"]+)"', page)
        path = more[0] if more else ""
    assert seen == [f"{number:03}" for number in range(kept_back + left_out)]


async def test_the_end_of_a_campaign_is_foreseen(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.QUEUED)
    page = await browser.read(f"/campaigns/{number}/forecast")
    parse_strictly(page)
    assert "The last message leaves on" in page
    assert f'data-part="/campaigns/{number}/forecast"' in await browser.read(f"/campaigns/{number}")


async def test_messages_that_would_miss_the_deadline_are_told_with_the_latest_start(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.QUEUED)
    async with site.database.write() as session:
        await session.exec(
            sa.update(Delivery).values(due_at=START + timedelta(days=2), not_after=START + timedelta(days=1))
        )
        await session.exec(sa.update(Campaign).values(not_after=START + timedelta(days=1)))
    page = await browser.read(f"/campaigns/{number}/forecast")
    assert "2 messages would miss the deadline" in page
    assert "2 messages wait for their hours" in page


async def test_messages_that_would_not_leave_before_silence_are_told(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.QUEUED)
    cut_off = START + timedelta(days=3)
    async with site.database.write() as session:
        await session.exec(sa.update(Delivery).values(not_after=cut_off))
    page = await browser.read(f"/campaigns/{number}/forecast")
    assert "Everything leaves before election silence: its last moment is 13 Mar 2026, 10:00." in page
    async with site.database.write() as session:
        await session.exec(sa.update(Delivery).values(due_at=cut_off))
    page = await browser.read(f"/campaigns/{number}/forecast")
    parse_strictly(page)
    assert "2 messages would not leave before election silence: their last moment is 13 Mar 2026" in page
    assert "deadline" not in page.partition("</strong>")[0]


async def test_an_ended_campaign_has_no_end_to_foresee(site: Site) -> None:
    browser = await prepare(site)
    number = await a_launched(site, DeliveryState.ACCEPTED, ended=True)
    assert "This campaign is over" in await browser.read(f"/campaigns/{number}/forecast")
