"""The report adds up, whatever happened."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.report import (
    Counts,
    Share,
    campaign_report,
    report_csv,
    report_json,
    shorten,
)
from deliverability.report_values import RATES, safe_cell
from models.campaign import Campaign, LeftOut
from models.delivery import Delivery
from models.errors import NotFoundError
from models.event import event_about
from models.states import BounceClass, Channel, DeliveryState, EventKind, Fault, LeftOutReason, Permanence
from models.values import Reply, Verdict
from store import Database, events
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery, a_launched_campaign, a_seed, an_identity

SOFT = Verdict(BounceClass.MAILBOX_FULL, Fault.RECIPIENT, Permanence.SOFT, "full")
HARD = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, "unknown")
WAITING = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.DEFERRED)
NEWS_OF_STATE = {
    DeliveryState.ACCEPTED: EventKind.ACCEPTED,
    DeliveryState.REFUSED: EventKind.REFUSED,
    DeliveryState.UNCERTAIN: EventKind.UNCERTAIN,
    DeliveryState.EXPIRED: EventKind.EXPIRED,
    DeliveryState.CANCELLED: EventKind.CANCELLED,
    DeliveryState.SUPPRESSED: EventKind.SUPPRESSED,
    DeliveryState.HELD: EventKind.HELD,
    DeliveryState.CAPPED: EventKind.CAPPED,
}
REACTIONS = (
    EventKind.DELIVERED,
    EventKind.BOUNCED,
    EventKind.COMPLAINED,
    EventKind.UNSUBSCRIBED,
    EventKind.CLICKED,
)


async def happen(
    session: AsyncSession,
    delivery: Delivery,
    kind: EventKind,
    *,
    verdict: Verdict | None = None,
    text: str = "",
    minute: int = 0,
    machine: bool = False,
) -> None:
    """Something happens to a delivery, `minute` minutes after the start."""
    existing = await events.count_of_kind(session, delivery.id, kind)
    event = event_about(
        delivery,
        kind,
        source="test",
        source_id=f"{delivery.id}:{kind.value}:{existing}",
        at=START + timedelta(minutes=minute),
        now=START,
        reply=Reply(550, "5.1.1", text) if text else None,
        verdict=verdict,
    )
    if machine:
        event.details = {"machine": "agent"}
    assert await events.append(session, event)


async def a_history(
    session: AsyncSession, campaign: Campaign, history: list[tuple[str, str, list[str]]]
) -> None:
    """Deliveries by (provider, state, further events); every settled one has the event of its state."""
    identities = [await an_identity(session, name) for name in ("Rhône", "Loire")]
    for number, (provider, state, reactions) in enumerate(history):
        delivery = await a_delivery(
            session,
            campaign=campaign,
            identity=identities[number % 2],
            provider=provider,
            state=DeliveryState(state),
        )
        kind = NEWS_OF_STATE.get(delivery.state)
        if kind is not None:
            await happen(session, delivery, kind, verdict=HARD if kind is EventKind.REFUSED else None)
        if delivery.state is DeliveryState.DEFERRED:
            await happen(session, delivery, EventKind.DEFERRED, verdict=SOFT)
        for word in reactions:
            await happen(session, delivery, EventKind(word), verdict=SOFT if number % 3 else HARD)
    campaign.targeted = campaign.frozen = len(history)
    await session.flush()


histories = st.lists(
    st.tuples(
        st.sampled_from(["gmail", "orange", "free"]),
        st.sampled_from([state.value for state in DeliveryState]),
        st.lists(st.sampled_from([kind.value for kind in REACTIONS]), max_size=4),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_the_report_of_any_history_adds_up_and_counts_each_delivery_once(
    migrated_sqlite_file: Path, history: list[tuple[str, str, list[str]]]
) -> None:
    async def check() -> None:
        database = Database(f"sqlite:///{migrated_sqlite_file}")
        async with database.write() as session:
            campaign = await a_launched_campaign(session)
            await a_history(session, campaign, history)
            report = await campaign_report(session, campaign.id, START)
            await session.rollback()
        await database.close()
        assert report.problems == ()
        _compare(report.total.counts, history)
        for row in report.by_provider:
            _compare(row.counts, [each for each in history if each[0] == row.provider])
        for row in (report.total, *report.by_provider, *report.by_identity_and_provider):
            _no_share_is_more_than_the_whole(row.counts)

    asyncio.run(check())


def _no_share_is_more_than_the_whole(counts: Counts) -> None:
    for name in RATES:
        share = getattr(counts, name)
        assert 0 <= share.part <= share.whole, name
        assert share.interval is None or 0 <= share.interval[0] <= share.interval[1] <= 1


def _compare(counts: Counts, history: list[tuple[str, str, list[str]]]) -> None:
    """The same figures, counted the slow way."""

    def in_state(*states: DeliveryState) -> int:
        return sum(DeliveryState(state) in states for _, state, _ in history)

    def with_news(kind: EventKind) -> int:
        return sum(kind.value in reactions for _, _, reactions in history)

    assert counts.deliveries == len(history)
    assert counts.accepted == in_state(DeliveryState.ACCEPTED)
    assert counts.refused == counts.refused_hard == in_state(DeliveryState.REFUSED)
    assert counts.uncertain == in_state(DeliveryState.UNCERTAIN)
    assert counts.expired == in_state(DeliveryState.EXPIRED)
    assert counts.cancelled == in_state(DeliveryState.CANCELLED)
    assert counts.suppressed_since == in_state(DeliveryState.SUPPRESSED)
    assert counts.capped == in_state(DeliveryState.CAPPED)
    assert counts.held == in_state(DeliveryState.HELD)
    assert counts.waiting == in_state(*WAITING)
    assert counts.deferred == counts.deferred_waiting == in_state(DeliveryState.DEFERRED)
    assert counts.bounced_hard + counts.bounced_soft == with_news(EventKind.BOUNCED)
    assert counts.complained == with_news(EventKind.COMPLAINED)
    assert counts.unsubscribed == with_news(EventKind.UNSUBSCRIBED)
    assert counts.clicked == with_news(EventKind.CLICKED)
    assert counts.delivered == with_news(EventKind.DELIVERED)


async def test_both_databases_report_the_same_of_a_mixed_campaign(database: Database) -> None:
    history = [
        ("gmail", "accepted", ["clicked", "clicked", "bounced"]),
        ("gmail", "refused", []),
        ("orange", "deferred", []),
        ("orange", "uncertain", ["complained"]),
        ("free", "queued", []),
    ]
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        await a_history(session, campaign, history)
    async with database.read() as session:
        report = await campaign_report(session, campaign.id, START)
    assert report.problems == ()
    _compare(report.total.counts, history)
    assert [row.identity_name for row in report.by_identity] == ["Rhône", "Loire"]
    assert {(row.identity_name, row.provider_name) for row in report.by_identity_and_provider} == {
        ("Rhône", "Gmail"),
        ("Loire", "Gmail"),
        ("Rhône", "Orange"),
        ("Loire", "Orange"),
        ("Rhône", "Free"),
    }
    assert report.total.counts.attempted == 4


async def test_people_left_out_and_deliveries_are_the_targeted(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session, targeted=3, frozen=1)
        delivery = await a_delivery(session, campaign=campaign)
        await happen(session, delivery, EventKind.ACCEPTED)
        for reason in (LeftOutReason.NO_CONSENT, LeftOutReason.SUPPRESSED):
            contact = await a_contact(session)
            session.add(LeftOut(campaign_id=campaign.id, contact_id=contact.id, reason=reason))
        await session.flush()
        report = await campaign_report(session, campaign.id, START)
    assert report.problems == ()
    assert report.total.left_out == {LeftOutReason.NO_CONSENT: 1, LeftOutReason.SUPPRESSED: 1}


async def test_a_ledger_that_does_not_add_up_is_told(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session, targeted=5, frozen=2)
        await a_delivery(session, campaign=campaign, state=DeliveryState.ACCEPTED)
        report = await campaign_report(session, campaign.id, START)
    assert report.problems[0] == "Targeted: 5, but left out: 0, messages: 1."
    assert report.problems[1] == "Messages at the launch: 2, now: 1."
    # The state says accepted, and no event tells of it.
    assert report.problems[2] == "Total: what became of the messages adds up to 0, not to 1."


async def test_seeds_are_counted_apart_each_once(database: Database) -> None:
    seen = [
        [EventKind.PLACED_INBOX],
        [EventKind.PLACED_MISSING, EventKind.PLACED_INBOX],
        [EventKind.PLACED_INBOX, EventKind.PLACED_SPAM],
        [EventKind.PLACED_SPAM, EventKind.PLACED_TAB],
        [EventKind.PLACED_MISSING],
        [],
        [EventKind.PLACED_MISSING, EventKind.BOUNCED],
    ]
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        identity = await an_identity(session)
        for kinds in seen:
            seed = await a_seed(session)
            delivery = await a_delivery(
                session, campaign=campaign, identity=identity, seed=seed, provider="gmail"
            )
            for kind in (EventKind.ACCEPTED, *kinds):
                await happen(session, delivery, kind)
        report = await campaign_report(session, campaign.id, START)
    counts = report.total.counts
    assert (counts.seeds_inbox, counts.seeds_tab, counts.seeds_spam) == (2, 1, 1)
    assert (counts.seeds_missing, counts.seeds_awaited, counts.seeds_refused) == (1, 1, 1)
    assert counts.deliveries == counts.accepted == 0
    assert counts.placement == Share(3, 5)
    assert report.problems == ()
    assert report.over_time == ()


async def test_links_opened_by_machines_are_no_clicks(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session, targeted=1, frozen=1)
        delivery = await a_delivery(session, campaign=campaign)
        await happen(session, delivery, EventKind.ACCEPTED)
        await happen(session, delivery, EventKind.CLICKED, machine=True)
        assert (await campaign_report(session, campaign.id, START)).total.counts.clicked == 0
        await happen(session, delivery, EventKind.CLICKED)
        assert (await campaign_report(session, campaign.id, START)).total.counts.clicked == 1


async def test_refusals_are_shown_by_provider_without_addresses(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        identity = await an_identity(session)
        for _ in range(3):
            delivery = await a_delivery(
                session,
                campaign=campaign,
                identity=identity,
                provider="orange",
                state=DeliveryState.REFUSED,
            )
            await happen(
                session, delivery, EventKind.REFUSED, verdict=HARD, text=f"550 <{delivery.address}>: unknown"
            )
        report = await campaign_report(session, campaign.id, START)
    (refusal,) = report.refusals
    assert (refusal.provider_name, refusal.deliveries) == ("Orange", 3)
    assert (refusal.example, refusal.bounce_class) == ("550 <…@…>: unknown", BounceClass.NO_SUCH_ADDRESS)


@pytest.mark.parametrize("number", ["+33639988211", "33639988211", "+33 6 39 98 82 11", "06.39.98.82.11"])
async def test_what_an_operator_said_is_shown_without_the_number(database: Database, number: str) -> None:
    said = f"21211 Unable to create record: The 'To' number {number} is not a valid phone number."
    async with database.write() as session:
        campaign = await a_launched_campaign(session, channel=Channel.SMS)
        delivery = await a_delivery(
            session,
            campaign=campaign,
            identity=await an_identity(session),
            provider="sms",
            state=DeliveryState.REFUSED,
        )
        await happen(session, delivery, EventKind.REFUSED, verdict=HARD, text=said)
        report = await campaign_report(session, campaign.id, START)
    (refusal,) = report.refusals
    assert refusal.example == said.replace(number, "+…")


async def test_what_our_own_mail_server_put_off_is_held_against_no_provider(database: Database) -> None:
    ours = Verdict(BounceClass.TRANSIENT, Fault.RELAY, Permanence.SOFT, "relay")
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        identity = await an_identity(session)
        for provider in ("gmail", "orange", "orange"):
            delivery = await a_delivery(
                session, campaign=campaign, identity=identity, provider=provider, state=DeliveryState.DEFERRED
            )
            await happen(session, delivery, EventKind.DEFERRED, verdict=ours)
        await happen(session, delivery, EventKind.DEFERRED, verdict=SOFT, text="450 full")
        report = await campaign_report(session, campaign.id, START)
    assert {(each.provider_name, each.deliveries, each.ours) for each in report.refusals} == {
        ("our mail server", 3, True),
        ("Orange", 1, False),
    }
    shares = {row.provider: row.counts.deferral_rate for row in report.by_provider}
    assert shares == {"gmail": Share(0, 0), "orange": Share(1, 1)}
    assert report.total.counts.waiting == 3


@pytest.mark.parametrize(
    ("last_minute", "step"), [(1, 1), (4, 5), (90, 60), (300, 300), (24 * 60, 900), (60 * 24 * 60, 86400)]
)
async def test_the_chart_takes_the_smallest_step_that_fits(
    database: Database, last_minute: int, step: int
) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        identity = await an_identity(session)
        for minute in (0, last_minute):
            delivery = await a_delivery(session, campaign=campaign, identity=identity)
            await happen(session, delivery, EventKind.ACCEPTED, minute=minute)
        report = await campaign_report(session, campaign.id, START)
    assert report.bucket_seconds == step
    assert [moment.accepted for moment in report.over_time] == [1, 1]
    assert all(moment.start.timestamp() % step == 0 for moment in report.over_time)


async def test_the_files_say_what_the_report_says(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_launched_campaign(session)
        campaign.name = "=cmd|'/c calc'!A1"
        await a_history(session, campaign, [("gmail", "accepted", ["clicked"]), ("free", "refused", [])])
        report = await campaign_report(session, campaign.id, START)
    document = json.loads(report_json(report))
    assert (document["adds_up"], document["total"]["accepted"]) == (True, 1)
    assert document["total"]["rates"]["click_rate"] == {"part": 1, "whole": 1, "value": 1.0}
    rows = list(csv.DictReader(io.StringIO(report_csv(report))))
    assert len(rows) == 1 + 2 + 2 + 2
    assert rows[0]["campaign"] == "'=cmd|'/c calc'!A1"
    assert (rows[0]["accepted"], rows[0]["refused"], rows[0]["left_out_no_consent"]) == ("1", "1", "0")
    assert {row["provider"] for row in rows} == {"", "Gmail", "Free"}


async def test_a_campaign_that_does_not_exist_has_no_report(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(NotFoundError):
            await campaign_report(session, 404, START)


@given(st.text(max_size=20))
def test_no_cell_begins_a_formula(text: str) -> None:
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_answer_that_was_cut_says_so() -> None:
    assert shorten("short", 5) == "short"
    assert shorten("a b cdef", 5) == "a b…", "no blank before the ellipsis"
    assert len(shorten("x" * 2000)) == 300
