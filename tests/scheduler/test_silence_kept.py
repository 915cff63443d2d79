"""Whatever happens, nothing that is propaganda leaves within its reader's silence.

Campaigns of every nature and both channels to people all over the country, several workers, servers that put
off and lines that drop, pauses, sweeps, votes entered and taken away in the midst of it, waivers given and
taken back: the transports write down what left when, and each message is held against the rule said plainly.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.campaign import UNTIL_TOLD
from models.election import DAY_BEFORE
from models.errors import ConflictError
from models.identity import TerritoryKind
from models.states import CampaignState, Channel, Nature, Purpose
from models.values import Deferred, Envelope, Outcome, Reply, SmsEnvelope, Uncertain
from scheduler.campaigns import pause, resume
from scheduler.dispatch import Dispatcher
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import take_back
from scheduler.waivers import agree_to_waiver, ask_waiver, refuse_waiver
from store import Database, campaigns, deliveries
from store.election_calendar import take_away
from tests.clocks import START, ManualClock
from tests.factories import an_identity
from tests.scheduler.desks import TAKEN, ScriptedTransport, a_dispatcher
from tests.scheduler.voting import MARGIN, PARIS, a_bound_campaign, a_person, entered, launched_at

LATER = Deferred(Reply(451, "4.7.1", "later"))
GONE_QUIET = Uncertain(Reply(None, None, "the line dropped"))
KNOWN_WITHIN = timedelta(seconds=5)
"""A day of voting holds for what leaves so long after it was entered."""
HOMES: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "paris": ({"departement": "75", "commune_key": "paris"}, PARIS, "75"),
    "lyon": ({"postcode": "69001", "commune_key": "lyon"}, PARIS, "69"),
    "fort": ({"departement": "972"}, "America/Martinique", "972"),
    "cayenne": ({"postcode": "97300"}, "America/Cayenne", "973"),
    "saintdenis": ({"departement": "974", "commune_key": "saint denis"}, "Indian/Reunion", "974"),
    "papeete": ({"departement": "987"}, "Pacific/Tahiti", "987"),
    "noumea": ({"departement": "988"}, "Pacific/Noumea", "988"),
    "nowhere": ({}, PARIS, ""),
}
"""Where people live: what is known of it, their clock, their département."""


@dataclass
class Vote:
    """One day of voting as the test knows it."""

    number: int
    day: date
    departement: str
    since: datetime
    until: datetime = UNTIL_TOLD

    def silences(self, home: str, moment: datetime) -> bool:
        """Whether nothing may leave to somebody there at that moment."""
        _, zone, departement = HOMES[home]
        if self.departement not in {"", departement} or not self.since <= moment < self.until:
            return False
        days = 2 if departement in DAY_BEFORE and not self.departement else 1
        eve = datetime.combine(self.day - timedelta(days=days), datetime.min.time(), ZoneInfo(zone))
        closed = datetime.combine(self.day, datetime.min.time().replace(hour=20), ZoneInfo(PARIS))
        return eve.astimezone(UTC) - MARGIN <= moment < closed


class Lots(dict[str, Outcome]):
    """Whatever is asked, the lot answers."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self._draw = draw

    def get(self, recipient: str, default: object = None) -> Outcome:
        return self._draw.choice((TAKEN, LATER, LATER, GONE_QUIET))


