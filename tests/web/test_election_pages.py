"""The calendar of votes on pages, campaigns that say what they are, and two people who let one leave."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from models.access import Role
from models.campaign import Campaign
from models.election import DAY_BEFORE, ElectionDay, SilenceWaiver
from models.states import CampaignState, Nature
from tests.factories import a_campaign, a_contact
from tests.web.browsers import PASSWORD, Browser, Site, parse_strictly

MUNICIPAL = {
    "name": "Élections municipales",
    "day": "2026-03-15",
    "round": "1",
    "territory": "national",
    "closes_at": "20:00",
}


@pytest.fixture
async def editor(site: Site) -> Browser:
    return await site.signed_in(Role.EDITOR)


@pytest.fixture
async def admin(site: Site) -> Browser:
    return await site.signed_in(Role.ADMIN)


async def kept(site: Site, kind: type[Any]) -> list[Any]:
    async with site.database.read() as session:
        return list((await session.exec(select(kind).order_by(kind.id))).all())


async def test_an_empty_calendar_says_what_is_lost_and_offers_what_is_known(
    site: Site, editor: Browser
) -> None:
    text = await editor.read("/elections")
    assert "No vote is in the calendar" in text
    assert "Élections municipales 2026" in text
    assert "to be confirmed" in text
    added = await editor.send_form("/elections/known/2026-03-15-1", page="/elections")
    assert added.headers["location"] == "/elections?said=election-added"
    (day,) = await kept(site, ElectionDay)
    assert (day.name, day.day, day.day_before, day.created_by) == (
        "Élections municipales 2026",
        date(2026, 3, 15),
        [],
        "editor@parti.example",
    )
    # It is offered no more, and cannot be added twice.
    assert "/elections/known/2026-03-15-1" not in await editor.read("/elections")
    again = await editor.send_form("/elections/known/2026-03-15-1", page="/elections/new")
    assert (again.status_code, "in the calendar already" in again.text) == (409, True)
    assert (await editor.send_form("/elections/known/nothing", page="/elections/new")).status_code == 404


async def test_silence_is_shown_on_the_clock_of_each_place(editor: Browser) -> None:
    fields = {**MUNICIPAL, "day_before": list(DAY_BEFORE)}
    sent = await editor.send_form("/elections", fields, page="/elections/new")
    assert sent.status_code == 303, sent.text
    text = await editor.read("/elections")
    cells = ["".join(one.itertext()) for one in parse_strictly(text).iter("td")]
    rows = {"".join(one.itertext()): one for one in parse_strictly(text).iter("th")}
    assert "Guadeloupe, Martinique, Saint-Barthélemy, Saint-Martin" in rows
    assert "Mainland France" in rows
    # The Friday of Martinique begins five hours after that of Paris; Réunion votes on the Sunday.
    for moment in ("Fri 13 Mar, 00:00", "Fri 13 Mar, 05:00", "Sat 14 Mar, 00:00", "Fri 13 Mar, 21:00"):
        assert moment in cells, moment
    assert "until Sun 15 Mar, 20:00 (in some places from Fri 13 Mar, 00:00 on)" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"day": ""}, "Say on which day people vote."),
        ({"name": " "}, "A vote needs a name"),
        ({"territory": "commune", "value": "Nîmes"}, "Say in which département the place lies."),
        ({"round": "x"}, "There is no round 0."),
        ({"closes_at": "soon"}, "is no time of day"),
    ],
)
async def test_what_cannot_be_a_vote_is_said_and_the_form_stays_filled(
    site: Site, editor: Browser, change: dict[str, str], told: str
) -> None:
    answer = await editor.send_form("/elections", {**MUNICIPAL, **change}, page="/elections/new")
    assert (answer.status_code, told in answer.text) == (400, True)
    parse_strictly(answer.text)
    filled = [
        one.get("value") for one in parse_strictly(answer.text).iter("input") if one.get("id") == "name"
    ]
    assert filled == [change.get("name", MUNICIPAL["name"]).strip()]
    assert await kept(site, ElectionDay) == []


async def test_a_local_vote_is_shown_by_its_name(editor: Browser) -> None:
    fields = {**MUNICIPAL, "territory": "commune", "value": "Saint-Denis", "departement": "974"}
    await editor.send_form("/elections", fields, page="/elections/new")
    assert "Saint-Denis (974)" in await editor.read("/elections")


async def test_a_correction_keeps_what_was_there_and_who_did_it(site: Site, admin: Browser) -> None:
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    form = await admin.read("/elections/1/edit")
    assert 'value="2026-03-15"' in form
    without = await admin.send_form("/elections/1/edit", {**MUNICIPAL, "day": "2026-03-22"})
    assert (without.status_code, "Say why" in without.text) == (400, True)
    moved = await admin.send_form(
        "/elections/1/edit", {**MUNICIPAL, "day": "2026-03-22", "reason": "Reporté par décret"}
    )
    assert moved.headers["location"] == "/elections?said=election-corrected"
    before, after = await kept(site, ElectionDay)
    assert (before.removed_by, before.removed_reason) == ("admin@parti.example", "Reporté par décret")
    assert (after.day, after.removed_at, after.created_by) == (
        date(2026, 3, 22),
        None,
        "admin@parti.example",
    )
    text = await admin.read("/elections")
    assert "Reporté par décret" in text
    parse_strictly(text)
    assert site.woken


async def test_a_vote_taken_away_says_what_may_leave_and_can_be_entered_again(
    site: Site, admin: Browser
) -> None:
    async with site.database.write() as session:
        campaign = await a_campaign(session)
        campaign.state = CampaignState.SCHEDULED
        name = campaign.name
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    text = await admin.read("/elections/1/remove")
    assert name in text
    assert (await admin.send_form("/elections/1/remove", {"reason": " "})).status_code == 400
    done = await admin.send_form("/elections/1/remove", {"reason": "Annulé"})
    assert done.headers["location"] == "/elections?said=election-removed"
    text = await admin.read("/elections")
    assert "No vote is in the calendar" in text
    assert "/elections/new?like=1" in text
    assert 'value="Élections municipales"' in await admin.read("/elections/new?like=1")
    twice = await admin.send_form("/elections/1/remove", {"reason": "encore"}, page="/elections/new")
    assert (twice.status_code, "already" in twice.text) == (400, True)
    assert "has been taken away already" in await admin.read("/elections/1/remove")


async def test_in_its_silence_a_vote_stays_as_it_is(site: Site, admin: Browser) -> None:
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    site.clock.advance(timedelta(days=4))
    text = await admin.read("/elections/1/remove")
    assert "is on: the vote stays as it is." in text
    assert 'name="reason"' not in text
    parse_strictly(text)
    for path, fields in (
        ("/elections/1/remove", {"reason": "Annulé"}),
        ("/elections/1/edit", {**MUNICIPAL, "day": "2026-03-22", "reason": "Décret"}),
    ):
        refused = await admin.send_form(path, fields, page="/elections/new")
        assert (refused.status_code, "Two administrators can let" in refused.text) == (400, True)
    assert [day.removed_at for day in await kept(site, ElectionDay)] == [None]
    # Whoever entered the wrong day a moment ago takes it back.
    slip = {**MUNICIPAL, "name": "Coquille", "day": "2026-03-14"}
    await admin.send_form("/elections", slip, page="/elections/new")
    done = await admin.send_form("/elections/2/remove", {"reason": "Coquille"})
    assert done.headers["location"] == "/elections?said=election-removed"


async def test_errors_are_told_in_french(site: Site, admin: Browser) -> None:
    await admin.send_form("/language", {"language": "fr"}, page="/account")
    wrong = await admin.send_form(
        "/elections", {**MUNICIPAL, "territory": "commune", "value": "Nîmes"}, page="/elections/new"
    )
    assert "Indiquez le département du lieu." in wrong.text
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    again = await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    assert "est déjà au calendrier" in again.text


async def test_votes_gone_by_are_kept_to_be_seen_and_spoken_of_no_more(site: Site, admin: Browser) -> None:
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    site.clock.advance(timedelta(days=6))
    admin = site.browser()
    await admin.send_form("/sign-in", {"email": "admin@parti.example", "password": PASSWORD})
    text = await admin.read("/elections")
    assert "Gone by" in text
    assert "No vote is in the calendar" in text
    # Nor is a vote offered whose day is past.
    assert "/elections/known/2026-03-15-1" not in text
    assert "/elections/known/2026-03-22-2" in text
    parse_strictly(text)
    assert "A vote is near" not in await admin.read("/campaigns/new")


async def campaign_fields(site: Site) -> dict[str, Any]:
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
        drawn = await a_campaign(session)
    return {"name": "Tract", "version": drawn.template_version_id, "include": "1", "identity": "1"}


async def test_the_form_of_a_campaign_asks_what_it_is_and_warns_of_a_near_vote(
    site: Site, editor: Browser
) -> None:
    fields = await campaign_fields(site)
    await editor.send_form("/elections", MUNICIPAL, page="/elections/new")
    form = await editor.read("/campaigns/new")
    assert "A vote is near." in form
    # The second round is known to come, and nobody has entered it.
    missing = "Élections municipales 2026 (2) is known for Sunday, 22 March 2026 and is not in the calendar"
    assert missing in form
    assert missing in await editor.read("/campaigns/1")
    assert "Élections municipales 2026 (1) is known" not in form
    assert '<option value="Élections municipales">' in form
    # The setting of these pages is that nobody said.
    assert 'name="nature" value="political" checked' not in form
    about = {"nature": "political", "sponsor": "Les Amis", "vote": "Municipales", "spent": "12 €"}
    answer = await editor.send_form("/campaigns", {**fields, **about}, page="/campaigns/new")
    assert answer.status_code == 303, answer.text
    *_, made = await kept(site, Campaign)
    assert (made.nature, made.sponsor, made.vote, made.spent) == (
        *(Nature.POLITICAL, "Les Amis", "Municipales"),
        "12 €",
    )
    shown = await editor.read(f"/campaigns/{made.id}")
    for told in ("Political", "Les Amis", "Municipales", "12 €"):
        assert told in shown
    edit = await editor.read(f"/campaigns/{made.id}/edit")
    assert 'value="political" checked' in edit
    assert 'value="12 €"' in edit
    await editor.send_form(f"/campaigns/{made.id}/edit", {**fields, "nature": "civic"})
    *_, changed = await kept(site, Campaign)
    assert (changed.nature, changed.sponsor) == (Nature.CIVIC, "")
    # A form that says nothing of it leaves it as it is.
    await editor.send_form(f"/campaigns/{made.id}/edit", fields)
    *_, changed = await kept(site, Campaign)
    assert changed.nature is Nature.CIVIC


async def test_far_from_any_vote_nothing_is_said(site: Site, editor: Browser) -> None:
    fields = {**MUNICIPAL, "day": "2026-06-14"}
    await editor.send_form("/elections", fields, page="/elections/new")
    async with site.database.write() as session:
        campaign = await a_campaign(session)
    site.clock.advance(timedelta(days=13))
    editor = site.browser()
    await editor.send_form("/sign-in", {"email": "editor@parti.example", "password": PASSWORD})
    assert "A vote is near" not in await editor.read("/campaigns/new")
    assert "Election silence" not in await editor.read(f"/campaigns/{campaign.id}")


async def test_it_takes_two_administrators_to_let_a_campaign_leave_in_silence(
    site: Site, admin: Browser, editor: Browser
) -> None:
    async with site.database.write() as session:
        number = (await a_campaign(session)).id
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    path = f"/campaigns/{number}"
    assert "It has to leave all the same" not in await editor.read(path)
    assert "It has to leave all the same" in await admin.read(path)
    asked = await admin.send_form(f"{path}/waivers", {"reason": "Ordonnance du juge"}, page=path)
    assert asked.headers["location"] == f"{path}?said=waiver-asked"
    text = await admin.read(path)
    assert "Agree: let it leave" not in text
    assert "Another administrator has to agree." in text
    lonely = 'There is nobody else yet: <a href="/accounts">add an administrator</a>.'
    assert lonely in text
    own = await admin.send_form(f"{path}/waivers/1/agree", page=path)
    assert (own.status_code, "Who asks cannot agree." in own.text) == (400, True)

    await site.someone(Role.ADMIN, "second@parti.example")
    assert lonely not in await admin.read(path)
    second = site.browser()
    await second.send_form("/sign-in", {"email": "second@parti.example", "password": PASSWORD})
    assert "Ordonnance du juge" in await second.read(path)
    assert (await second.send_form("/campaigns/99/waivers/1/agree", page=path)).status_code == 404
    agreed = await second.send_form(f"{path}/waivers/1/agree", page=path)
    assert agreed.headers["location"] == f"{path}?said=waiver-agreed"
    text = await admin.read(path)
    assert "Two people let it leave all the same." in text
    assert "second@parti.example agreed on" in text
    parse_strictly(text)
    await admin.send_form(f"{path}/waivers/1/refuse", page=path)
    (waiver,) = await kept(site, SilenceWaiver)
    assert waiver.refused_by == "admin@parti.example"
    text = await admin.read(path)
    assert "It has to leave all the same" in text
    assert "Asked before" in text
    parse_strictly(text)


async def test_a_changed_campaign_is_asked_for_again(site: Site, admin: Browser) -> None:
    fields = await campaign_fields(site)
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    await admin.send_form("/campaigns/1/waivers", {"reason": "Erratum"}, page="/campaigns/1")
    assert "Take it back" in await admin.read("/campaigns/1")
    await admin.send_form("/campaigns/1/edit", {**fields, "name": "Autre"})
    text = await admin.read("/campaigns/1")
    assert "The campaign was changed since: it does not hold." in text
    assert "It has to leave all the same" in text


async def test_a_civic_campaign_is_not_spoken_to_of_silence(site: Site, admin: Browser) -> None:
    fields = await campaign_fields(site)
    await admin.send_form("/elections", MUNICIPAL, page="/elections/new")
    assert "Election silence" in await admin.read("/campaigns/1")
    await admin.send_form("/campaigns/1/edit", {**fields, "nature": "civic"})
    assert "Nothing of this campaign reaches people" not in await admin.read("/campaigns/1")
