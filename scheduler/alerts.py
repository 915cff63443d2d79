"""Tells people of incidents: by mail and webhook, each place once for each piece of news.

What is to be told follows from the incidents themselves, so that a crash between a deed and its alert loses
none: whatever began, became worse or ended of late has a row for each place, or gets one. A row is taken
before it is tried, and tried again later with the same number, by which the other side can tell a repetition
if a process died between the telling and the note of it.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from models.clock import Clock
from models.errors import StoreError
from models.incident import Alert, AlertWay, Incident, IncidentLevel
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain
from store import Database, alerts, incidents

log = logging.getLogger(__name__)

BEGAN, WORSE, ENDED = "began", "worse", "ended"
LATELY = timedelta(days=1)
"""What is older than this is no news any more."""
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 300, 900, 1800, 3600))
"""Pauses after each try but the last: eight tries in a little over two hours."""
MOST_TRIES = len(WAITS) + 1
HELD = timedelta(minutes=2)
"""How long a try may take before another worker tries."""
MAILS_AN_HOUR = 30
LATER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is told."""

    way: AlertWay
    target: str


Carry = Callable[[Alert, Incident], Awaitable[Outcome]]
"""Tells a place of an incident, once."""


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """Who is told of what: incidents of at least `level`, at `places`, by `carry`."""

    places: Sequence[Place]
    level: IncidentLevel
    carry: Carry


async def tell_alerts(database: Database, clock: Clock, desk: AlertDesk) -> int:
    """Note what is to be told, and tell what is due; how many were told."""
    if not desk.places:
        return 0
    await note_news(database, clock.now(), desk)
    async with database.read() as session:
        due = await alerts.due(session, clock.now())
        about = await incidents.with_ids(session, {one.incident_id for one in due})
    told = 0
    for alert in due:
        told += await _tell(database, clock, desk, alert, about[alert.incident_id])
    return told


async def note_news(database: Database, now: datetime, desk: AlertDesk) -> int:
    """A row for each place and piece of news that has none yet; how many were noted."""
    async with database.read() as session:
        lately = await incidents.lately(session, now - LATELY)
        known = await alerts.of_incidents(session, [one.id for one in lately])
    wanted = [
        (incident, news, place)
        for incident in lately
        for place in desk.places
        for news in _untold(_news_of(incident, now, desk.level), known.get(incident.id, ()), place)
    ]
    if not wanted:
        return 0
    noted = 0
    async with database.write() as session:
        for incident, news, place in wanted:
            noted += await alerts.note(
                session, incident.id, news, way=place.way, target=place.target, due_at=now
            )
    return noted


def _untold(news: Sequence[str], known: Sequence[Alert], place: Place) -> list[str]:
    """What a place has not been told; of the end of what it never heard of it is not told."""
    noted = {one.news for one in known if (one.way, one.target) == (place.way, place.target)}
    heard_of = BEGAN in noted or BEGAN in news
    return [one for one in news if one not in noted and (one != ENDED or heard_of)]


def _news_of(incident: Incident, now: datetime, level: IncidentLevel) -> list[str]:
    """What there is to tell of an incident, oldest first."""
    if level is IncidentLevel.RED and incident.level is not IncidentLevel.RED:
        return []
    news = []
    if incident.began_at >= now - LATELY:
        news.append(BEGAN)
        # Told as having begun only once it was red, it has not become worse since.
        if level is IncidentLevel.AMBER and incident.level is IncidentLevel.RED and _was_amber(incident):
            news.append(WORSE)
    if incident.ended_at is not None and incident.ended_at >= now - LATELY:
        news.append(ENDED)
    return news


def _was_amber(incident: Incident) -> bool:
    steps: list[dict[str, str]] = incident.evidence.get("steps", [])
    return bool(steps) and steps[0].get("level") == IncidentLevel.AMBER.value


async def _tell(database: Database, clock: Clock, desk: AlertDesk, alert: Alert, about: Incident) -> bool:
    now = clock.now()
    place = Place(alert.way, alert.target)
    async with database.write() as session:
        if place not in desk.places:  # taken out of the settings since
            await alerts.settle(session, alert.id, told_at=None, due_at=None, problem="no longer set")
            return False
        if alert.way is AlertWay.MAIL:
            lately = await alerts.told_since(session, alert.way, alert.target, now - timedelta(hours=1))
            if lately >= MAILS_AN_HOUR:
                await alerts.put_off(session, alert.id, now + LATER)
                return False
        if not await alerts.claim(session, alert, until=now + HELD):
            return False
    outcome = await _carry(desk, alert, about)
    tries = alert.tries + 1
    now = clock.now()
    async with database.write() as session:
        match outcome:
            case Accepted() | Uncertain():
                await alerts.settle(session, alert.id, told_at=now, due_at=None)
            case Deferred() if tries < MOST_TRIES:
                again = now + WAITS[tries - 1]
                await alerts.settle(session, alert.id, told_at=None, due_at=again, problem=_problem(outcome))
            case Deferred() | Refused():
                await alerts.settle(session, alert.id, told_at=None, due_at=None, problem=_problem(outcome))
                log.warning("alert given up", extra={"alert": alert.id, "problem": _problem(outcome)})
            case _:
                assert_never(outcome)
    return isinstance(outcome, Accepted | Uncertain)


async def _carry(desk: AlertDesk, alert: Alert, about: Incident) -> Outcome:
    """Tell, once; a fault of our own is a try that failed: it neither lasts nor keeps others waiting."""
    try:
        return await desk.carry(alert, about)
    except StoreError:
        raise
    except Exception as error:
        log.exception("alert not told", extra={"alert": alert.id})
        return Deferred(Reply(None, None, f"It failed here: {type(error).__name__}."))


def _problem(outcome: Outcome) -> str:
    reply = outcome.reply
    return " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text))) or "no answer"
