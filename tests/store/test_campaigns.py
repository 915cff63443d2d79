"""What is asked about campaigns, templates, identities and single deliveries."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from models.campaign import Campaign, LeftOut
from models.delivery import Delivery
from models.errors import ConflictError, NotFoundError
from models.states import CampaignState, Channel, DeliveryState, LeftOutReason
from store import Database, campaigns, deliveries, identities, templates
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity


async def test_campaigns_are_found_by_name_and_listed_page_by_page(database: Database) -> None:
    async with database.write() as session:
        version, sender = await a_template(session), await an_identity(session)
        made = [await a_campaign(session, version=version, senders=[sender]) for _ in range(3)]
    async with database.read() as session:
        first, second, third = (campaign.id for campaign in made)
        assert [row.id for row in await campaigns.list_campaigns(session, limit=2)] == [third, second]
        assert [row.id for row in await campaigns.list_campaigns(session, before_id=second)] == [first]
        found = await campaigns.find_campaign(session, made[1].name)
        assert found is not None
        assert found.id == second
        assert await campaigns.find_campaign(session, "nothing") is None
        with pytest.raises(NotFoundError):
            await campaigns.get_campaign(session, 999)


async def test_a_campaign_knows_its_segments_links_senders_and_who_is_left_out(database: Database) -> None:
    async with database.write() as session:
        person, segment, sender = (
            await a_contact(session),
            await a_segment(session),
            await an_identity(session),
        )
        campaign = await a_campaign(session, include=[segment], senders=[sender])
        await campaigns.save_links(session, campaign.id, ["https://a.fr", "https://b.fr"])
        await campaigns.save_links(session, campaign.id, ["https://c.fr", "https://b.fr"])
        await campaigns.save_links(session, campaign.id, [])
        session.add(LeftOut(campaign_id=campaign.id, contact_id=person.id, reason=LeftOutReason.NO_CONSENT))
    async with database.read() as session:
        assert [tied.id for tied, _ in await campaigns.segments_of(session, campaign.id)] == [segment.id]
        assert await campaigns.links_of(session, campaign.id) == ["https://a.fr", "https://b.fr"]
        assert await campaigns.link_target(session, campaign.id, 1) == "https://b.fr"
        assert await campaigns.link_target(session, campaign.id, 2) is None
        assert await campaigns.left_out(session, campaign.id) == {LeftOutReason.NO_CONSENT: 1}
        assert await campaigns.senders_of(session, [campaign.id]) == {campaign.id: [sender.id]}


async def test_the_same_content_saved_again_is_the_same_version(database: Database) -> None:
    async with database.write() as session:
        first = await a_template(session, name="appel")
        again = await a_template(session, name="appel")
        second = await a_template(session, name="appel", subject="Autre")
        with pytest.raises(ConflictError, match="is for email"):
            await a_template(session, name="appel", channel=Channel.SMS)
    assert (first.id, first.number, second.number) == (again.id, 1, 2)
    async with database.read() as session:
        ((template, newest),) = await templates.list_templates(session)
        assert newest.id == second.id
        assert [row.number for row in await templates.versions_of(session, template.id)] == [2, 1]
        latest = await templates.latest_version(session, "appel")
        assert latest is not None
        assert latest.id == second.id
        assert await templates.latest_version(session, "rien") is None
        with pytest.raises(NotFoundError):
            await templates.get_version(session, 999)
        second.template_id = 999
        with pytest.raises(NotFoundError):
            await templates.template_of(session, second)


async def test_a_version_once_written_cannot_be_changed(database: Database) -> None:
    async with database.write() as session:
        version = await a_template(session, body="<mjml></mjml>")

    async def rewrite() -> None:
        async with database.write() as session:
            found = await templates.get_version(session, version.id)
            found.body = "something else"
            session.add(found)

    with pytest.raises(ConflictError, match="cannot be changed"):
        await rewrite()
    async with database.read() as session:
        assert (await templates.get_version(session, version.id)).body == "<mjml></mjml>"


async def test_an_identitys_key_word_is_its_own(database: Database) -> None:
    async with database.write() as session:
        made = await an_identity(session, key="national")
        with pytest.raises(ConflictError, match="already an identity"):
            await an_identity(session, key="national")
    async with database.read() as session:
        assert [row.id for row in await identities.list_identities(session)] == [made.id]
        with pytest.raises(NotFoundError):
            await identities.get_identity(session, 999)


async def test_a_delivery_is_found_by_what_the_outside_knows_of_it(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        sender = (await campaigns.identities_of(session, campaign.id))[0]
        row = Delivery(
            campaign_id=campaign.id,
            channel=Channel.EMAIL,
            identity_id=sender.id,
            provider="gmail",
            address="a@gmail.com",
            due_at=START,
            state=DeliveryState.UNCERTAIN,
        )
        session.add(row)
        await session.flush()
        assert await deliveries.settle_uncertain(session, row.id, now=START, provider_message_id="SM1")
        assert not await deliveries.settle_uncertain(session, row.id, now=START)
    async with database.read() as session:
        found = await deliveries.find_by_provider_message_id(session, "SM1")
        latest = await deliveries.latest_to(session, Channel.EMAIL, "a@gmail.com")
        known = await deliveries.get_delivery(session, row.id)
        assert found is latest is known is not None
        assert known.state is DeliveryState.ACCEPTED
        assert await deliveries.latest_to(session, Channel.SMS, "a@gmail.com") is None


async def test_a_launch_begins_once_and_not_before_its_moment(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        later = START + timedelta(hours=1)
        await session.exec(sa.update(Campaign).values(state=CampaignState.SCHEDULED, starts_at=later))
        assert not await campaigns.begin_launch(session, campaign.id, START)
        assert await campaigns.begin_launch(session, campaign.id, later)
        assert not await campaigns.begin_launch(session, campaign.id, later)
