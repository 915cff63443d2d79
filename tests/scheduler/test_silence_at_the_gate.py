"""What was queued before a vote does not leave in its silence: late, retried, resumed, or not foreseen."""

from collections.abc import Collection
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.errors import BadInputError, ConflictError
from models.event import Event
from models.states import CampaignState, Channel, DeliveryState, EventKind, Nature, Purpose
from models.values import Deferred, Reply, SmsEnvelope
from scheduler.campaigns import pause, resume
from scheduler.upkeep import take_back
from scheduler.vigil import Vigil
from scheduler.waivers import agree_to_waiver, ask_waiver, lifted_among, refuse_waiver
from store import Database, elections
from store.claims import ClaimedDelivery
from store.election_calendar import take_away
from tests.clocks import ManualClock
from tests.factories import a_seed, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.program_desks import Desk
from tests.scheduler.voting import (
    CLOSED,
    MAINLAND_CUT,
    MARTINIQUE_CUT,
    a_bound_campaign,
    a_person,
    at,
    deliveries_by_address,
    entered,
    launched_at,
)

S = DeliveryState
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LATER = Deferred(Reply(451, "4.7.1", "later"))
EVE = at("2026-03-14 00:00")


async def two_people(
    database: Database,
    clock: ManualClock,
    *,
    nature: Nature = Nature.POLITICAL,
    channel: Channel = Channel.EMAIL,
    with_seeds: bool = False,
) -> int:
    """A campaign under way to one of Paris and one of Martinique."""
    async with database.write() as session:
        await a_person(session, "paris", departement="75", phone="+33612345678")
        await a_person(session, "martinique", departement="972", phone="+596696123456")
        sender = await an_identity(session)
        made = await a_bound_campaign(session, sender, nature=nature, channel=channel, with_seeds=with_seeds)
    await launched_at(database, clock, made.id)
    return made.id


async def drained(database: Database, clock: ManualClock, transport: ScriptedTransport) -> list[str]:
    """Everything due has had its turn; to whom something has left until now."""
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    return sorted(address.partition("@")[0] for address in transport.recipients)


async def test_a_vote_entered_after_the_launch_stops_what_is_queued(
    database: Database, clock: ManualClock
) -> None:
    number = await two_people(database, clock)
    clock.advance(MARTINIQUE_CUT - clock.now())
    await entered(database)
    transport = ScriptedTransport()
    assert await drained(database, clock, transport) == ["paris"]
    found = (await deliveries_by_address(database))["martinique"]
    assert found.state is S.EXPIRED
    assert found.reason == "election silence from 2026-03-13 00:00 (Municipales)"
    async with database.read() as session:
        [event] = (await session.exec(select(Event).where(col(Event.kind) == EventKind.EXPIRED))).all()
        assert await elections.stopped_in_silence(session, number) == 1
    assert event.text == found.reason


async def test_it_is_told_since_when_there_is_silence(database: Database, clock: ManualClock) -> None:
    await two_people(database, clock)
    await entered(database)
    clock.advance(EVE - clock.now())
    assert await drained(database, clock, ScriptedTransport()) == []
    found = await deliveries_by_address(database)
    assert found["paris"].reason == "election silence since 2026-03-14 00:00 (Municipales)"


@pytest.mark.parametrize("nature", [Nature.CIVIC, Nature.UNSAID, Nature.POLITICAL])
async def test_only_civic_campaigns_pass_the_gate_in_silence(
    database: Database, clock: ManualClock, nature: Nature
) -> None:
    await two_people(database, clock, nature=nature)
    await entered(database)
    clock.advance(CLOSED - SECOND - clock.now())
    left = ["martinique", "paris"] if nature is Nature.CIVIC else []
    assert await drained(database, clock, ScriptedTransport()) == left


async def test_what_waits_leaves_once_the_polls_have_closed(database: Database, clock: ManualClock) -> None:
    """Nobody looked while there was silence: a vote entered late stops only what would leave within it."""
    await two_people(database, clock)
    await entered(database)
    clock.advance(CLOSED - clock.now())
    assert await drained(database, clock, ScriptedTransport()) == ["martinique", "paris"]


