"""Every place is told of every piece of news once, whatever fails in between."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from models.incident import Alert, AlertWay, Incident, IncidentKind, IncidentLevel
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain
from scheduler.alerts import HELD, MAILS_AN_HOUR, MOST_TRIES, WAITS, AlertDesk, Place, note_news, tell_alerts
from scheduler.incidents import close_incident, open_incident
from store import Database
from tests.clocks import START, ManualClock

TAKEN = Accepted(Reply(250, None, "ok"))
LATER = Deferred(Reply(503, None, "busy"))
MAIL, HOOK = Place(AlertWay.MAIL, "ana@parti.example"), Place(AlertWay.WEBHOOK, "https://hooks.example/x")


@dataclass
class Post:
    """Remembers what it told, and answers as told."""

    answers: list[Outcome] = field(default_factory=lambda: [TAKEN])
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def carry(self, alert: Alert, about: Incident) -> Outcome:
        await asyncio.sleep(0)
        self.told.append((alert.news, alert.way.value, about.kind.value))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def desk(self, *places: Place, level: IncidentLevel = IncidentLevel.AMBER) -> AlertDesk:
        return AlertDesk(places or (MAIL, HOOK), level, self.carry)


async def begin(
    database: Database,
    *,
    level: IncidentLevel = IncidentLevel.RED,
    kind: IncidentKind = IncidentKind.BLOCKED,
    now: datetime = START,
) -> Incident | None:
    async with database.write() as session:
        return await open_incident(session, kind, level, now=now)


async def alerts_of(database: Database) -> Sequence[Alert]:
    async with database.read() as session:
        return (await session.exec(select(Alert))).all()


async def test_every_place_is_told_once(database: Database, clock: ManualClock) -> None:
    await begin(database)
    post = Post()
    for _ in range(3):
        await tell_alerts(database, clock, post.desk())
    assert sorted(post.told) == [("began", "mail", "blocked"), ("began", "webhook", "blocked")]


async def test_a_crash_between_the_deed_and_its_alert_loses_none(
    database: Database, clock: ManualClock
) -> None:
    await begin(database)  # and the process that did it is gone
    post = Post()
    await tell_alerts(database, clock, post.desk(MAIL))
    assert post.told == [("began", "mail", "blocked")]


async def test_a_crash_while_telling_is_made_good_for_with_the_same_number(
    database: Database, clock: ManualClock
) -> None:
    await begin(database)

    async def die(alert: Alert, about: Incident) -> Outcome:
        raise asyncio.CancelledError

    post = Post()
    with pytest.raises(asyncio.CancelledError):
        await tell_alerts(database, clock, replace(post.desk(MAIL), carry=die))
    (alert,) = await alerts_of(database)
    assert alert.tries == 1
    await tell_alerts(database, clock, post.desk(MAIL))
    assert post.told == [], "the one who has it may still be at it"
    clock.advance(HELD)
    await tell_alerts(database, clock, post.desk(MAIL))
    (again,) = await alerts_of(database)
    assert (again.id, again.told_at) == (alert.id, clock.now())


async def test_many_workers_tell_each_place_once(database: Database, clock: ManualClock) -> None:
    await begin(database)
    post = Post()
    await asyncio.gather(*(tell_alerts(database, clock, post.desk()) for _ in range(6)))
    assert len(post.told) == 2


async def test_who_is_not_reached_is_tried_again_at_growing_pauses_eight_times(
    database: Database, clock: ManualClock
) -> None:
    await begin(database)
    post = Post([LATER])
    moments: list[datetime] = []
    for _ in range(3 * 3600):
        before = len(post.told)
        await tell_alerts(database, clock, post.desk(HOOK)) if _due(moments, clock) else None
        if len(post.told) > before:
            moments.append(clock.now())
        clock.advance(timedelta(seconds=1))
        if len(moments) == MOST_TRIES:
            break
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert pauses == list(WAITS)
    (alert,) = await alerts_of(database)
    assert (alert.due_at, alert.told_at, alert.problem) == (None, None, "503 busy")


def _due(moments: Sequence[datetime], clock: ManualClock) -> bool:
    """Only looked at where it could be due: the test need not look each second."""
    return not moments or clock.now() - moments[-1] in {
        *WAITS,
        *(wait - timedelta(seconds=1) for wait in WAITS),
    }


@pytest.mark.parametrize(
    "outcome", [Refused(Reply(410, None, "gone")), Uncertain(Reply(None, None, "dropped"))]
)
async def test_what_is_final_is_not_tried_again(
    database: Database, clock: ManualClock, outcome: Outcome
) -> None:
    await begin(database)
    post = Post([outcome])
    for _ in range(3):
        await tell_alerts(database, clock, post.desk(HOOK))
        clock.advance(timedelta(hours=2))
    assert len(post.told) == 1


async def test_a_fault_in_one_telling_neither_lasts_nor_keeps_others_from_being_told(
    database: Database, clock: ManualClock
) -> None:
    post = Post()

    async def carry(alert: Alert, about: Incident) -> Outcome:
        if alert.way is AlertWay.MAIL:
            raise KeyError("identity")
        return await post.carry(alert, about)

    await begin(database)
    for _ in range(MOST_TRIES + 3):
        await tell_alerts(database, clock, replace(post.desk(), carry=carry))
        clock.advance(timedelta(hours=1))
    assert len(post.told) == 1
    (mail,) = [one for one in await alerts_of(database) if one.way is AlertWay.MAIL]
    assert (mail.tries, mail.due_at, mail.problem) == (MOST_TRIES, None, "It failed here: KeyError.")


async def test_getting_worse_and_ending_are_told_too(database: Database, clock: ManualClock) -> None:
    opened = await begin(database, level=IncidentLevel.AMBER)
    assert opened is not None
    post = Post()
    await tell_alerts(database, clock, post.desk(HOOK))
    await begin(database, level=IncidentLevel.RED)
    await tell_alerts(database, clock, post.desk(HOOK))
    async with database.write() as session:
        await close_incident(session, opened.id, by="Ana", now=clock.now())
    await tell_alerts(database, clock, post.desk(HOOK))
    await tell_alerts(database, clock, post.desk(HOOK))
    assert [news for news, _, _ in post.told] == ["began", "worse", "ended"]


async def test_who_wants_the_serious_ones_alone_hears_of_them_once_they_are(
    database: Database, clock: ManualClock
) -> None:
    await begin(database, level=IncidentLevel.AMBER)
    post = Post()
    desk = post.desk(HOOK, level=IncidentLevel.RED)
    await tell_alerts(database, clock, desk)
    assert post.told == []
    await begin(database, level=IncidentLevel.RED)
    await tell_alerts(database, clock, desk)
    assert [news for news, _, _ in post.told] == ["began"]


async def test_old_incidents_are_no_news_and_their_end_neither_to_who_never_heard_of_them(
    database: Database, clock: ManualClock
) -> None:
    opened = await begin(database, now=START - timedelta(days=3))
    assert opened is not None
    post = Post()
    await tell_alerts(database, clock, post.desk())
    async with database.write() as session:
        await close_incident(session, opened.id, by="", now=START)
    await tell_alerts(database, clock, post.desk())
    assert post.told == []


async def test_a_place_that_was_taken_out_is_told_no_more(database: Database, clock: ManualClock) -> None:
    await begin(database)
    post = Post()
    await note_news(database, clock.now(), post.desk(MAIL, HOOK))
    await tell_alerts(database, clock, post.desk(HOOK))
    assert [way for _, way, _ in post.told] == ["webhook"]
    assert all(one.due_at is None for one in await alerts_of(database))


async def test_mails_are_paced_and_none_is_lost(database: Database, clock: ManualClock) -> None:
    for number in range(MAILS_AN_HOUR + 5):
        async with database.write() as session:
            await open_incident(
                session, IncidentKind.DEFERRALS, IncidentLevel.AMBER, provider=f"p{number}", now=START
            )
    post = Post()
    await tell_alerts(database, clock, post.desk(MAIL))
    assert len(post.told) == MAILS_AN_HOUR
    clock.advance(timedelta(hours=1, seconds=1))
    await tell_alerts(database, clock, post.desk(MAIL))
    assert len(post.told) == MAILS_AN_HOUR + 5


async def test_nobody_to_tell_costs_nothing(database: Database, clock: ManualClock) -> None:
    await begin(database)
    assert await tell_alerts(database, clock, AlertDesk((), IncidentLevel.AMBER, Post().carry)) == 0
    assert await alerts_of(database) == []
