"""When a campaign will be over, before it is launched and while it runs.

From what waits in every lane (its own messages and those of the campaigns under way), the limits and brakes
as they are now, warm-up plans, sending windows and deadlines. Not foreseen: answers that slow a lane down
later, and campaigns that are only scheduled.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import UNTIL_TOLD, Campaign
from models.contact import Contact
from models.identity import Identity
from models.providers import SMS
from models.states import CampaignState, Channel, IdentityRule
from scheduler.calendar import SendingWindows
from scheduler.choosing import choose_for
from scheduler.destinations import providers_as_known
from scheduler.flow import Course, LaneKey, Queue, simulate
from scheduler.held_back import behind_the_canary, holds_of
from scheduler.lanes_ahead import Ahead, look_ahead
from scheduler.pacing import Pace
from scheduler.rhythm import Rhythm
from scheduler.senders import can_send, choose_identity
from scheduler.silence import Home
from scheduler.waivers import votes_near
from scheduler.warming import day_of
from scheduler.warmup import planned_cap, warm_on
from store import campaigns, queues
from store.queues import Crowd

UNDER_WAY: Final = (CampaignState.SENDING, CampaignState.LAUNCHING)
SEARCH_TO: Final = timedelta(minutes=5)
"""How exactly the latest start is found."""


@dataclass(frozen=True, slots=True)
class ForecastOptions:
    """What of the settings matters."""

    pace: Pace = field(default_factory=Pace)
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def zone(self) -> str:
        """The installation's."""
        return self.rhythm.zone


@dataclass(frozen=True, slots=True)
class ProviderForecast:
    """One provider's part; `finishes_at` None: not within two months. `missed` never leave in time."""

    provider: str
    messages: int
    finishes_at: datetime | None
    missed: int


