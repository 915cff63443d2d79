"""The register of political advertising: what is in it, and that nothing else is."""

from dataclasses import replace

import pytest

from models.campaign import AudienceRole, Campaign, CampaignIdentity, CampaignSegment, LeftOut
from models.states import CampaignState, EventKind, LeftOutReason, Nature
from models.tally import Account, Tally
from models.template import TemplateVersion
from store import Database
from store.register import RegisterRow, RegisterSegment, register_row, register_rows
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_segment, a_sent_campaign, count_more

LANES = {"gmail": (1000, 20), "orange": (500, 5)}


async def _an_advertisement(database: Database, **columns: object) -> Campaign:
    """A political campaign to friends, except to members; 3 people were left out without an agreement."""
    async with database.write() as session:
        identity = await an_identity(session)
        identity.organisation, identity.reply_to = "Parti du Rhône", "rhone@parti.example"
        session.add(identity)
        campaign = await a_sent_campaign(session, identity, LANES)
        first = await session.get(TemplateVersion, campaign.template_version_id)
        assert first is not None
        version = TemplateVersion(
            template_id=first.template_id, number=4, subject="Samedi à Lyon", body="", created_at=START
        )
        session.add(version)
        await session.flush()
        pinned = {"template_version_id": version.id, "nature": Nature.POLITICAL, "vote": "Municipales 2026"}
        campaign.sqlmodel_update({**pinned, **columns})
        session.add(campaign)
        session.add(CampaignIdentity(campaign_id=campaign.id, identity_id=identity.id))
        for role, frozen in ((AudienceRole.INCLUDE, "departement:69"), (AudienceRole.EXCLUDE, None)):
            segment_id = await a_segment(session, f"{role} of {campaign.id}")
            session.add(
                CampaignSegment(campaign_id=campaign.id, segment_id=segment_id, role=role, frozen_text=frozen)
            )
        await count_more(
            *(session, campaign, identity, "gmail"),
            account=Account.NEWS,
            word=EventKind.COMPLAINED,
            count=2,
        )
        session.add_all(
            LeftOut(campaign_id=campaign.id, contact_id=number, reason=LeftOutReason.NO_TARGETING_CONSENT)
            for number in range(3)
        )
    return campaign


async def _register(database: Database) -> list[RegisterRow]:
    async with database.read() as session:
        return await register_rows(session)


async def test_a_political_campaign_stands_in_the_register_with_all_the_law_asks_for(
    database: Database,
) -> None:
    campaign = await _an_advertisement(database, sponsor="Comité Durand", spent="120 €, dons")
    (row,) = await _register(database)
    assert (row.campaign_id, row.name, row.vote) == (campaign.id, campaign.name, "Municipales 2026")
    assert (row.sponsor, row.payer, row.spent) == ("Comité Durand", "Comité Durand", "120 €, dons")
    assert (row.subject, row.version, row.version_id) == ("Samedi à Lyon", 4, campaign.template_version_id)
    assert (row.launched_at, row.finished_at) == (campaign.launched_at, campaign.finished_at)
    assert [(one.organisation, one.address) for one in row.senders] == [
        ("Parti du Rhône", "rhone@parti.example")
    ]
    assert (row.audience, row.messages, row.accepted, row.clicked, row.complained) == (
        1500,
        1500,
        1500,
        25,
        2,
    )
    assert row.left_out == {LeftOutReason.NO_TARGETING_CONSENT: 3}


async def test_what_is_being_counted_anew_does_not_count_twice(database: Database) -> None:
    campaign = await _an_advertisement(database)
    async with database.write() as session:
        session.add(
            Tally(
                campaign_id=campaign.id,
                account=Account.NEWS,
                identity_id=0,
                provider="gmail",
                word=EventKind.ACCEPTED.value,
                shard=1,
                count=9,
            )
        )
    (row,) = await _register(database)
    assert row.accepted == 1500


async def test_the_audience_is_told_as_it_stood_at_the_launch(database: Database) -> None:
    campaign = await _an_advertisement(database)
    (row,) = await _register(database)
    assert row.segments == (
        RegisterSegment(AudienceRole.INCLUDE, f"include of {campaign.id}", "departement:69"),
        RegisterSegment(AudienceRole.EXCLUDE, f"exclude of {campaign.id}", ""),
    )


async def test_who_names_no_sponsor_pays_itself(database: Database) -> None:
    await _an_advertisement(database)
    (row,) = await _register(database)
    assert (row.sponsor, row.payer) == ("", "Parti du Rhône")
    (nameless,) = [replace(one, organisation="") for one in row.senders]
    assert replace(row, senders=(nameless, nameless)).payer == "Le Parti"


@pytest.mark.parametrize("nature", [Nature.CIVIC, Nature.UNSAID])
async def test_what_is_no_political_advertising_is_not_in_the_register(
    database: Database, nature: Nature
) -> None:
    campaign = await _an_advertisement(database, nature=nature)
    assert await _register(database) == []
    async with database.read() as session:
        assert await register_row(session, campaign.id) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"state": CampaignState.DRAFT, "launched_at": None},
        {"state": CampaignState.BLOCKED},
        {"state": CampaignState.CANCELLED, "launched_at": None},
    ],
)
async def test_what_never_left_is_not_in_the_register_but_has_its_notice(
    database: Database, columns: dict[str, object]
) -> None:
    campaign = await _an_advertisement(database, **columns)
    assert await _register(database) == []
    async with database.read() as session:
        row = await register_row(session, campaign.id)
    assert row is not None
    assert row.campaign_id == campaign.id


async def test_one_that_was_stopped_on_its_way_is_in_the_register(database: Database) -> None:
    await _an_advertisement(database, state=CampaignState.CANCELLED, launched_at=START)
    assert len(await _register(database)) == 1


async def test_the_register_is_read_newest_first_and_by_pages(database: Database) -> None:
    numbers = [(await _an_advertisement(database)).id for _ in range(3)]
    assert [row.campaign_id for row in await _register(database)] == numbers[::-1]
    async with database.read() as session:
        (page,) = await register_rows(session, before_id=numbers[2], limit=1)
    assert page.campaign_id == numbers[1]
    assert len(page.segments) == 2
