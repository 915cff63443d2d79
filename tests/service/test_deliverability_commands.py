"""`tocsin deliverability`, `tocsin study` and a campaign's canary, as they are typed."""

import asyncio
import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from deliverability.assessment.study import Mailing, study_table
from deliverability.pressure import count_pressure
from models.canary import CanaryPlan
from models.clock import SystemClock
from models.delivery import Delivery
from models.event import event_about
from models.pace import Warmup, WarmupState
from models.states import DeliveryState, EventKind
from scheduler.campaigns import parts_of, schedule, update_campaign
from scheduler.canary import watch_canaries
from scheduler.expansion import launch
from service.commands.deliverability import met_spam
from store import Database, events, warmups
from store.tally_fold import advance
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact, a_seed, an_identity
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.service.conftest import Tocsin, Typed

SEEDS = 6


async def a_sent_campaign(database: Database, *, spam: int) -> None:
    """Forty people and six seeds at one provider a moment ago, the first of them a canary's slice."""
    clock = ManualClock(SystemClock().now())
    async with database.write() as session:
        for number in range(40):
            await a_contact(session, email=f"p{number}@orange.fr")
        for number in range(SEEDS):
            await a_seed(session, address=f"graine{number}@orange.fr", provider="orange")
        campaign = await a_campaign(session, senders=[await an_identity(session, key="national")])
        parts = replace(await parts_of(session, campaign), canary=CanaryPlan(people=10))
        await update_campaign(session, campaign.id, parts, clock.now())
        await schedule(session, campaign.id, clock.now().replace(tzinfo=None), "UTC", clock.now())
    await launch(database, campaign.id, clock.now(), language="fr")
    dispatcher = a_dispatcher(database, ScriptedTransport(), clock)
    await drain_all(database, dispatcher, clock.now())
    await dispatcher.close()
    await watch_canaries(database, clock)
    async with database.write() as session:
        wanted = select(Delivery).where(col(Delivery.seed_id).is_not(None)).order_by(col(Delivery.id))
        for place, row in enumerate((await session.exec(wanted)).all()):
            kind = EventKind.PLACED_SPAM if place < spam else EventKind.PLACED_INBOX
            now, source_id = clock.now(), f"{row.id}:{kind}"
            news = event_about(row, kind, source="seed", source_id=source_id, at=now, now=now)
            await events.append(session, news)
    await watch_canaries(database, clock)
    await advance(database)
    await database.close()


@pytest.fixture
def typed_here(ready: Tocsin, typed: Typed) -> Typed:
    """The command, where most seeds of a campaign were found in spam."""
    database = Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")
    asyncio.run(a_sent_campaign(database, spam=5))
    return typed


def test_all_senders_are_a_line_each_with_the_reason(typed_here: Typed) -> None:
    told = typed_here.must("deliverability")
    assert "national" in told
    assert "Orange: spam" in told


def test_one_sender_is_told_with_what_was_measured_and_what_to_do(typed_here: Typed) -> None:
    told = typed_here.must("deliverability", "national", "--days", "7")
    assert "5 of 6 seeds were found in spam. (measured)" in told
    assert "→ Hold what has not left yet to Orange" in told
    assert "Where it was tested" in told


def test_one_sender_as_files(typed_here: Typed) -> None:
    found = json.loads(typed_here.must("deliverability", "national", "--json"))
    assert found["assessment"]["lanes"][0]["verdict"] == "spam"
    (row,) = csv.DictReader(io.StringIO(typed_here.must("deliverability", "national", "--csv")))
    assert (row["provider"], row["verdict"]) == ("Orange", "spam")
    assert "A file is about one identity" in typed_here("deliverability", "--json").err
    assert "A file is about one identity" in typed_here("deliverability", "national", "--json", "--csv").err


def test_one_sender_is_told_with_how_often_it_writes(ready: Tocsin, typed_here: Typed) -> None:
    assert "Not counted yet" in typed_here.must("deliverability", "national")

    async def count() -> None:
        database = Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")
        plan = Warmup(
            identity_id=1,
            provider="orange",
            state=WarmupState.RISING,
            day=SystemClock().now().date(),
            cap=200,
            target=5000,
            started_at=SystemClock().now(),
            changed_at=SystemClock().now(),
        )
        async with database.write() as session:
            await warmups.add_plans(session, [plan])
            for row in await session.exec(select(Delivery).where(col(Delivery.contact_id).is_not(None))):
                # The rest of the campaign, too, which waits for a person.
                row.state, row.settled_at = DeliveryState.ACCEPTED, SystemClock().now()
                session.add(row)
        await count_pressure(database, SystemClock().now() + timedelta(minutes=2))
        await database.close()

    asyncio.run(count())
    told = typed_here.must("deliverability", "national")
    assert "Volume against the warm-up plan" in told
    assert "not over yet" in told
    assert "40 of 40 people on the list got something from this sender" in told
    assert "Too few people had several messages in a week" in told
    found = json.loads(typed_here.must("deliverability", "national", "--json"))
    assert found["volume"][0]["days"][0]["cap"] == 200
    assert found["pressure"]["own"]["reached"] == 40
    assert "40 of 40 people on the list got something in the last 7 days" in typed_here.must("deliverability")


def test_an_unknown_sender_is_told_in_a_line(typed_here: Typed) -> None:
    assert "rhone" in typed_here("deliverability", "rhone").told


def test_enough_mailings_are_told_with_their_interval() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    mailings = [Mailing(n, 1, start + timedelta(days=n), 100, tested=3, in_spam=n % 2) for n in range(10)]
    table = study_table(mailings, start, start + timedelta(days=10), ZoneInfo("UTC"))
    assert met_spam(table.rows[0]) == "5 of 10 (24–76 %)"


def test_the_study_is_told_and_taken_away(typed_here: Typed) -> None:
    told = typed_here.must("study")
    assert "1 sender, 1 mailing" in told
    assert "1 of 1, not assessable" in told
    rows = list(csv.reader(io.StringIO(typed_here.must("study", "--csv"))))
    assert len(rows) == 3


def test_a_report_tells_the_verdicts_of_the_pages(typed_here: Typed) -> None:
    told = typed_here.must("report", "1")
    assert "Orange: spam. " in told
    assert "What to do next" in told
    assert json.loads(typed_here.must("report", "1", "--json"))["assessment"]["status"] == "red"
    header, *rows = csv.reader(io.StringIO(typed_here.must("report", "1", "--csv")))
    assert "spam" in {row[header.index("verdict")] for row in rows}


def test_a_canary_that_found_spam_holds_the_rest_until_somebody_resumes(typed_here: Typed) -> None:
    told = typed_here.must("campaign", "canary", "1")
    assert "waits for a person" in told
    assert "Orange: 5 of 6 seeds in spam." in told
    assert "First" in typed_here.must("campaign", "show", "1")
    typed_here.must("campaign", "resume", "1")
    assert "a person let the rest go" in typed_here.must("campaign", "canary", "1")
    assert "waits for its first messages" in typed_here("campaign", "canary", "1", "--release").told


def test_a_canary_is_asked_for_and_given_up_on_the_command_line(typed_here: Typed) -> None:
    parts = ("--template", "absent", "--segment", "absent", "--from", "national")
    assert "absent" in typed_here("campaign", "create", "Next", *parts, "--first", "50").told