async def test_a_try_that_would_come_too_late_is_the_last(database: Database, clock: ManualClock) -> None:
    await entered(database)
    number = await two_people(database, clock)
    clock.advance(MAINLAND_CUT - 14 * MINUTE - clock.now())
    transport = ScriptedTransport(answers={"paris@gmail.com": LATER})
    await drained(database, clock, transport)
    found = await deliveries_by_address(database)
    assert found["paris"].state is S.EXPIRED
    async with database.read() as session:
        assert await elections.stopped_in_silence(session, number) == 2


async def test_tries_are_over_by_the_cut_off_of_a_vote_nobody_knew_at_the_launch(
    database: Database, clock: ManualClock
) -> None:
    await two_people(database, clock)
    await entered(database)
    clock.advance(MAINLAND_CUT - 14 * MINUTE - clock.now())
    await drained(database, clock, ScriptedTransport(answers={"paris@gmail.com": LATER}))
    assert (await deliveries_by_address(database))["paris"].state is S.EXPIRED


async def test_what_was_paused_over_the_cut_off_stays_here_and_says_why(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database, clock)
    async with database.write() as session:
        await pause(session, number, clock.now())
    clock.advance(CLOSED + HOUR - clock.now())
    async with database.write() as session:
        await resume(session, number, clock.now())
    assert await drained(database, clock, ScriptedTransport()) == []
    found = await deliveries_by_address(database)
    assert {row.state for row in found.values()} == {S.EXPIRED}
    assert found["paris"].reason == "election silence since 2026-03-14 00:00 (Municipales)"
    assert found["martinique"].reason == "election silence since 2026-03-13 00:00 (Municipales)"


async def test_the_sweep_tells_the_vote_from_the_campaigns_own_deadline(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database, clock)
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(not_after=MAINLAND_CUT - HOUR))
        paris = col(Delivery.address) == "paris@gmail.com"
        await session.exec(sa.update(Delivery).where(paris).values(not_after=MAINLAND_CUT - HOUR))
    clock.advance(EVE - clock.now())
    await take_back(database, clock)
    found = await deliveries_by_address(database)
    assert found["paris"].reason == "its time had passed"
    assert found["martinique"].reason == elections.CUT_OFF
    async with database.read() as session:
        assert await elections.stopped_in_silence(session, number) == 1


async def test_a_text_message_is_valid_until_the_cut_off_at_the_latest(
    database: Database, clock: ManualClock
) -> None:
    await two_people(database, clock, channel=Channel.SMS)
    await entered(database)
    clock.advance(MARTINIQUE_CUT - HOUR - clock.now())
    transport = ScriptedTransport(Channel.SMS)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    valid = {one.recipient: one.validity for one in transport.sent if isinstance(one, SmsEnvelope)}
    # That of Paris outlasts the ten hours that are known of text messages.
    assert valid == {"+596696123456": HOUR, "+33612345678": timedelta(seconds=36_000)}


