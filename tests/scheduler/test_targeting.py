"""Political messages chosen by people's data reach those alone who agreed to that, as was foreseen."""

from dataclasses import replace
from datetime import date

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from audience.targeting import record_targeting
from models.campaign import Campaign
from models.contact import Contact
from models.identity import TerritoryKind
from models.states import (
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    IdentityRule,
    LeftOutReason,
    LegalBasis,
    Nature,
)
from scheduler.campaigns import parts_of, schedule, update_campaign
from scheduler.choosing import Advert, choose_for
from scheduler.expansion import launch
from scheduler.preview import AudiencePreview, preview_audience
from scheduler.rhythm import Rhythm
from store import Database, campaigns
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.test_expansion import deliveries_of, left_out_of

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN
TOO_YOUNG, NOT_AGREED = LeftOutReason.TOO_YOUNG, LeftOutReason.NO_TARGETING_CONSENT


async def somebody(
    session: AsyncSession,
    agreed: ConsentStatus = GRANTED,
    *,
    born: date | None = None,
    commune: str = "Lyon",
    email_consent: ConsentStatus = GRANTED,
) -> Contact:
    person = await a_contact(session, commune=commune, email_consent=email_consent)
    person.targeting_consent, person.birth_date = agreed, born
    session.add(person)
    await session.flush()
    return person


async def political(session: AsyncSession, campaign: Campaign, nature: Nature = Nature.POLITICAL) -> Campaign:
    wanted = replace(await parts_of(session, campaign), nature=nature)
    return await update_campaign(session, campaign.id, wanted, START)


async def foreseen(session: AsyncSession, campaign: Campaign, **advert: object) -> AudiencePreview:
    parts = await parts_of(session, campaign)
    told = Advert(
        nature=campaign.nature,
        rule=parts.identity_rule,
        identity_ids=parts.identity_ids,
        version_id=parts.template_version_id,
    )
    return await preview_audience(
        session,
        include=parts.include,
        exclude=parts.exclude,
        channel=Channel.EMAIL,
        basis=LegalBasis.CONSENT,
        now=START,
        advert=replace(told, **advert),  # type: ignore[arg-type]
    )


async def launched(database: Database, campaign: Campaign, *, place_is_free: bool = False) -> Campaign:
    async with database.write() as session:
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
    rhythm = Rhythm(zone="UTC", place_is_free=place_is_free)
    await launch(database, campaign.id, START, language="fr", rhythm=rhythm)
    async with database.read() as session:
        return await campaigns.get_campaign(session, campaign.id)


async def test_only_those_who_agreed_and_are_old_enough_are_chosen(database: Database) -> None:
    async with database.write() as session:
        chosen = await somebody(session)
        turning_17 = await somebody(session, born=date(START.year - 17, START.month, START.day))
        child = await somebody(session, born=date(START.year - 17, START.month, START.day + 1))
        silent, refusing = await somebody(session, UNKNOWN), await somebody(session, WITHDRAWN)
        unwilling = await somebody(session, email_consent=WITHDRAWN)
        await somebody(session, commune="Paris")
        lyon = await a_segment(session, "commune:Lyon")
        campaign = await political(session, await a_campaign(session, include=[lyon]))
    async with database.read() as session:
        seen = await foreseen(session, campaign)
    assert seen.advertising.targeted
    assert (seen.targeted, seen.deliveries) == (6, 2)
    assert seen.left_out == {TOO_YOUNG: 1, NOT_AGREED: 2, LeftOutReason.WITHDRAWN: 1}
    await launched(database, campaign)
    reached = {delivery.contact_id for delivery in await deliveries_of(database, campaign.id)}
    assert reached == {chosen.id, turning_17.id}
    assert await left_out_of(database, campaign.id) == {
        child.id: TOO_YOUNG,
        silent.id: NOT_AGREED,
        refusing.id: NOT_AGREED,
        unwilling.id: LeftOutReason.WITHDRAWN,
    }


