"""How much mail people get, and whether those who get more of it tire of it. Pure.

Fewer than ten people are never shown: neighbouring numbers are put together instead of left blank, or what
is blank could be had by taking the others from the whole. Whether people tire is asked within each
campaign (Mantel and Haenszel's ratio): a campaign that everybody liked, sent to people who had had nothing
for a week, would otherwise look like proof.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import exp, log, sqrt
from typing import Final

from deliverability.assessment.intervals import NORMAL_95, wilson_interval

FEWEST: Final = 10
"""People below which nothing is told of them."""
OR_MORE: Final = 5
"""From this number on people are told together."""
MANY: Final = (3, 2, 1)
"""Messages in the week before from which on somebody had many: the first for which there is enough."""
ENOUGH: Final = 5
"""Clicks expected of those who had many below which nothing is said of them."""


@dataclass(frozen=True, slots=True)
class Band:
    """From `first` messages to `last`; None: or more."""

    first: int
    last: int | None

    def holds(self, number: int) -> bool:
        """Whether so many messages belong to it."""
        return self.first <= number and (self.last is None or number <= self.last)

    def sum(self, counts: Mapping[int, int]) -> int:
        """What is counted in it, of counts by number of messages."""
        return sum(count for number, count in counts.items() if self.holds(number))


SINGLE: Final = (*(Band(number, number) for number in range(OR_MORE)), Band(OR_MORE, None))


def bands_of(can_be_shown: Callable[[Band], bool]) -> tuple[Band, ...]:
    """The bands to tell, as narrow as `can_be_shown` allows; none when not even all together can be."""
    made: list[Band] = []
    first = 0
    for one in SINGLE:
        band = Band(first, one.last)
        if can_be_shown(band):
            made.append(band)
            first = one.first + 1
    # What is left over at the end goes to the band before it, and on from there.
    while first <= OR_MORE:
        if not made:
            return ()
        first = made.pop().first
        band = Band(first, None)
        if can_be_shown(band):
            made.append(band)
            break
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Spread:
    """How many people got how many messages in a week; 0: the people on the list who got nothing."""

    people: Mapping[int, int]

    @property
    def reached(self) -> int:
        """Who got at least one."""
        return sum(count for number, count in self.people.items() if number)

    @property
    def whole(self) -> int:
        """Everybody on the list."""
        return sum(self.people.values())

    def quantile(self, share: float) -> int | None:
        """So many messages, or fewer, `share` of the people reached got; None: too few were reached."""
        if self.reached < FEWEST:
            return None
        numbers = sorted(number for number in self.people if number)
        sums = accumulate(self.people[number] for number in numbers)
        return next(
            number for number, sum_ in zip(numbers, sums, strict=True) if sum_ >= share * self.reached
        )

    @property
    def shown(self) -> bool:
        """Whether enough people were reached to tell of them."""
        return self.reached >= FEWEST


def spread_bands(spreads: Iterable[Spread]) -> tuple[Band, ...]:
    """The bands in which all of these can be shown beside each other."""
    counts = [spread.people for spread in spreads if spread.shown]

    def can_be_shown(band: Band) -> bool:
        return all(band.sum(people) == 0 or band.sum(people) >= FEWEST for people in counts)

    return bands_of(can_be_shown) if counts else ()


class Reaction(StrEnum):
    """What people do about a message."""

    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Heard:
    """Messages of one campaign to people who had had `before` in the week before, and what they did."""

    campaign_id: int
    before: int
    messages: int
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0

    def did(self, reaction: Reaction) -> int:
        """How many did it."""
        return int(getattr(self, reaction.value))

    @property
    def tired(self) -> int:
        """How many wanted no more: some of them say it twice."""
        return min(self.messages, self.unsubscribed + self.complained)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of messages and its 95 % interval; all between 0 and 1."""

    part: int
    whole: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FatigueLine:
    """What became of the messages to people who had had so many in the week before."""

    band: Band
    messages: int
    rates: Mapping[Reaction, Rate]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as often those who had had `many` or more did it as those who had had none.

    In the same campaigns; `low` to `high` is the 95 % interval.
    """

    many: int
    value: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether there is a difference that chance does not explain."""
        return self.low > 1 or self.high < 1


