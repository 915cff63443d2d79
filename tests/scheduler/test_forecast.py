"""When a campaign will be over: foretold, and then played with the very limits that senders wait for."""

import heapq
import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.identity import Identity, TerritoryKind
from models.pace import BreakerState, LimitScope, MailDomain, Measure, Throttle, Warmup, WarmupState
from models.states import Channel, IdentityRule, IdentityState
from models.tokens import Tokens
from scheduler.calendar import UsualWindows, read_sending_windows
from scheduler.campaigns import parts_of, pause, schedule, update_campaign
from scheduler.dispatch import Dispatcher, DispatchOptions
from scheduler.expansion import launch
from scheduler.forecast import Forecast, ForecastOptions, forecast
from scheduler.letters import Addresses
from scheduler.outages import Outages, Way
from scheduler.pacer import Pacer
from scheduler.pacing import Pace
from scheduler.rhythm import Rhythm
from scheduler.warming import complete_plans
from store import Database, campaigns, mail_domains, warmups
from store.deliveries import Lane
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, a_campaign, a_contact, a_template, an_identity
from tests.scheduler.desks import ScriptedTransport, drain_all, launched
from tests.scheduler.paces import set_limit

PARIS = "Europe/Paris"
PACE = Pace(emails_per_second=2.0, providers={"gmail": 2.0, "orange": 0.5, "free": 0.25})
OPTIONS = ForecastOptions(PACE, Rhythm(zone=PARIS))
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


async def people(
    session: AsyncSession, places: Mapping[str, int], *, departement: str = "13", region: str = "93"
) -> None:
    for domain, count in places.items():
        for number in range(count):
            await a_contact(session, email=f"p{number}@{domain}", departement=departement, region=region)


async def foretold(
    database: Database,
    campaign: Campaign,
    now: datetime = START,
    options: ForecastOptions = OPTIONS,
    *,
    starts_at: datetime | None = None,
) -> Forecast:
    async with database.read() as session:
        return await forecast(session, campaign.id, now, options, starts_at=starts_at)


async def change(database: Database, campaign: Campaign, **changes: object) -> None:
    async with database.write() as session:
        found = await campaigns.get_campaign(session, campaign.id)
        wanted = replace(await parts_of(session, found), **changes)  # type: ignore[arg-type]
        await update_campaign(session, campaign.id, wanted, START)


async def play(
    database: Database, identity: Identity, counts: Mapping[str, int], options: ForecastOptions = OPTIONS
) -> dict[str, datetime]:
    """When each lane is empty if senders take turns with the real pacer, on a clock that jumps."""
    clock = ManualClock()
    pacer = Pacer(
        database,
        clock,
        pace=options.pace,
        span=2 * SECOND,
        outages=Outages(options.zone),
        zone=options.zone,
    )
    left = dict(counts)
    ends: dict[str, datetime] = {}
    ticket = itertools.count()
    turns = [(START, next(ticket), provider) for provider in counts]
    while turns:
        at, _, provider = heapq.heappop(turns)
        clock.advance(at - clock.now())
        permit = await pacer.permit(Lane(identity.id, provider), identity, Channel.EMAIL, Way(Channel.EMAIL))
        if permit.opens_at is not None and permit.opens_at > at + 10 * SECOND:
            heapq.heappush(turns, (permit.opens_at, next(ticket), provider))
            continue
        moments = await pacer.reserve(permit, min(permit.batch, left[provider]))
        left[provider] -= len(moments)
        following = moments[-1] if moments else at + SECOND
        if left[provider]:
            heapq.heappush(turns, (following, next(ticket), provider))
        else:
            ends[provider] = following
    await pacer.close()
    return ends


def assert_near(told: Forecast, truth: Mapping[str, datetime], *, seconds: float = 10) -> None:
    """Within a tenth of the time it took."""
    for part in told.providers:
        took = (truth[part.provider] - START).total_seconds()
        assert part.finishes_at is not None
        assert (part.finishes_at - START).total_seconds() == pytest.approx(took, rel=0.1, abs=seconds), part
    longest = max(truth.values()) - START
    assert told.finishes_at is not None
    assert (told.finishes_at - START).total_seconds() == pytest.approx(longest.total_seconds(), rel=0.1)