async def test_seeds_pass_in_silence(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await a_seed(session)
    await two_people(database, clock, with_seeds=True)
    await entered(database)
    clock.advance(EVE - clock.now())
    assert await drained(database, clock, ScriptedTransport()) == ["seed"]


@pytest.mark.parametrize(
    ("purpose", "state"), [(Purpose.CAMPAIGN, S.EXPIRED), (Purpose.TRANSACTIONAL, S.ACCEPTED)]
)
async def test_what_programs_ask_for_obeys_national_votes_unless_it_is_a_receipt(
    database: Database, clock: ManualClock, purpose: Purpose, state: DeliveryState
) -> None:
    desk = await Desk(database, clock).open()
    await entered(database)
    async with database.write() as session:
        await a_person(session, "paris", departement="75")
    clock.advance(EVE - clock.now())
    await desk.ask(desk.wish("paris@gmail.com", purpose=purpose))
    await desk.drain(ScriptedTransport())
    assert [row.state for row in await desk.rows()] == [state]


async def test_the_deadlines_that_programs_give_are_theirs_and_no_votes(
    database: Database, clock: ManualClock
) -> None:
    desk = await Desk(database, clock).open()
    day = await entered(database)
    until = clock.now() + HOUR
    async with database.write() as session:
        await a_person(session, "paris", departement="75")
    await desk.ask(desk.wish("paris@gmail.com", purpose=Purpose.CAMPAIGN, expires_at=until))
    async with database.write() as session:
        await take_away(session, day.id, by="ana", reason="It was the wrong year.", now=clock.now())
    assert [row.not_after for row in await desk.rows()] == [until]
    clock.advance(2 * HOUR)
    await take_back(database, clock)
    [row] = await desk.rows()
    assert (row.state, row.reason) == (S.EXPIRED, "its time had passed")
    async with database.read() as session:
        assert await elections.stopped_in_silence(session, row.campaign_id) == 0


async def test_of_somebody_who_is_no_contact_a_national_vote_may_be_theirs(
    database: Database, clock: ManualClock
) -> None:
    await two_people(database, clock, channel=Channel.SMS)
    await entered(database)
    strangers = [
        ClaimedDelivery.of(row)._replace(contact_id=None)
        for row in (await deliveries_by_address(database)).values()
    ]
    clock.advance(MARTINIQUE_CUT - clock.now())
    async with database.read() as session:
        narrowed, stopped = await Vigil().narrow(session, strangers, clock.now())
    until = {row.address: row.not_after for row in narrowed}
    assert until == {"+33612345678": MAINLAND_CUT, "+596696123456": MARTINIQUE_CUT}
    assert [row.id in stopped for row in narrowed] == [row.address[:4] == "+596" for row in narrowed]


async def test_a_vote_entered_while_messages_wait_for_a_line_calls_them_back(
    database: Database, clock: ManualClock
) -> None:
    """The gates are asked again when the lease is renewed."""
    await two_people(database, clock)
    clock.advance(MARTINIQUE_CUT - clock.now())
    dispatcher = a_dispatcher(database, ScriptedTransport(), clock)
    rows = [ClaimedDelivery.of(row) for row in (await deliveries_by_address(database)).values()]
    async with database.write() as session:
        assert await dispatcher._clearance.still_clear(session, rows, {}) == {row.id for row in rows}
    await entered(database)
    clock.advance(6 * SECOND)
    async with database.write() as session:
        clear = await dispatcher._clearance.still_clear(session, rows, {})
    found = await deliveries_by_address(database)
    assert clear == {found["paris"].id}
    await dispatcher.close()


async def test_who_asks_cannot_agree(database: Database, clock: ManualClock) -> None:
    number = await two_people(database, clock)
    async with database.write() as session:
        asked = await ask_waiver(session, number, "Ana@Parti.example", " A court orders it. ", clock.now())
    assert (asked.asked_by, asked.reason) == ("Ana@Parti.example", "A court orders it.")
    async with database.write() as session:
        for name in ("Ana@Parti.example", " ana@parti.EXAMPLE "):
            with pytest.raises(BadInputError, match="cannot agree"):
                await agree_to_waiver(session, asked.id, name, clock.now())
        assert await lifted_among(session, [number]) == set()
        agreed = await agree_to_waiver(session, asked.id, "bea@parti.example", clock.now())
        assert (agreed.agreed_by, agreed.agreed_at) == ("bea@parti.example", clock.now())
        assert await lifted_among(session, [number]) == {number}


async def test_a_waiver_is_answered_once_and_needs_a_reason_and_names(
    database: Database, clock: ManualClock
) -> None:
    number = await two_people(database, clock)
    now = clock.now()
    async with database.write() as session:
        for by, reason in (("ana", "  "), (" ", "why")):
            with pytest.raises(BadInputError):
                await ask_waiver(session, number, by, reason, now)
        asked = await ask_waiver(session, number, "ana", "why", now)
        with pytest.raises(ConflictError, match="asked already"):
            await ask_waiver(session, number, "carl", "why", now)
        await agree_to_waiver(session, asked.id, "bea", now)
        with pytest.raises(ConflictError, match="answered already"):
            await agree_to_waiver(session, asked.id, "carl", now)
        await refuse_waiver(session, asked.id, "ana", now)
        with pytest.raises(ConflictError, match="refused already"):
            await refuse_waiver(session, asked.id, "bea", now)
        with pytest.raises(ConflictError, match="answered already"):
            await agree_to_waiver(session, asked.id, "carl", now)
        assert await lifted_among(session, [number]) == set()
        await ask_waiver(session, number, "ana", "why, again", now)


async def test_nobody_need_agree_to_a_civic_campaign(database: Database, clock: ManualClock) -> None:
    number = await two_people(database, clock, nature=Nature.CIVIC)
    async with database.write() as session:
        with pytest.raises(BadInputError, match="does not bind"):
            await ask_waiver(session, number, "ana", "why", clock.now())


async def say_who_pays(database: Database, name: str) -> None:
    async with database.write() as session:
        await session.exec(sa.update(Campaign).values(sponsor=name))


async def test_a_campaign_that_was_changed_is_asked_for_again(database: Database, clock: ManualClock) -> None:
    number, now = await two_people(database, clock), clock.now()
    async with database.write() as session:
        first = await ask_waiver(session, number, "ana", "why", now)
    await say_who_pays(database, "Somebody else")
    async with database.write() as session:
        with pytest.raises(ConflictError, match="changed since"):
            await agree_to_waiver(session, first.id, "bea", now)
        second = await ask_waiver(session, number, "ana", "why", now)
        await agree_to_waiver(session, second.id, "bea", now)
        assert await lifted_among(session, [number]) == {number}
    await say_who_pays(database, "Yet another")
    async with database.read() as session:
        assert await lifted_among(session, [number]) == set()


async def test_what_was_agreed_to_leaves_in_silence_until_it_is_taken_back(
    database: Database, clock: ManualClock
) -> None:
    await entered(database)
    number = await two_people(database, clock)
    async with database.write() as session:
        asked = await ask_waiver(session, number, "ana", "why", clock.now())
        await agree_to_waiver(session, asked.id, "bea", clock.now())
    found = await deliveries_by_address(database)
    assert {row.not_after for row in found.values()} == {None}
    clock.advance(EVE - clock.now())
    await take_back(database, clock)
    transport = ScriptedTransport(answers={"martinique@gmail.com": LATER})
    assert await drained(database, clock, transport) == ["martinique", "paris"]
    async with database.write() as session:
        await refuse_waiver(session, asked.id, "bea", clock.now())
    clock.advance(HOUR)
    assert await drained(database, clock, transport) == ["martinique", "paris"]
    found = await deliveries_by_address(database)
    assert found["martinique"].state is S.EXPIRED


async def test_a_day_taken_away_lets_go_of_what_it_held(database: Database, clock: ManualClock) -> None:
    day = await entered(database)
    number = await two_people(database, clock)
    async with database.write() as session:
        await take_away(session, day.id, by="ana", reason="It was the wrong year.", now=clock.now())
    clock.advance(EVE - clock.now())
    await take_back(database, clock)
    assert await drained(database, clock, ScriptedTransport()) == ["martinique", "paris"]
    async with database.read() as session:
        campaign = await session.get(Campaign, number)
    assert campaign is not None
    assert campaign.state is CampaignState.SENDING


async def test_votes_looked_up_meanwhile_do_not_make_a_chunk_fail(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lanes share what is known: one asks about a campaign while another finds that it is time to look."""
    await two_people(database, clock)
    await entered(database)
    clock.advance(EVE - clock.now())
    known, ask = Vigil(), elections.bound_among
    one = ClaimedDelivery.of((await deliveries_by_address(database))["paris"])
    async with database.read() as session:
        other = one._replace(id=one.id + 100, campaign_id=one.campaign_id + 1)
        assert (await known.narrow(session, [one], clock.now()))[1]

        async def slowly(session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
            monkeypatch.setattr(elections, "bound_among", ask)
            clock.advance(timedelta(minutes=1))
            await known.narrow(session, [other], clock.now())
            return await ask(session, campaign_ids)

        monkeypatch.setattr(elections, "bound_among", slowly)
        _, stopped = await known.narrow(session, [one, other], clock.now())
    assert set(stopped) == {one.id}