@pytest.mark.parametrize("nature", [Nature.CIVIC, Nature.UNSAID])
async def test_other_campaigns_reach_everybody_in_their_segment(database: Database, nature: Nature) -> None:
    async with database.write() as session:
        await somebody(session, UNKNOWN, born=date(START.year - 10, 1, 1))
        lyon = await a_segment(session, "commune:Lyon")
        campaign = await political(session, await a_campaign(session, include=[lyon]), nature)
    await launched(database, campaign)
    assert len(await deliveries_of(database, campaign.id)) == 1


async def test_the_same_message_to_the_whole_list_reaches_the_whole_list(database: Database) -> None:
    async with database.write() as session:
        await somebody(session, UNKNOWN)
        campaign = await political(session, await a_campaign(session))
        seen = await foreseen(session, campaign)
    assert (seen.advertising.exempt, seen.deliveries) == (True, 1)
    await launched(database, campaign)
    assert len(await deliveries_of(database, campaign.id)) == 1


async def test_a_message_that_differs_by_person_reaches_those_who_agreed(database: Database) -> None:
    async with database.write() as session:
        agreed, _ = await somebody(session), await somebody(session, UNKNOWN)
        version = await a_template(session, subject="{% if commune == 'Lyon' %}a{% else %}b{% endif %}")
        campaign = await political(session, await a_campaign(session, version=version))
    await launched(database, campaign)
    assert [one.contact_id for one in await deliveries_of(database, campaign.id)] == [agreed.id]


async def test_the_senders_name_and_address_are_not_the_readers(database: Database) -> None:
    async with database.write() as session:
        version = await a_template(session, subject="{% if postal_address %}a{% else %}b{% endif %}")
        campaign = await political(session, await a_campaign(session, version=version))
        assert (await foreseen(session, campaign)).advertising.exempt


async def test_a_sender_by_region_reaches_those_who_agreed_unless_place_is_free(database: Database) -> None:
    async with database.write() as session:
        for _ in range(2):
            await somebody(session, UNKNOWN)
        senders = [
            await an_identity(session),
            await an_identity(session, key="aura", territory=TerritoryKind.REGION, territory_value="84"),
        ]
        made = await a_campaign(session, senders=senders, rule=IdentityRule.TERRITORY)
        campaign = await political(session, made)
        assert (await foreseen(session, campaign)).deliveries == 0
        assert (await foreseen(session, campaign, place_is_free=True)).deliveries == 2
    done = await launched(database, campaign, place_is_free=True)
    assert done.state is CampaignState.SENDING
    assert len(await deliveries_of(database, campaign.id)) == 2


async def test_a_launch_goes_by_the_rule_it_began_with(database: Database) -> None:
    async with database.write() as session:
        await somebody(session, UNKNOWN)
        everybody = await a_segment(session, "everyone", name="Liste")
        campaign = await political(session, await a_campaign(session, include=[everybody]))
    done = await launched(database, campaign)
    async with database.write() as session:
        await a_segment(session, "commune:Lyon", name="Liste")
        assert (await foreseen(session, campaign)).deliveries == 0
        assert (await choose_for(session, done, START)).advertising.exempt
    assert done.frozen == 1


@pytest.mark.parametrize("rule", ["commune:Lyon", "everyone"])
async def test_who_takes_the_consent_back_after_the_launch_gets_nothing_chosen_any_more(
    database: Database, clock: ManualClock, rule: str
) -> None:
    async with database.write() as session:
        faithful, changing = await somebody(session), await somebody(session)
        segment = await a_segment(session, rule)
        campaign = await political(session, await a_campaign(session, include=[segment], with_seeds=False))
    await launched(database, campaign)
    async with database.write() as session:
        await record_targeting(
            session, changing.id, WITHDRAWN, source="lettre", given_at=None, now=clock.now()
        )
    transport = ScriptedTransport()
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    whole = rule == "everyone"
    assert sorted(transport.recipients) == sorted(
        str(person.email) for person in (faithful, changing)[: 1 + whole]
    )
    [row] = [one for one in await deliveries_of(database, campaign.id) if one.contact_id == changing.id]
    assert row.state is (DeliveryState.ACCEPTED if whole else DeliveryState.SUPPRESSED)
    assert whole or row.reason == "consent to targeting was withdrawn after the launch"