async def test_the_forecast_is_what_the_senders_then_do(database: Database) -> None:
    places = {"gmail.com": 300, "orange.fr": 100, "free.fr": 20}
    async with database.write() as session:
        await people(session, places)
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    before = await foretold(database, campaign)
    await launched(database, campaign.id)
    running = await foretold(database, campaign)
    truth = await play(database, identity, {"gmail": 300, "orange": 100, "free": 20})
    for told in (before, running):
        assert [(part.provider, part.messages) for part in told.providers] == [
            ("gmail", 300),
            ("orange", 100),
            ("free", 20),
        ]
        assert told.missed == 0
        assert_near(told, truth)


async def test_days_of_a_plan_and_limits_of_an_hour_are_foreseen(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 90, "orange.fr": 130})
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
        await warmups.add_plans(session, [a_plan(identity, cap=40)])
    await set_limit(database, LimitScope.PROVIDER, "gmail", Measure.PER_HOUR, 25)
    told = await foretold(database, campaign)
    # 25 in each of three hours and 15 in the fourth; 40 today, 60 tomorrow, 30 the day after.
    by_provider = {part.provider: part.finishes_at for part in told.providers}
    assert by_provider["gmail"] == pytest.approx(START + 3 * HOUR, abs=2 * timedelta(minutes=1))
    assert by_provider["orange"] == pytest.approx(
        datetime(2026, 3, 11, 23, 1, tzinfo=UTC), abs=timedelta(minutes=1)
    )
    (cold,) = told.cold
    assert (cold.identity_key, cold.provider, cold.messages, cold.cap) == ("national", "orange", 130, 40)
    assert cold.warm_on == date(2026, 3, 13)


def a_plan(identity: Identity, *, cap: int, target: int = 10_000) -> Warmup:
    return Warmup(
        identity_id=identity.id,
        provider="orange",
        state=WarmupState.RISING,
        day=date(2026, 3, 10),
        cap=cap,
        target=target,
        started_at=START,
        changed_at=START,
    )


async def test_the_first_day_of_a_plan_is_played_as_foretold(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 60})
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
        # Tomorrow nobody steps the plan here: until somebody does, half of it is allowed.
        await warmups.add_plans(session, [a_plan(identity, cap=40, target=40)])
    told = await foretold(database, campaign)
    assert_near(told, await play(database, identity, {"orange": 60}))


async def test_who_rests_is_waited_for(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 50})
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
        session.add(
            Throttle(
                key="provider:orange",
                state=BreakerState.OPEN,
                factor=0.5,
                opens_at=START + HOUR,
                changed_at=START,
            )
        )
    told = await foretold(database, campaign)
    assert told.finishes_at == pytest.approx(START + HOUR + 200 * SECOND, abs=5 * SECOND)


async def test_what_would_miss_the_deadline_is_told_and_when_to_start_instead(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 100, "orange.fr": 300})
        identity = await an_identity(session, emails_per_second=10)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    deadline = START + 2 * HOUR
    await change(database, campaign, not_after=deadline)
    # 300 at one in two seconds take ten minutes; five before the deadline half of them are too many.
    told = await foretold(database, campaign, starts_at=deadline - timedelta(minutes=5))
    assert told.missed == pytest.approx(150, abs=5)
    missed = {part.provider: part.missed for part in told.providers}
    assert missed["gmail"] == 0
    assert told.latest_start is not None
    latest = deadline - timedelta(minutes=10)
    assert latest - timedelta(minutes=7) <= told.latest_start <= latest
    assert (await foretold(database, campaign, starts_at=told.latest_start)).missed == 0
    too_late = await foretold(database, campaign, deadline - timedelta(minutes=4))
    assert too_late.latest_start is None
    assert too_late.missed == pytest.approx(180, abs=5)