@dataclass(frozen=True, slots=True)
class ColdLane:
    """An identity that will not be known well enough at a provider: it is on `warm_on` if all goes well.

    `messages` are wanted there, `cap` may leave on the day of the start.
    """

    identity_key: str
    provider: str
    messages: int
    cap: int
    warm_on: date


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a campaign comes to. `messages` are those still to leave, `finishes_at` None: no end in sight.

    `latest_start` is the last moment, as exact as five minutes, from which everything would make the
    deadline; None without a deadline, once launched, or when even a start now would be too late.
    `not_after`: the deadline that most would miss, else the first; `for_vote`: it is that of a vote.
    `silenced`: how many are in election silence at the start, and get nothing; `people`: how many are not,
    and would get it if its senders can.
    """

    campaign_id: int
    made_at: datetime
    starts_at: datetime
    finishes_at: datetime | None
    not_after: datetime | None
    providers: tuple[ProviderForecast, ...]
    latest_start: datetime | None
    cold: tuple[ColdLane, ...]
    for_vote: bool = False
    silenced: int = 0
    people: int = 0

    @property
    def messages(self) -> int:
        """How many are still to leave."""
        return sum(part.messages for part in self.providers)

    @property
    def missed(self) -> int:
        """How many would miss the deadline."""
        return sum(part.missed for part in self.providers)


async def forecast(
    session: AsyncSession,
    campaign_id: int,
    now: datetime,
    options: ForecastOptions,
    *,
    starts_at: datetime | None = None,
) -> Forecast:
    """What becomes of a campaign from `now` on; `starts_at` tries another start for one not launched yet.

    One that is paused is taken to go on now.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    under_way = await campaigns.list_in_state(session, *UNDER_WAY)
    others = [each for each in under_way if each.id != campaign_id]
    own_identities = {each.id: each for each in await campaigns.identities_of(session, campaign_id)}
    silenced = people = 0
    if _launched(campaign):
        starts_at = now
        asked = [*others, campaign]
        waiting = await _waiting(session, asked, options, now)
    else:
        starts_at = max(now, starts_at or campaign.starts_at or now)
        waiting = await _waiting(session, others, options, now)
        senders = list(own_identities.values())
        expected, people, silenced = await _expected(
            session, campaign, senders, options, starts_at=starts_at, now=now
        )
        waiting += await behind_the_canary(session, campaign_id, expected)
    ahead = await look_ahead(session, {queue.lane for queue in waiting}, options.pace, options.zone, now)
    view = _View(campaign, waiting, ahead, now)
    courses = view.courses(starts_at)
    deadline = _deadline(courses) or campaign.not_after
    days = day_of(starts_at, options.zone), day_of(now, options.zone)
    return Forecast(
        campaign_id=campaign_id,
        made_at=now,
        starts_at=starts_at,
        finishes_at=_latest(course.finishes_at for course in courses),
        not_after=deadline,
        providers=_by_provider(courses),
        latest_start=None if view.launched else view.latest_start(),
        cold=_cold(own_identities, view.own(), ahead, *days),
        for_vote=deadline is not None and deadline != campaign.not_after,
        silenced=silenced,
        people=people,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """A campaign's queues among the others', and the limits they share."""

    campaign: Campaign
    waiting: Sequence[Queue]
    ahead: Ahead
    now: datetime

    @property
    def launched(self) -> bool:
        """Whether its messages wait already, each from a moment of its own."""
        return _launched(self.campaign)

    def own(self) -> list[Queue]:
        """The campaign's queues alone."""
        return [queue for queue in self.waiting if queue.campaign_id == self.campaign.id]

    def courses(self, starts_at: datetime) -> list[Course]:
        """What the campaign's queues come to if it starts then."""
        own = self.campaign.id
        begun = [
            replace(queue, begins_at=starts_at + queue.after)
            if queue.campaign_id == own and not self.launched
            else queue
            for queue in self.waiting
        ]
        ahead = self.ahead
        going = [queue for queue in begun if queue.begins_at < UNTIL_TOLD]
        found = list(simulate(going, ahead.lanes, ahead.rates, ahead.shares, self.now))
        # Until a person says so: nobody knows when, and a deadline would pass.
        held = (queue for queue in begun if queue.begins_at >= UNTIL_TOLD)
        found += [Course(queue, None, 0 if queue.not_after is None else queue.count) for queue in held]
        return [course for course in found if course.queue.campaign_id == own]

    def latest_start(self) -> datetime | None:
        """Halving the time to the deadline until the last start that makes it is found."""
        first = min((queue.not_after for queue in self.own() if queue.not_after is not None), default=None)
        bad = self.campaign.not_after or first
        if bad is None or not self._makes_it(self.now):
            return None
        good = self.now
        while bad - good > SEARCH_TO:
            middle = good + (bad - good) / 2
            if self._makes_it(middle):
                good = middle
            else:
                bad = middle
        return good.replace(second=0, microsecond=0) if good > self.now else self.now

    def _makes_it(self, starts_at: datetime) -> bool:
        return not any(course.missed for course in self.courses(starts_at))


def _launched(campaign: Campaign) -> bool:
    """Whether its messages are all there; until the launch is over its audience is counted as before."""
    return campaign.launched_at is not None and campaign.state is not CampaignState.LAUNCHING


def _by_provider(courses: Iterable[Course]) -> tuple[ProviderForecast, ...]:
    """The largest first."""
    parts: dict[str, list[Course]] = defaultdict(list)
    for course in courses:
        parts[course.queue.lane[1]].append(course)
    told = [
        ProviderForecast(
            provider,
            sum(course.queue.count for course in some),
            _latest(course.finishes_at for course in some),
            sum(course.missed for course in some),
        )
        for provider, some in parts.items()
    ]
    return tuple(sorted(told, key=lambda part: (-part.messages, part.provider)))


def _deadline(courses: Iterable[Course]) -> datetime | None:
    """The deadline that most would miss; the first, when nobody would; None when there is none."""
    missed: Counter[datetime] = Counter()
    for course in courses:
        if course.queue.not_after is not None:
            missed[course.queue.not_after] += course.missed
    return min(missed, key=lambda deadline: (-missed[deadline], deadline), default=None)


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    """The latest, None when one has no end."""
    known = list(moments)
    if None in known:
        return None
    return max((moment for moment in known if moment is not None), default=None)


async def _waiting(
    session: AsyncSession, asked: Sequence[Campaign], options: ForecastOptions, now: datetime
) -> list[Queue]:
    """What the campaigns under way still hold."""
    if not asked:
        return []
    by_number = {campaign.id: campaign for campaign in asked}
    by_place = any(not _windows(campaign, options).always for campaign in asked)
    rows = await queues.waiting(session, list(by_number), now, by_place=by_place)
    holds = await holds_of(session, list(by_number), now)
    merged: Counter[tuple[int, LaneKey, str, datetime, datetime]] = Counter()
    for row in rows:
        zone = options.rhythm.zone_of(row.place)
        until = row.not_after or UNTIL_TOLD
        begins_at = holds.begins_at(row)
        merged[row.campaign_id, (row.identity_id, row.provider), zone, begins_at, until] += row.count
    return [
        _queue(by_number[number], lane, count, options, zone=zone, begins_at=begins_at, until=until)
        for (number, lane, zone, begins_at, until), count in sorted(merged.items())
    ]


async def _expected(
    session: AsyncSession,
    campaign: Campaign,
    senders: Sequence[Identity],
    options: ForecastOptions,
    *,
    starts_at: datetime,
    now: datetime,
) -> tuple[list[Queue], int, int]:
    """What a campaign would hold if its audience were frozen now.

    And for how many people it is, whoever can write to them; and how many a vote would leave out.
    """
    rhythm = options.rhythm
    chosen = await choose_for(session, campaign, now, place_is_free=options.rhythm.place_is_free)
    votes = await votes_near(
        session, campaign.nature, campaign.purpose, campaign_id=campaign.id, at=starts_at, rhythm=rhythm
    )
    windows = _windows(campaign, options)
    crowds = await queues.crowds(
        *(session, chosen.selection, now),
        by_place=bool(votes) or not windows.always,
        caps=rhythm.caps(campaign.channel, campaign.purpose, starts_at),
        campaign_id=campaign.id,
        apart=votes.apart(),
    )
    found, silenced = rhythm.without_silenced(crowds, windows, votes, starts_at)
    providers = await _providers(session, {crowd.domain for crowd in found}, campaign.channel)
    merged: Counter[tuple[LaneKey, str, datetime]] = Counter()
    for crowd in found:
        cut_off = votes.cut_off(Home.of(crowd.place), starts_at) if votes else None
        until = min(cut_off or UNTIL_TOLD, campaign.not_after or UNTIL_TOLD)
        zone = rhythm.zone_of(crowd.place)
        for identity_id, count in _senders_of(campaign, senders, crowd).items():
            merged[(identity_id, providers[crowd.domain]), zone, until] += count
    expected = [
        _queue(campaign, lane, count, options, zone=zone, begins_at=starts_at, until=until)
        for (lane, zone, until), count in sorted(merged.items())
    ]
    return expected, sum(crowd.count for crowd in found), silenced


def _senders_of(campaign: Campaign, senders: Sequence[Identity], crowd: Crowd) -> dict[int, int]:
    """How many of a crowd each identity writes to, as near as the crowd is known.

    Of territories smaller than a département nothing is known here: their people count for the larger one.
    """
    able = [identity for identity in senders if can_send(identity, campaign.channel)]
    if campaign.identity_rule is IdentityRule.ROTATE and able:
        share, rest = divmod(crowd.count, len(able))
        return {identity.id: share + (place < rest) for place, identity in enumerate(able)}
    somebody = Contact(id=0, departement=crowd.departement, region=crowd.region)
    chosen = choose_identity(campaign.identity_rule, able, somebody, campaign.channel)
    return {} if chosen is None else {chosen.id: crowd.count}


async def _providers(session: AsyncSession, domains: set[str], channel: Channel) -> dict[str, str]:
    """The provider of each domain, as far as it is known already."""
    return (
        dict.fromkeys(domains, SMS) if channel is Channel.SMS else await providers_as_known(session, domains)
    )


def _queue(
    campaign: Campaign,
    lane: LaneKey,
    count: int,
    options: ForecastOptions,
    *,
    zone: str,
    begins_at: datetime,
    until: datetime,
) -> Queue:
    return Queue(
        campaign_id=campaign.id,
        lane=lane,
        count=count,
        begins_at=begins_at,
        zone=zone,
        windows=_windows(campaign, options),
        not_after=None if until == UNTIL_TOLD else until,
        urgent=campaign.urgent,
    )


def _windows(campaign: Campaign, options: ForecastOptions) -> SendingWindows:
    return options.rhythm.windows.windows_of(campaign.windows, campaign.channel)


def _cold(
    senders: Mapping[int, Identity],
    own: Sequence[Queue],
    ahead: Ahead,
    starts_on: date,
    today: date,
) -> tuple[ColdLane, ...]:
    """Where the campaign wants more on its first day than a warm-up plan will have come to by then."""
    wanted: Counter[LaneKey] = Counter()
    for queue in own:
        wanted[queue.lane] += queue.count
    told = []
    for lane, plan in sorted(ahead.plans.items()):
        cap = planned_cap(plan.cap, plan.target, (starts_on - today).days)
        if lane[0] not in senders or cap is None or wanted[lane] <= cap:
            continue
        warm = warm_on(plan.cap, plan.target, today, wanted[lane])
        told.append(ColdLane(senders[lane[0]].key, lane[1], wanted[lane], cap, warm))
    return tuple(told)
