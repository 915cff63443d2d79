"""What people may do with a campaign, and when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole
from models.errors import BadInputError, ConflictError, NotFoundError
from models.event import Event
from models.states import (
    CampaignState,
    Channel,
    DeliveryState,
    EventKind,
    IdentityState,
    LatePolicy,
    LegalBasis,
    Purpose,
)
from scheduler.calendar import read_sending_windows
from scheduler.campaigns import (
    NewCampaign,
    cancel,
    create_campaign,
    instant,
    parts_of,
    pause,
    release,
    resume,
    schedule,
    unschedule,
    update_campaign,
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
        with pytest.raises(ConflictError, match="is draft already"):
            await unschedule(session, campaign.id, START)
        with pytest.raises(ConflictError, match="is draft and cannot become paused"):
            await pause(session, campaign.id, START)


@pytest.mark.parametrize("following", [CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.FINISHED])
async def test_only_what_was_paused_goes_on(database: Database, following: CampaignState) -> None:
    """A draft that went on would be scheduled past the checks that stand before every launch."""
    async with database.write() as session:
        campaign = await a_campaign(session)
        campaign.state = following
        await session.flush()
        with pytest.raises(ConflictError, match="not paused: nothing to go on with"):
            await resume(session, campaign.id, START)
        assert campaign.state is following


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


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (IdentityState.SUSPENDED, "'national' is suspended"),
        (IdentityState.DNS_PENDING, "'national' is not confirmed yet"),
    ],
)
async def test_a_campaign_is_not_scheduled_while_its_identity_may_not_send(
    database: Database, state: IdentityState, said: str
) -> None:
    async with database.write() as session:
        sender = await an_identity(session, state=state)
        campaign = await a_campaign(session, senders=[sender])
        with pytest.raises(ConflictError, match=said):
            await schedule(session, campaign.id, NOON, "Europe/Paris", START)
        assert (await campaigns.get_campaign(session, campaign.id)).state is CampaignState.DRAFT
        sender.state = IdentityState.CONFIRMED
        session.add(sender)
        await session.flush()
        assert (await schedule(session, campaign.id, NOON, "Europe/Paris", START)).state == "scheduled"


async def test_a_retired_identity_is_refused(database: Database) -> None:
    async with database.write() as session:
        retired = await an_identity(session, state=IdentityState.RETIRED)
        with pytest.raises(BadInputError, match="retired"):
            await a_campaign(session, senders=[retired])


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
    real, asked = campaigns.has_waiting, iter([False, True])

    async def pause_first(session: AsyncSession, campaign_id: int, waiting: Sequence[DeliveryState]) -> bool:
        if next(asked):
            await pause(session, campaign_id, START)
        return await real(session, campaign_id, waiting)

    monkeypatch.setattr(campaigns, "has_waiting", pause_first)
    await finish_if_done(database, campaign.id, ManualClock())
    async with database.read() as session:
        seen = await campaigns.get_campaign(session, campaign.id)
    assert (seen.state, seen.finished_at) == (CampaignState.PAUSED, None)


async def a_whole_wish(session: AsyncSession) -> NewCampaign:
    """A campaign with every option other than usual."""
    return NewCampaign(
        name="Ce soir",
        template_version_id=(await a_template(session)).id,
        include=[(await a_segment(session, "commune:Marseille")).id],
        exclude=[(await a_segment(session, "commune:Lyon")).id],
        identity_ids=[(await an_identity(session, key="ailleurs")).id],
        basis=LegalBasis.LEGITIMATE_INTEREST,
        with_seeds=False,
        zone="Indian/Reunion",
        urgent=True,
        not_after=START + timedelta(hours=8),
        late_policy=LatePolicy.SKIP,
        late_minutes=5,
        windows=read_sending_windows("mon-fri 09:00-20:00"),
    )


async def test_a_draft_can_be_changed_in_every_part(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        wanted = await a_whole_wish(session)
        changed = await update_campaign(session, campaign.id, wanted, START)
        assert await parts_of(session, changed) == wanted
    async with database.read() as session:
        found = await campaigns.get_campaign(session, campaign.id)
        assert await parts_of(session, found) == wanted
        assert found.state is CampaignState.DRAFT


async def test_what_is_scheduled_or_under_way_is_not_changed(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        await schedule(session, campaign.id, NOON, "UTC", START)
        wanted = replace(await parts_of(session, campaign), name="Autre")
        with pytest.raises(ConflictError, match=r"is scheduled: it cannot be changed.*schedule away"):
            await update_campaign(session, campaign.id, wanted, START)
        await unschedule(session, campaign.id, START)
    await launched(database, campaign.id)
    async with database.write() as session:
        with pytest.raises(ConflictError, match="is sending: it cannot be changed any more"):
            await update_campaign(session, campaign.id, wanted, START)
        assert (await campaigns.get_campaign(session, campaign.id)).name != "Autre"


async def test_a_blocked_campaign_can_be_mended(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, first_name=None)
        campaign = await a_campaign(session)
    await launched(database, campaign.id)
    async with database.write() as session:
        found = await campaigns.get_campaign(session, campaign.id)
        assert found.state is CampaignState.BLOCKED
        version = await a_template(session, fallbacks={"first_name": "vous"})
        wanted = replace(await parts_of(session, found), template_version_id=version.id)
        await update_campaign(session, campaign.id, wanted, START)
    await launched(database, campaign.id)
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, campaign.id)).state is CampaignState.SENDING


async def test_a_change_that_does_not_fit_changes_nothing(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        before = await parts_of(session, campaign)
    for wanted in (
        replace(before, name=" "),
        replace(before, include=[]),
        replace(before, not_after=START),
        replace(before, late_minutes=-1),
    ):
        with pytest.raises(BadInputError):
            async with database.write() as session:
                await update_campaign(session, campaign.id, wanted, START)
    async with database.read() as session:
        assert await parts_of(session, await campaigns.get_campaign(session, campaign.id)) == before


async def test_only_who_may_writes_past_the_limits_on_frequency(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        wanted = replace(await parts_of(session, campaign), purpose=Purpose.TRANSACTIONAL)
        for refused in (
            create_campaign(session, wanted, START),
            update_campaign(session, campaign.id, wanted, START),
        ):
            with pytest.raises(BadInputError, match="Only an administrator"):
                await refused
        exempted = await update_campaign(session, campaign.id, wanted, START, may_exempt=True)
        assert exempted.purpose is Purpose.TRANSACTIONAL
        renamed = await update_campaign(session, campaign.id, replace(wanted, name="Reçus"), START)
        assert (renamed.name, renamed.purpose) == ("Reçus", Purpose.TRANSACTIONAL)


async def test_a_campaign_cannot_begin_after_its_deadline(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        wanted = replace(await parts_of(session, campaign), not_after=START + timedelta(hours=2))
        await update_campaign(session, campaign.id, wanted, START)
        with pytest.raises(BadInputError, match="over before it begins"):
            await schedule(session, campaign.id, NOON, "Europe/Paris", START)
        assert (await schedule(session, campaign.id, NOON, "Europe/Athens", START)).starts_at