async def test_windows_are_those_of_the_recipients(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 10}, departement="69")
        await people(session, {"orange.fr": 10}, departement="973")
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    # Ten in the morning in Paris, six in Cayenne.
    windows = UsualWindows(email=read_sending_windows("daily 08:00-20:00"))
    options = ForecastOptions(PACE, Rhythm(windows=windows, zone=PARIS))
    told = await foretold(database, campaign, options=options)
    by_provider = {part.provider: part.finishes_at for part in told.providers}
    assert by_provider["gmail"] == pytest.approx(START + 5 * SECOND, abs=SECOND)
    assert by_provider["orange"] == pytest.approx(START + 2 * HOUR + 20 * SECOND, abs=SECOND)
    await change(database, campaign, windows=read_sending_windows("always"))
    assert (await foretold(database, campaign, options=options)).finishes_at == pytest.approx(
        START + 20 * SECOND, abs=2 * SECOND
    )


async def test_campaigns_under_way_share_their_lanes(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 100})
        identity = await an_identity(session, emails_per_second=None)
        first = await a_campaign(session, senders=[identity], with_seeds=False)
        second = await a_campaign(session, senders=[identity], with_seeds=False)
    await launched(database, first.id)
    told = await foretold(database, second)
    assert told.finishes_at == pytest.approx(START + 400 * SECOND, abs=5 * SECOND)
    await change(database, second, urgent=True)
    told = await foretold(database, second)
    assert told.finishes_at == pytest.approx(START + 200 * SECOND, abs=5 * SECOND)
    async with database.write() as session:
        await pause(session, first.id, START)
    assert (await foretold(database, first)).messages == 100


async def test_a_scheduled_campaign_begins_at_its_moment(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 30})
        campaign = await a_campaign(session, with_seeds=False)
        await schedule(session, campaign.id, datetime.fromisoformat("2026-03-12T18:00"), PARIS, START)
    told = await foretold(database, campaign)
    assert told.starts_at == datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
    assert told.finishes_at == pytest.approx(told.starts_at + 60 * SECOND, abs=2 * SECOND)


async def test_identities_share_people_as_the_campaign_says(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 20}, departement="69", region="84")
        await people(session, {"orange.fr": 20}, departement="13", region="93")
        everywhere = await an_identity(session)
        rhone = await an_identity(
            session, key="rhone", territory=TerritoryKind.DEPARTEMENT, territory_value="69"
        )
        campaign = await a_campaign(
            session, senders=[everywhere, rhone], rule=IdentityRule.TERRITORY, with_seeds=False
        )
        await warmups.add_plans(session, [a_plan(everywhere, cap=5), a_plan(rhone, cap=5)])
    told = await foretold(database, campaign)
    assert [(cold.identity_key, cold.messages) for cold in told.cold] == [("national", 20)]
    await change(database, campaign, identity_rule=IdentityRule.ROTATE)
    told = await foretold(database, campaign)
    assert {(cold.identity_key, cold.messages) for cold in told.cold} == {("national", 10), ("rhone", 10)}


async def test_text_messages_have_a_lane_of_their_own(database: Database) -> None:
    async with database.write() as session:
        for number in range(30):
            await a_contact(session, email=None, phone=f"+3361234{number:04}")
        version = await a_template(session, channel=Channel.SMS)
        identity = await an_identity(session)
        identity.sms_per_second = 1
        session.add(identity)
        campaign = await a_campaign(session, version=version, senders=[identity])
    told = await foretold(database, campaign)
    assert [(part.provider, part.messages) for part in told.providers] == [("sms", 30)]
    assert told.finishes_at == pytest.approx(START + 30 * SECOND, abs=2 * SECOND)


async def test_while_it_is_launched_its_audience_is_counted_as_before(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 40})
        campaign = await a_campaign(session, with_seeds=False)
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
    before = await foretold(database, campaign)
    async with database.write() as session:
        assert await campaigns.begin_launch(session, campaign.id, START)
    assert before.messages == 40
    assert await foretold(database, campaign) == before
    await launch(database, campaign.id, START, language="fr")
    assert (await foretold(database, campaign)).messages == 40