@dataclass
class Story:
    """What has happened so far: the campaigns by number, the votes, who was let when."""

    draw: random.Random
    clock: ManualClock
    names: dict[str, int] = field(default_factory=dict)
    natures: dict[int, tuple[Nature, Purpose]] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    votes: list[Vote] = field(default_factory=list)
    let: dict[int, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    waivers: dict[int, int] = field(default_factory=dict)

    def is_bound(self, number: int, moment: datetime) -> bool:
        """Whether silence held for a campaign at that moment; not in the seconds it takes to know better."""
        if self.natures[number] in {
            (Nature.CIVIC, Purpose.CAMPAIGN),
            (Nature.UNSAID, Purpose.TRANSACTIONAL),
        }:
            return False
        return not any(
            since <= moment and (until is None or moment < until + KNOWN_WITHIN)
            for since, until in self.let.get(number, [])
        )


async def the_country(database: Database, story: Story) -> None:
    natures = [
        *((Nature.POLITICAL, Purpose.CAMPAIGN),) * 3,
        (Nature.UNSAID, Purpose.CAMPAIGN),
        (Nature.CIVIC, Purpose.CAMPAIGN),
        (Nature.UNSAID, Purpose.TRANSACTIONAL),
    ]
    async with database.write() as session:
        for place, (name, (known, _, _)) in enumerate(HOMES.items()):
            await a_person(session, f"{name}.a", **{**known, "phone": f"+336{place:04}0000"})
        sender = await an_identity(session)
        for nature, purpose in natures:
            for channel in Channel:
                made = await a_bound_campaign(
                    session, sender, nature=nature, channel=channel, purpose=purpose
                )
                story.names[made.name] = made.id
                story.natures[made.id] = (nature, purpose)
                story.waiting.append(made.id)
    story.draw.shuffle(story.waiting)


async def something_happens(database: Database, story: Story) -> None:
    draw, clock = story.draw, story.clock
    match draw.randrange(8):
        case 0 | 1 if story.waiting:
            await launched_at(database, clock, story.waiting.pop())
        case 2 if draw.random() < 0.2:
            await a_vote_is_entered(database, story)
        case 3 if story.votes and draw.random() < 0.3:
            vote = draw.choice(story.votes)
            vote.until = min(vote.until, clock.now())
            async with database.write() as session:
                with contextlib.suppress(ConflictError):
                    await take_away(session, vote.number, by="ana", reason="wrong", now=clock.now())
        case 4:
            await somebody_lets_one_leave(database, story)
        case 5:
            await take_back(database, clock)
        case 6:
            await somebody_pauses_or_resumes(database, story)
        case 7:
            await doubt_is_settled(database, story)
        case _:
            pass


async def a_vote_is_entered(database: Database, story: Story) -> None:
    draw, now = story.draw, story.clock.now()
    day = now.date() + timedelta(days=draw.randint(1, 5))
    departement = draw.choice(["", "", "69", "972"])
    name = f"Vote {len(story.votes)}"
    local = {
        "territory": TerritoryKind.DEPARTEMENT,
        "territory_value": departement,
        "day_before": [],
    }
    entry = await entered(database, name=name, day=day, **(local if departement else {}))
    story.votes.append(Vote(entry.id, day, departement, now + KNOWN_WITHIN))


async def somebody_lets_one_leave(database: Database, story: Story) -> None:
    number, now = story.draw.choice(list(story.natures)), story.clock.now()
    if story.natures[number][0] is Nature.CIVIC or story.natures[number][1] is Purpose.TRANSACTIONAL:
        return
    async with database.write() as session:
        if number in story.waivers:
            await refuse_waiver(session, story.waivers.pop(number), "bea", now)
            since, _ = story.let[number].pop()
            story.let[number].append((since, now))
            return
        asked = await ask_waiver(session, number, "ana", "why", now)
        await agree_to_waiver(session, asked.id, "bea", now)
    story.waivers[number] = asked.id
    story.let.setdefault(number, []).append((now, None))


async def somebody_pauses_or_resumes(database: Database, story: Story) -> None:
    async with database.write() as session:
        for campaign in await campaigns.list_in_state(session, CampaignState.SENDING, CampaignState.PAUSED):
            if story.draw.random() < 0.4:
                change = pause if campaign.state is CampaignState.SENDING else resume
                await change(session, campaign.id, story.clock.now())


async def doubt_is_settled(database: Database, story: Story) -> None:
    """A person has what is uncertain sent again."""
    number = story.draw.choice(list(story.natures))
    async with database.write() as session:
        await resolve_uncertain(session, number, Decision.SEND_AGAIN, "ana", story.clock.now())


async def everybody_works(
    database: Database, workers: Mapping[Channel, Sequence[Dispatcher]], story: Story
) -> None:
    async with database.read() as session:
        lanes = await deliveries.due_lanes(session, story.clock.now())
    turns = [
        (worker, lane)
        for lane in lanes
        for worker in workers[Channel.SMS if lane.provider == "sms" else Channel.EMAIL]
    ]
    story.draw.shuffle(turns)
    await asyncio.gather(*(worker.drain(lane) for worker, lane in turns))


def home_of(envelope: Envelope) -> str:
    """Where the reader of a message lives."""
    if isinstance(envelope, SmsEnvelope):
        return list(HOMES)[int(envelope.recipient[4:8])]
    return envelope.recipient.partition(".")[0]


def campaign_of(envelope: Envelope, story: Story) -> int:
    """Whose message it is."""
    if isinstance(envelope, SmsEnvelope):
        return story.names[envelope.text.partition(":")[0]]
    found = re.search(rb"Feedback-ID: (\d+):", envelope.data)
    assert found
    return int(found[1])


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_leaves_in_silence(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    story = Story(draw, ManualClock())
    await the_country(database, story)
    transports = [
        ScriptedTransport(channel, Lots(draw), clock=story.clock) for channel in Channel for _ in range(2)
    ]
    workers = {
        channel: [
            a_dispatcher(database, one, story.clock, chunk=draw.choice((3, 200)), zone=PARIS)
            for one in transports
            if one.channel is channel
        ]
        for channel in Channel
    }
    while story.clock.now() < START + timedelta(days=6):
        for _ in range(draw.randint(1, 3)):
            await something_happens(database, story)
        await everybody_works(database, workers, story)
        story.clock.advance(draw.choice((1, 60, 90, 150, 300)) * timedelta(minutes=1))
    left = 0
    for transport in transports:
        for envelope, moment in zip(transport.sent, transport.moments, strict=True):
            number = campaign_of(envelope, story)
            if story.is_bound(number, moment):
                left += 1
                home = home_of(envelope)
                assert not any(vote.silences(home, moment) for vote in story.votes), (number, home, moment)
    assert left > 10
    for desks in workers.values():
        for desk in desks:
            await desk.close()