@dataclass(frozen=True, slots=True)
class FatigueCurve:
    """What people do by how much they had had: line by line, and many against none."""

    campaigns: int
    messages: int
    lines: tuple[FatigueLine, ...]
    clicks: Ratio | None = None
    tired: Ratio | None = None


def fatigue_curve(heard: Sequence[Heard]) -> FatigueCurve:
    """The curve of an identity over its campaigns; no lines when too few people were written to."""
    people: dict[int, dict[int, int]] = {}
    for one in heard:
        of_campaign = people.setdefault(one.campaign_id, {})
        of_campaign[one.before] = of_campaign.get(one.before, 0) + one.messages

    def can_be_shown(band: Band) -> bool:
        # A campaign writes to nobody twice: ten messages of one are ten people, of several perhaps not.
        most = max((band.sum(counts) for counts in people.values()), default=0)
        return most >= FEWEST or not any(band.sum(counts) for counts in people.values())

    bands = bands_of(can_be_shown) if any(one.messages for one in heard) else ()
    return FatigueCurve(
        campaigns=len({one.campaign_id for one in heard if one.messages}),
        messages=sum(one.messages for one in heard),
        lines=tuple(_line(band, [one for one in heard if band.holds(one.before)]) for band in bands),
        clicks=_many_against_none(heard, lambda one: one.clicked),
        tired=_many_against_none(heard, lambda one: one.tired),
    )


def _line(band: Band, heard: Sequence[Heard]) -> FatigueLine:
    messages = sum(one.messages for one in heard)
    return FatigueLine(
        band,
        messages,
        {
            reaction: _rate(sum(one.did(reaction) for one in heard), messages)
            for reaction in Reaction
            if messages
        },
    )


def _rate(part: int, whole: int) -> Rate:
    low, high = wilson_interval(part, whole) or (0.0, 1.0)
    return Rate(part, whole, part / whole, low, high)


def _many_against_none(heard: Sequence[Heard], did: Callable[[Heard], int]) -> Ratio | None:
    return next((found for many in MANY if (found := _ratio(heard, did, many)) is not None), None)


@dataclass(slots=True)
class _Stratum:
    """A campaign: messages to those who had had none and to those who had had many, and reactions."""

    none: int = 0
    none_did: int = 0
    many: int = 0
    many_did: int = 0


def _ratio(heard: Sequence[Heard], did: Callable[[Heard], int], many: int) -> Ratio | None:
    """Mantel and Haenszel's risk ratio over the campaigns, with Greenland and Robins' variance."""
    strata: dict[int, _Stratum] = {}
    for one in heard:
        stratum = strata.setdefault(one.campaign_id, _Stratum())
        if one.before == 0:
            stratum.none, stratum.none_did = stratum.none + one.messages, stratum.none_did + did(one)
        elif one.before >= many:
            stratum.many, stratum.many_did = stratum.many + one.messages, stratum.many_did + did(one)
    both = [stratum for stratum in strata.values() if stratum.none and stratum.many]
    expected = sum(stratum.many * stratum.none_did / stratum.none for stratum in both)
    above = sum(one.many_did * one.none / (one.none + one.many) for one in both)
    below = sum(one.none_did * one.many / (one.none + one.many) for one in both)
    if expected < ENOUGH or above <= 0 or below <= 0:
        return None
    variance = sum(map(_part_of_variance, both)) / (above * below)
    spread = NORMAL_95 * sqrt(max(0.0, variance))
    middle = log(above / below)
    return Ratio(many, above / below, exp(middle - spread), exp(middle + spread))


def _part_of_variance(one: _Stratum) -> float:
    whole = one.none + one.many
    together = (one.none_did + one.many_did) * one.none * one.many
    return (together - one.none_did * one.many_did * whole) / whole**2
