"""What people may do with a campaign, and when."""

from datetime import UTC, datetime

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole
from models.errors import BadInputError, ConflictError, NotFoundError
from models.event import Event
from models.states import CampaignState, Channel, DeliveryState, EventKind, IdentityState
from scheduler.campaigns import (
    NewCampaign,
    cancel,
    create_campaign,
    instant,
    pause,
    release,
    resume,
    schedule,
    unschedule,
)
from scheduler.upkeep import finish_if_done, take_back
from store import Database, campaigns, deliveries
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.scheduler.desks import launched

NOON = datetime(2026, 3, 10, 12, 0)  # noqa: DTZ001 - a wall clock, its zone is named beside it


@pytest.mark.parametrize(
    ("local", "zone", "expected"),
    [
        ("2026-01-15T12:00", "Europe/Paris", "2026-01-15T11:00+00:00"),
        ("2026-07-15T12:00", "Europe/Paris", "2026-07-15T10:00+00:00"),
        ("2026-03-07T00:00", "America/Cayenne", "2026-03-07T03:00+00:00"),
        # The clocks go from 02:00 to 03:00: half past two does not exist and means half past three.
        ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:30+00:00"),
        # Half past two comes twice: the first of the two.
        ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30+00:00"),
    ],
)
def test_a_wall_clock_time_is_read_in_its_zone(local: str, zone: str, expected: str) -> None:
    assert instant(datetime.fromisoformat(local), zone) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("zone", ["Europe/Lutece", "", "../etc/passwd", "Europe", "x" * 400, "a\0b"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadInputError, match="no time zone"):
        instant(NOON, zone)


def test_a_time_with_an_offset_is_refused() -> None:
    with pytest.raises(BadInputError, match="offset"):
        instant(NOON.replace(tzinfo=UTC), "Europe/Paris")


async def test_a_scheduled_campaign_keeps_what_the_person_typed(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        done = await schedule(session, campaign.id, NOON, "Europe/Paris", START)
    assert done.state is CampaignState.SCHEDULED
    assert (done.local_time, done.zone) == ("2026-03-10T12:00:00", "Europe/Paris")
    assert done.starts_at == datetime(2026, 3, 10, 11, 0, tzinfo=UTC)


async def test_a_schedule_can_be_taken_away_and_given_anew(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        await schedule(session, campaign.id, NOON, "Europe/Paris", START)
        drafted = await unschedule(session, campaign.id, START)
        assert (drafted.state, drafted.starts_at) == (CampaignState.DRAFT, None)
        assert (await schedule(session, campaign.id, NOON, "UTC", START)).state is CampaignState.SCHEDULED


async def test_a_draft_cannot_be_paused(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        with pytest.raises(ConflictError, match="is draft and cannot become paused"):
            await pause(session, campaign.id, START)


async def test_a_cancelled_campaign_stays_cancelled(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        await schedule(session, campaign.id, NOON, "UTC", START)
        await cancel(session, campaign.id, START)
        with pytest.raises(ConflictError):
            await resume(session, campaign.id, START)
        with pytest.raises(ConflictError):
            await schedule(session, campaign.id, NOON, "UTC", START)


async def test_a_segment_both_included_and_excluded_is_excluded(database: Database) -> None:
    async with database.write() as session:
        segment = await a_segment(session)
        other = await a_segment(session, "commune:Lyon")
        campaign = await a_campaign(session, include=[segment, other], exclude=[segment])
        roles = {found.id: role for found, role in await campaigns.segments_of(session, campaign.id)}
    assert roles == {segment.id: AudienceRole.EXCLUDE, other.id: AudienceRole.INCLUDE}


async def test_a_campaign_takes_the_channel_of_its_template(database: Database) -> None:
    async with database.write() as session:
        version = await a_template(session, channel=Channel.SMS)
        assert (await a_campaign(session, version=version)).channel is Channel.SMS


async def test_an_identity_without_an_address_for_the_channel_is_refused(database: Database) -> None:
    async with database.write() as session:
        mute = await an_identity(session, sms_sender=None)
        version = await a_template(session, channel=Channel.SMS)
        with pytest.raises(BadInputError, match="cannot send sms"):
            await a_campaign(session, version=version, senders=[mute])


async def test_a_suspended_identity_is_refused(database: Database) -> None:
    async with database.write() as session:
        suspended = await an_identity(session, state=IdentityState.SUSPENDED)
        with pytest.raises(BadInputError, match="suspended"):
            await a_campaign(session, senders=[suspended])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": " "}, "name"),
        ({"include": []}, "segment"),
        ({"identity_ids": []}, "identity"),
    ],
)
async def test_a_campaign_without_one_of_its_parts_is_refused(
    database: Database, change: dict[str, object], match: str
) -> None:
    async with database.write() as session:
        whole: dict[str, object] = {
            "name": "Campagne",
            "template_version_id": (await a_template(session)).id,
            "include": [(await a_segment(session)).id],
            "identity_ids": [(await an_identity(session)).id],
        }
        with pytest.raises(BadInputError, match=match):
            await create_campaign(session, NewCampaign(**{**whole, **change}), START)  # type: ignore[arg-type]


async def test_a_part_that_does_not_exist_is_named(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(NotFoundError, match="template version number 99"):
            await create_campaign(
                session, NewCampaign(name="x", template_version_id=99, include=[1], identity_ids=[1]), START
            )


@pytest.mark.parametrize("year", [1, 9999])
def test_a_moment_beyond_the_calendar_is_refused(year: int) -> None:
    edge = datetime(1, 1, 1) if year == 1 else datetime(9999, 12, 31, 23, 59)  # noqa: DTZ001 - as above
    with pytest.raises(BadInputError, match="beyond the calendar"):
        instant(edge, "Asia/Tokyo" if year == 1 else "America/Cayenne")


async def test_a_large_campaign_is_cancelled_bit_by_bit_and_each_delivery_told_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BITE", 10)
    async with database.write() as session:
        for _ in range(25):
            await a_contact(session)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    async with database.write() as session:
        await cancel(session, campaign.id, START)
        counts = await campaigns.progress(session, campaign.id)
    assert counts == {DeliveryState.CANCELLED: 10, DeliveryState.QUEUED: 15}
    clock = ManualClock()
    while await take_back(database, clock):
        pass
    async with database.read() as session:
        counts = await campaigns.progress(session, campaign.id)
        told = (await session.exec(select(Event).where(Event.kind == EventKind.CANCELLED))).all()
    assert counts == {DeliveryState.CANCELLED: 25}
    assert len({event.delivery_id for event in told}) == len(told) == 25


async def test_only_a_campaign_under_way_has_something_to_release(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        with pytest.raises(ConflictError, match="nothing of it can be released"):
            await release(session, campaign.id, START)


async def test_a_pause_in_the_moment_of_the_end_is_the_persons_word(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    real = campaigns.progress

    async def pause_first(session: AsyncSession, campaign_id: int) -> dict[DeliveryState, int]:
        await pause(session, campaign_id, START)
        return await real(session, campaign_id)

    monkeypatch.setattr(campaigns, "progress", pause_first)
    await finish_if_done(database, campaign.id, ManualClock())
    async with database.read() as session:
        seen = await campaigns.get_campaign(session, campaign.id)
    assert (seen.state, seen.finished_at) == (CampaignState.PAUSED, None)
