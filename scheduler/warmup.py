"""How an identity gets known at a provider: so many messages a day, more each day that goes well. Pure.

A provider judges a new sender by its first days: a full list at once looks like an address gone rogue, a
number that grows with good answers does not. Per identity and provider, since each provider keeps its own
memory; by days in the installation's zone, since providers judge by the day.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from models.pace import WarmupState

MOST_AT_FIRST: Final = 200
SHARE_AT_FIRST: Final = 0.02
FLOOR: Final = 20
"""No plan falls below: fewer messages would tell nothing."""
GROWTH: Final = 1.5
RETREAT: Final = 0.5
USED_ENOUGH: Final = 0.5
"""A day that used less of its cap proves nothing for a larger one."""

DEFERRED_SHARES: Final = (0.05, 0.30)
HARD_SHARES: Final = (0.02, 0.05)
COMPLAINT_SHARES: Final = (0.0008, 0.002)
"""From the first share on a day is amber, from the second on red."""
FEWEST: Final = {"deferred": 5, "hard": 3, "complaints": 2}
"""Fewer than these are chance: one complaint among the 200 messages of a first day is 0.5 %."""

BAND_DAYS: Final = (7, 14, 30, 60, 90, 180, 365, 730)
NEVER: Final = 9


class Light(StrEnum):
    """What a day says of the next: step up, stay, step back."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Day:
    """What was measured of one identity at one provider: messages, counted once each.

    `sent` those handed over for the first time, `deferred` those put off (greylisting aside), `hard` those
    refused for good on the recipient's account, `blocks` answers that shut us out. `before`: those sent on
    the last day that had any, which news is about that comes on a day without.
    """

    sent: int = 0
    deferred: int = 0
    hard: int = 0
    complaints: int = 0
    blocks: int = 0
    before: int = 0

    def share(self, count: int) -> float:
        """The part of the day's messages that `count` is, or of those before; 0 where there were none."""
        base = self.sent or self.before
        return count / base if base else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from a day: the next day's cap, how the plan stands, and why, in words for people."""

    cap: int
    state: WarmupState
    light: Light
    reason: str


def first_cap(list_size: int) -> int:
    """How many on the first day: 200, or 2 % of a smaller list."""
    return max(FLOOR, min(MOST_AT_FIRST, round(SHARE_AT_FIRST * list_size)))


def judge(day: Day) -> tuple[Light, str]:
    """The light of a day and the first reason for it."""
    if day.blocks:
        return Light.RED, "shut out once" if day.blocks == 1 else f"shut out {day.blocks:,} times"
    judged = [
        ("put off", day.deferred, DEFERRED_SHARES, FEWEST["deferred"]),
        ("refused for good", day.hard, HARD_SHARES, FEWEST["hard"]),
        ("complained about", day.complaints, COMPLAINT_SHARES, FEWEST["complaints"]),
    ]
    for light, place in ((Light.RED, 1), (Light.AMBER, 0)):
        for words, count, shares, fewest in judged:
            if count >= fewest and day.share(count) >= shares[place]:
                return light, f"{day.share(count):.2%} {words}"
    return Light.GREEN, "clean"


def next_step(cap: int, target: int, day: Day, *, days: int = 1) -> Step:
    """The cap after a day of at most `cap` messages, on the way to `target`.

    `days`: over how many the measure went, when nothing looked in between.
    """
    light, reason = judge(day)
    match light:
        case Light.RED:
            return Step(cap_after_red(cap), WarmupState.FALLING, light, reason)
        case Light.AMBER:
            return Step(cap, WarmupState.HOLDING, light, reason)
        case Light.GREEN if day.sent < USED_ENOUGH * cap * days:
            reason = f"{day.sent:,} sent: too few for more"
            return Step(cap, WarmupState.HOLDING, light, reason)
        case Light.GREEN if cap >= target:
            return Step(cap, WarmupState.DONE, light, reason)
        case Light.GREEN:
            return Step(min(target, math.ceil(cap * GROWTH)), WarmupState.RISING, light, reason)
        case _:
            assert_never(light)


def cap_after_red(cap: int) -> int:
    """What a bad day leaves of a cap."""
    return max(min(cap, FLOOR), int(cap * RETREAT))


def cap_on(today: date, cap: int, stands_on: date) -> int:
    """What a plan that stands on a day allows `today`: until the day before is judged, as after a bad one."""
    return cap if stands_on >= today else cap_after_red(cap)


def planned_cap(cap: int, target: int, days_ahead: int) -> int | None:
    """The cap `days_ahead` days from now if every day goes well; None: the plan is done by then."""
    for _ in range(days_ahead):
        if cap >= target:
            return None
        cap = min(target, math.ceil(cap * GROWTH))
    return cap


def warm_on(cap: int, target: int, today: date, wanted: int) -> date:
    """The first day on which `wanted` messages may leave if every day goes well."""
    ahead = 0
    while (known := planned_cap(cap, target, ahead)) is not None and known < wanted:
        ahead += 1
    return today + timedelta(days=ahead)


def engagement_band(last_engaged_at: datetime | None, now: datetime) -> int:
    """How long a person has given no sign (a click, an answer): 0 within a week … 9 never.

    While an identity warms up, band 0 goes first: people who want its mail are what makes a good name.
    """
    if last_engaged_at is None:
        return NEVER
    ago = now - last_engaged_at
    return next((band for band, days in enumerate(BAND_DAYS) if ago <= timedelta(days=days)), len(BAND_DAYS))