async def test_nobody_to_write_to_is_over_at_once(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
    told = await foretold(database, campaign)
    assert (told.messages, told.finishes_at, told.missed) == (0, None, 0)


async def test_the_dispatcher_keeps_what_was_foretold_over_a_night(database: Database) -> None:
    """One lane at one in two seconds, hours that end after five minutes: the rest tomorrow morning."""
    clock = ManualClock()
    windows = UsualWindows(email=read_sending_windows("daily 08:00-10:05"))
    options = ForecastOptions(PACE, Rhythm(windows=windows, zone=PARIS))
    async with database.write() as session:
        await people(session, {"orange.fr": 200})
        campaign = await a_campaign(session, with_seeds=False)
    await launched(database, campaign.id)
    told = await foretold(database, campaign, options=options)
    transport = ScriptedTransport(clock=clock)
    dispatcher = Dispatcher(
        database,
        clock,
        transports={Channel.EMAIL: transport},
        addresses=Addresses(Tokens(KEYRING), "https://tocsin.exemple.fr"),
        keyring=KEYRING,
        options=DispatchOptions(pace=PACE, windows=windows, zone=PARIS),
    )
    while len(transport.sent) < 200:
        await drain_all(database, dispatcher, clock.now())
        clock.advance(timedelta(minutes=10))
    await dispatcher.close()
    took = transport.moments[-1] - START
    assert timedelta(hours=21) < took < timedelta(hours=24)
    assert told.finishes_at is not None
    assert (told.finishes_at - START).total_seconds() == pytest.approx(took.total_seconds(), rel=0.02)
    # What left on the first evening is what was to leave on it, within a tenth.
    first_day = sum(moment < START + HOUR for moment in transport.moments)
    assert first_day == pytest.approx(150, rel=0.1)


async def test_what_has_left_of_a_day_s_cap_is_gone(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 35})
        identity = await an_identity(session, emails_per_second=None)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
        await warmups.add_plans(session, [a_plan(identity, cap=40)])
    assert (await foretold(database, campaign)).finishes_at == pytest.approx(
        START + 70 * SECOND, abs=5 * SECOND
    )
    await play(database, identity, {"orange": 25})
    # 15 more today, the others after midnight in Paris.
    told = await foretold(database, campaign, START + HOUR)
    assert told.finishes_at == pytest.approx(datetime(2026, 3, 10, 23, 0, 40, tzinfo=UTC), abs=5 * SECOND)


async def test_plans_that_the_launch_will_begin_are_foreseen(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"orange.fr": 35, "gmail.com": 5})
        identity = await an_identity(session, emails_per_second=None, state=IdentityState.WARMING)
        campaign = await a_campaign(session, senders=[identity], with_seeds=False)
    told = await foretold(database, campaign)
    assert [(cold.provider, cold.cap, cold.messages) for cold in told.cold] == [("orange", 20, 35)]
    await complete_plans(database, ManualClock(), zone=PARIS)
    assert await foretold(database, campaign) == told
    assert told.finishes_at == pytest.approx(datetime(2026, 3, 10, 23, 0, 30, tzinfo=UTC), abs=5 * SECOND)


async def test_a_draft_is_foreseen_by_the_mail_exchangers_that_are_known(database: Database) -> None:
    async with database.write() as session:
        await people(session, {"gmail.com": 3, "mairie-exemple.fr": 4, "asso-exemple.fr": 5})
        campaign = await a_campaign(session)
        known = MailDomain(
            domain="mairie-exemple.fr", provider="gmail", looked_up_at=START, expires_at=START + HOUR
        )
        await mail_domains.remember(session, [known])
    parts = (await foretold(database, campaign, START + 2 * HOUR)).providers
    assert {part.provider: part.messages for part in parts} == {"gmail": 7, "other": 5}
