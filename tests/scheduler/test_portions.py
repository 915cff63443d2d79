"""A campaign whose lanes have used up a day or an hour says so, and until when."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.delivery import Delivery
from models.identity import Identity
from models.pace import LimitScope, Measure, PaceLimit, Warmup, WarmupState
from models.states import CampaignState, DeliveryState
from scheduler.pacing import Pace
from scheduler.portions import tell_used_up
from store import Database, campaigns, limits
from tests.clocks import START, ManualClock
from tests.scheduler.ledgers import a_running_campaign
from tests.scheduler.paces import a_pacer, permit_of
from web.borrowed import say_borrowed
from web.i18n import Tongue

FRENCH = Tongue("fr", ZoneInfo("Europe/Paris"))


async def told(database: Database, clock: ManualClock, number: int) -> list[str]:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, number)
        return list(await tell_used_up(session, campaign, Pace(), clock.now(), "Europe/Paris"))


async def use(database: Database, clock: ManualClock, identity: int, count: int) -> None:
    """Let so many messages to Gmail leave, as the pacer counts them."""
    pacer = a_pacer(database, clock)
    for _ in range(count):
        permit = await permit_of(pacer, "gmail", identity=identity)
        assert len(await pacer.reserve(permit, 1)) == 1
    await pacer.close()


async def sender_of(database: Database) -> Identity:
    async with database.read() as session:
        return (await session.exec(select(Identity))).one()


async def a_plan(database: Database, identity: int, cap: int) -> None:
    async with database.write() as session:
        session.add(
            Warmup(
                identity_id=identity,
                provider="gmail",
                state=WarmupState.RISING,
                day=START.date(),
                cap=cap,
                target=500,
                started_at=START,
                changed_at=START,
            )
        )


@pytest.mark.parametrize(
    ("cap", "english", "french"),
    [
        (1, "the 1 message of today is used up", "le message d’aujourd’hui est parti"),
        (2, "the 2 messages of today are used up", "les 2 messages d’aujourd’hui sont partis"),
    ],
)
async def test_a_warm_up_s_day_that_is_used_up_is_told_until_midnight(
    database: Database, clock: ManualClock, cap: int, english: str, french: str
) -> None:
    number = await a_running_campaign(database, "a@gmail.com", "b@sfr.fr")
    sender = await sender_of(database)
    await a_plan(database, sender.id, cap)
    assert await told(database, clock, number) == []
    await use(database, clock, sender.id, cap)
    (sentence,) = await told(database, clock, number)
    assert sentence == (
        f"{sender.name} is getting known at Gmail: {english}, the next may leave from 11/03 00:00."
    )
    said = say_borrowed(FRENCH, sentence)
    assert said == (
        f"{sender.name} se fait connaître chez Gmail\u00a0: {french}\u202f;"
        " prochain départ\u00a0: 11/03 00:00."
    )
    clock.advance(timedelta(days=1))
    assert await told(database, clock, number) == []


@pytest.mark.parametrize(
    ("scope", "subject", "whom"),
    [
        (LimitScope.PROVIDER, "gmail", "Gmail"),
        (LimitScope.IDENTITY, "{identity}", "{name}"),
        (LimitScope.LANE, "{identity}:gmail", "{name}, Gmail"),
        (LimitScope.RELAY, "email", "everything together"),
    ],
)
async def test_a_limit_that_is_used_up_is_told_with_whom_it_is_about(
    database: Database, clock: ManualClock, scope: LimitScope, subject: str, whom: str
) -> None:
    number = await a_running_campaign(database, "a@gmail.com")
    sender = await sender_of(database)
    async with database.write() as session:
        await limits.set_limit(
            session,
            PaceLimit(
                scope=scope,
                subject=subject.format(identity=sender.id),
                measure=Measure.PER_HOUR,
                amount=2,
                changed_at=START,
            ),
        )
    await use(database, clock, sender.id, 2)
    (sentence,) = await told(database, clock, number)
    name = whom.format(name=sender.name)
    assert sentence == (
        f"The limit of 2 messages an hour ({name}) is used up, the next may leave from 11:00."
    )
    assert say_borrowed(FRENCH, sentence).startswith("La limite de 2 messages par heure (")
    clock.advance(timedelta(hours=1))
    assert await told(database, clock, number) == []


async def test_nothing_is_told_where_nothing_waits_or_nothing_is_being_sent(
    database: Database, clock: ManualClock
) -> None:
    number = await a_running_campaign(database, "a@gmail.com", "b@sfr.fr")
    sender = await sender_of(database)
    await a_plan(database, sender.id, 1)
    await use(database, clock, sender.id, 1)
    assert await told(database, clock, number) != []
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, number)
        campaign.state = CampaignState.PAUSED
        session.add(campaign)
    assert await told(database, clock, number) == []
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, number)
        campaign.state = CampaignState.SENDING
        session.add(campaign)
        gone = sa.update(Delivery).where(sa.column("provider") == "gmail")
        await session.exec(gone.values(state=DeliveryState.ACCEPTED))
    assert await told(database, clock, number) == []
