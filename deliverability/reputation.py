"""When what comes back becomes too much for a sender: shares over meaningful numbers, and what they call for.

Pure. Counters give, for each breaker, a part and a whole by campaign (`measured`); what was counted before
somebody looked at it last does not count again (`since`); `judge` says how bad the rest is, and whether it
is enough to act upon. A share decides by the lower end of Wilson's interval, or where the whole is large by
itself; few messages only tell.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from deliverability.assessment.intervals import wilson_interval
from deliverability.breaker_rules import COUNTED, Breaker, Measured, Over
from deliverability.report_values import FEEDLESS
from models.incident import IncidentLevel
from models.states import BounceClass, EventKind, Fault
from store.rates import SHUT_OUT, LaneTally, SaidTally, Tallies
from store.seeds import Outcome, SeedOutcome
from store.tally_keys import Said

GONE = frozenset({BounceClass.NO_SUCH_ADDRESS, BounceClass.INACTIVE, BounceClass.HELD_BACK})
"""What a bad list is full of. Blocks, content and authentication are no doing of the addresses."""
OF_ONE_MAILBOX = frozenset({BounceClass.GREYLIST, BounceClass.MAILBOX_FULL})
SEEN = frozenset({Outcome.INBOX, Outcome.TAB, Outcome.SPAM})
COMING_BACK = frozenset({EventKind.REFUSED, EventKind.BOUNCED})
DIRECT = frozenset({EventKind.REFUSED})
EXAMPLES = 5


class Volume(NamedTuple):
    """`part` of `whole` messages; `sure`: those of the part of which one is enough."""

    part: int
    whole: int
    sure: int = 0

    def plus(self, other: "Volume") -> "Volume":
        """Both together."""
        return Volume(self.part + other.part, self.whole + other.whole, self.sure + other.sure)

    def minus(self, other: "Volume") -> "Volume":
        """What came after `other`; counters that were counted anew may have become less."""
        return Volume(*(max(0, mine - its) for mine, its in zip(self, other, strict=True)))

    @property
    def share(self) -> float:
        """Between 0 and 1; more cases than messages are all of them."""
        return min(1.0, self.part / self.whole) if self.whole else float(self.part > 0)


NOTHING = Volume(0, 0)
ByCampaign = Mapping[int, Volume]


class Place(NamedTuple):
    """Whose messages are counted together; "" and None: all of them."""

    identity_id: int | None
    provider: str
    campaign_id: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """How bad it is; `acts`: on numbers large enough to do something about it."""

    level: IncidentLevel
    acts: bool


@dataclass(frozen=True, slots=True)
class Example:
    """What was said, by whom, how often."""

    provider: str
    bounce_class: BounceClass | None
    code: int | None
    enhanced: str | None
    text: str
    count: int


ShutOut = Mapping[tuple[int, int, str], Mapping[str, int]]
"""By campaign, identity and provider: how many deliveries met with which enhanced status."""


def judge(volume: Volume, breaker: Breaker) -> Judgement | None:
    """How bad so many are, None: not at all. More cases of as many messages are never less bad."""
    if breaker.measure in COUNTED:
        return _judge_count(volume, breaker)
    if volume.part < breaker.fewest or volume.whole < breaker.last:
        return None
    enough = volume.whole >= breaker.volume
    if _exceeds(volume, breaker.red, breaker.floor):
        return Judgement(IncidentLevel.RED if enough else IncidentLevel.AMBER, acts=enough)
    if _exceeds(volume, breaker.amber, breaker.floor):
        return Judgement(IncidentLevel.AMBER, acts=enough)
    return None


def _judge_count(volume: Volume, breaker: Breaker) -> Judgement | None:
    if volume.part < breaker.fewest:
        return None
    enough = volume.whole >= breaker.volume
    many = volume.part >= breaker.red and volume.part > breaker.red_share * volume.whole
    if enough and (many or volume.sure):
        return Judgement(IncidentLevel.RED, acts=True)
    if volume.part >= breaker.amber:
        return Judgement(IncidentLevel.AMBER, acts=enough)
    return None


def _exceeds(volume: Volume, threshold: float, floor: int) -> bool:
    if volume.share < threshold:
        return False
    interval = wilson_interval(min(volume.part, volume.whole), volume.whole)
    return volume.whole >= floor or (interval is not None and interval[0] > threshold)


def has_recovered(fresh: Volume, breaker: Breaker) -> bool:
    """Whether what came since the last look is under the amber line, over numbers that mean something."""
    if breaker.measure in COUNTED:
        return False  # a count does not fall: time ends it, or a person
    return fresh.whole >= breaker.volume and fresh.share < breaker.amber


def since(now: ByCampaign, base: ByCampaign) -> Volume:
    """What was counted after `base`, of the campaigns that are still in view."""
    volume = NOTHING
    for campaign_id, count in now.items():
        volume = volume.plus(count.minus(base.get(campaign_id, NOTHING)))
    return volume


def measured(
    breaker: Breaker,
    tallies: Tallies,
    *,
    campaigns: Collection[int],
    shut_out: ShutOut,
    seeds: Sequence[SeedOutcome],
    at_once: bool = False,
) -> dict[Place, dict[int, Volume]]:
    """What a breaker counts, by place and campaign; `campaigns`: those that count for it.

    `at_once`: of hard bounces direct answers alone, as of the last messages: one that comes later is about
    earlier ones.
    """
    if breaker.measure is Measured.SEEDS:
        return {place: {place[2] or 0: volume} for place, volume in _seeds(seeds, campaigns).items()}
    said = [one for one in tallies.said if one.campaign_id in campaigns and one.said.fault is not Fault.RELAY]
    lanes = [lane for lane in tallies.lanes if lane.campaign_id in campaigns and lane.provider]
    found: dict[Place, dict[int, Volume]] = {}
    for lane, volume in _by_lane(breaker, lanes, said, shut_out, DIRECT if at_once else COMING_BACK):
        counts = found.setdefault(_place(breaker.over, lane), {})
        counts[lane.campaign_id] = counts.get(lane.campaign_id, NOTHING).plus(volume)
    return found


def _place(over: Over, lane: LaneTally) -> Place:
    match over:
        case Over.LANE:
            return Place(lane.identity_id, lane.provider, None)
        case Over.CAMPAIGN:
            return Place(None, "", lane.campaign_id)
        case Over.CAMPAIGN_LANE:
            return Place(lane.identity_id, lane.provider, lane.campaign_id)


def _by_lane(
    breaker: Breaker,
    lanes: Sequence[LaneTally],
    said: Sequence[SaidTally],
    shut_out: ShutOut,
    kinds: Collection[EventKind],
) -> Iterable[tuple[LaneTally, Volume]]:
    match breaker.measure:
        case Measured.HARD:
            hard = partial(_hard, kinds=kinds)
            gone = _parts(lanes, said, hard, lambda one: one.bounce_class in GONE, kinds)
            return ((lane, Volume(gone(lane), lane.answered)) for lane in lanes)
        case Measured.DEFERRALS:
            pardoned = _parts(
                lanes, said, _deferred, lambda one: one.bounce_class in OF_ONE_MAILBOX, {EventKind.DEFERRED}
            )
            return ((lane, Volume(_deferred(lane) - pardoned(lane), lane.tried)) for lane in lanes)
        case Measured.COMPLAINTS:
            return (
                (lane, Volume(lane.news.get(EventKind.COMPLAINED, 0), lane.news.get(EventKind.ACCEPTED, 0)))
                for lane in lanes
                if lane.provider not in FEEDLESS
            )
        case Measured.BLOCKS:
            statuses = _statuses(lanes, said, shut_out)
            return ((lane, _blocks(breaker, lane, statuses)) for lane in lanes)
        case Measured.SEEDS:
            return ()


def _hard(lane: LaneTally, kinds: Collection[EventKind]) -> int:
    return sum(lane.hard.get(kind, 0) for kind in kinds)


def _deferred(lane: LaneTally) -> int:
    return lane.news.get(EventKind.DEFERRED, 0)


def _parts(
    lanes: Sequence[LaneTally],
    said: Sequence[SaidTally],
    of: Callable[[LaneTally], int],
    fits: Callable[[Said], bool],
    kinds: Collection[EventKind],
) -> Callable[[LaneTally], int]:
    """How many of a lane's refusals are of a kind that is counted by campaign and provider alone.

    Exact where a campaign has one sender; the senders of another share them as they share the refusals.
    """
    heard: dict[tuple[int, str], int] = {}
    for one in said:
        if one.said.kind in kinds and fits(one.said):
            place = (one.campaign_id, one.provider)
            heard[place] = heard.get(place, 0) + one.count
    whole: dict[tuple[int, str], int] = {}
    for lane in lanes:
        place = (lane.campaign_id, lane.provider)
        whole[place] = whole.get(place, 0) + of(lane)

    def part(lane: LaneTally) -> int:
        place = (lane.campaign_id, lane.provider)
        mine, all_of_them = of(lane), whole.get(place, 0)
        if not mine:
            return 0
        return min(mine, round(heard.get(place, 0) * mine / all_of_them))

    return part


def _statuses(lanes: Sequence[LaneTally], said: Sequence[SaidTally], shut_out: ShutOut) -> ShutOut:
    """What shut the sender out, by lane: as it was heard, or of several senders as it was looked up."""
    senders: dict[int, set[int]] = {}
    for lane in lanes:
        senders.setdefault(lane.campaign_id, set()).add(lane.identity_id)
    alone = {campaign_id: min(those) for campaign_id, those in senders.items() if len(those) == 1}
    found: dict[tuple[int, int, str], dict[str, int]] = {key: dict(heard) for key, heard in shut_out.items()}
    for one in said:
        if one.said.bounce_class in SHUT_OUT and one.campaign_id in alone:
            heard = found.setdefault((one.campaign_id, alone[one.campaign_id], one.provider), {})
            status = one.said.enhanced or ""
            heard[status] = heard.get(status, 0) + one.count
    return found


def _blocks(breaker: Breaker, lane: LaneTally, statuses: ShutOut) -> Volume:
    heard = statuses.get((lane.campaign_id, lane.identity_id, lane.provider), {})
    at_once = breaker.at_once
    sure = sum(count for status, count in heard.items() if at_once and at_once.fullmatch(status))
    return Volume(sum(heard.values()), max(lane.tried, lane.answered), sure)


def with_several_senders(lanes: Iterable[LaneTally]) -> set[int]:
    """Campaigns that are sent from more than one identity."""
    first: dict[int, int] = {}
    return {
        lane.campaign_id
        for lane in lanes
        if lane.identity_id and first.setdefault(lane.campaign_id, lane.identity_id) != lane.identity_id
    }


def _seeds(seeds: Sequence[SeedOutcome], campaigns: Collection[int]) -> dict[Place, Volume]:
    found: dict[Place, Volume] = {}
    for seed in seeds:
        if seed.campaign_id in campaigns and seed.outcome in SEEN:
            place = Place(seed.identity_id, seed.provider, seed.campaign_id)
            spam = int(seed.outcome is Outcome.SPAM)
            found[place] = found.get(place, NOTHING).plus(Volume(spam, 1))
    return found


def examples(
    breaker: Breaker, said: Iterable[SaidTally], place: Place, campaigns: Collection[int]
) -> list[Example]:
    """What providers said of it, the most frequent first, in their own words."""
    fitting = {
        Measured.HARD: (COMING_BACK, GONE),
        Measured.DEFERRALS: ({EventKind.DEFERRED}, frozenset(BounceClass) - OF_ONE_MAILBOX),
        Measured.BLOCKS: (frozenset(EventKind), SHUT_OUT),
    }.get(breaker.measure)
    if fitting is None:
        return []
    kinds, classes = fitting
    found = [
        Example(one.provider, one.said.bounce_class, one.said.code, one.said.enhanced, one.text, one.count)
        for one in said
        if one.campaign_id in campaigns
        and place.campaign_id in {None, one.campaign_id}
        and place.provider in {"", one.provider}
        and one.said.kind in kinds
        and one.said.bounce_class in classes
        and one.said.fault is not Fault.RELAY
    ]
    return sorted(found, key=lambda one: (-one.count, one.provider, one.text))[:EXAMPLES]
