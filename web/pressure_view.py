"""How often people are written to, and a plan's days, as a page, a paper and a terminal show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.assessment.pressure import (
    FEWEST,
    Band,
    FatigueCurve,
    Rate,
    Ratio,
    Reaction,
    Spread,
    spread_bands,
)
from deliverability.pressure import PressureReport
from deliverability.volume import PlanDay, PlanLine
from web.borrowed import say_borrowed
from web.i18n import N_, Tongue
from web.words import word_for

NOT_BY_LOT = N_(
    "Who gets more mail is not chosen by lot: part of a difference may be who they are, not what they got."
)
CLICKS_OF_MANY = N_(
    "In the same campaigns, people with %(many)s or more messages in the 7 days before clicked %(ratio)s "
    "times as often as people with none (95%% sure: %(low)s to %(high)s)."
)
TIRED_OF_MANY = N_(
    "In the same campaigns, people with %(many)s or more messages in the 7 days before unsubscribed or "
    "complained %(ratio)s times as often as people with none (95%% sure: %(low)s to %(high)s)."
)
REACTIONS = {
    Reaction.CLICKED: N_("Clicks"),
    Reaction.UNSUBSCRIBED: N_("Unsubscriptions"),
    Reaction.COMPLAINED: N_("Complaints"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, and how grave it is: "", good, quiet, warn."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class DayView:
    """A day of a plan, as it is read; `share`: how much of what was allowed was used."""

    day: str
    allowed: str
    sent: str
    share: str
    followed: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan at one provider, its days the latest first."""

    provider: str
    state: str
    summary: str
    days: tuple[DayView, ...]


@dataclass(frozen=True, slots=True)
class WeekLine:
    """So many messages in a week: how many people got them, from one sender and from all."""

    band: str
    own: str
    own_share: str
    all: str
    all_share: str


@dataclass(frozen=True, slots=True)
class CurveLine:
    """So many messages in the week before: how many messages went there, and each reaction to them."""

    band: str
    messages: str
    rates: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PressureView:
    """What is told of how often people are written to; lines are empty where nothing can be shown."""

    counted: str
    week: tuple[Told, ...]
    week_lines: tuple[WeekLine, ...]
    curve: tuple[Told, ...]
    curve_lines: tuple[CurveLine, ...]


def plans_view(plans: Sequence[PlanLine], tongue: Tongue) -> tuple[PlanView, ...]:
    """The plans in words."""
    return tuple(
        PlanView(
            say_borrowed(tongue, plan.provider_name),
            tongue.say(word_for(plan.state)),
            _summary(plan, tongue),
            tuple(_day(one, tongue) for one in reversed(plan.days)),
        )
        for plan in plans
    )


def _summary(plan: PlanLine, tongue: Tongue) -> str:
    if not plan.under_way:
        return ""
    cap, target = tongue.number(plan.cap), tongue.number(plan.target)
    return tongue.say("at most %(cap)s today, %(target)s in the end", cap=cap, target=target)


def _day(one: PlanDay, tongue: Tongue) -> DayView:
    day = tongue.day(one.day, "short")
    if one.days > 1:
        day = tongue.say("%(day)s, %(days)s days together", day=day, days=tongue.number(one.days))
    allowed = one.cap * one.days
    return DayView(
        day,
        tongue.number(allowed),
        tongue.number(one.sent),
        tongue.percent(one.sent / allowed, 0) if allowed else "–",
        say_borrowed(tongue, one.reason) if one.reason else tongue.say("not over yet"),
        one.is_over,
    )


def pressure_view(found: PressureReport, tongue: Tongue) -> PressureView:
    """The week and the curve in words."""
    counted = ""
    if found.counted_at is not None:
        counted = tongue.say("As counted on %(moment)s", moment=tongue.moment(found.counted_at))
    return PressureView(
        counted,
        tuple(_week(found, tongue)),
        tuple(_week_lines(found, tongue)),
        tuple(_curve(found.fatigue, tongue)),
        tuple(
            CurveLine(
                written(line.band, tongue),
                tongue.number(line.messages),
                tuple(_rate(line.rates.get(one), tongue) for one in Reaction),
            )
            for line in found.fatigue.lines
            if line.messages
        ),
    )


def written(band: Band, tongue: Tongue) -> str:
    """`2`, `2–4`, `5+`."""
    first = tongue.number(band.first)
    if band.last is None:
        return f"{first}+"
    return first if band.last == band.first else f"{first}–{tongue.number(band.last)}"


def _week(found: PressureReport, tongue: Tongue) -> Iterator[Told]:
    if found.counted_at is None:
        yield Told(tongue.say("Not counted yet: that is done within minutes once Tocsin runs."))
        return
    if not found.own.shown:
        few = tongue.say(
            "Fewer than %(few)s people got something from this sender in the last 7 days: they are not told.",
            few=FEWEST,
        )
        yield Told(few)
    else:
        yield Told(
            tongue.say(
                "%(reached)s of %(listed)s people on the list got something from this sender in the last 7 "
                "days: half of them at most %(median)s, 95 of 100 at most %(p95)s.",
                **_figures(found.own, tongue),
            )
        )
    if found.all.shown:
        text = N_(
            "From all senders together, text messages included, %(reached)s people got something: "
            "half of them at most %(median)s, 95 of 100 at most %(p95)s."
        )
        yield Told(tongue.say(text, **_figures(found.all, tongue)))


def everybody(found: Spread, tongue: Tongue) -> str:
    """How often people are written to by all senders together, in a sentence; "" of too few."""
    if not found.shown:
        return ""
    return tongue.say(
        "%(reached)s of %(listed)s people on the list got something in the last 7 days, from all senders "
        "together, text messages included: half of them at most %(median)s, 95 of 100 at most %(p95)s.",
        **_figures(found, tongue),
    )


def _figures(one: Spread, tongue: Tongue) -> dict[str, str]:
    return {
        "reached": tongue.number(one.reached),
        "listed": tongue.number(one.whole),
        "median": tongue.number(one.quantile(0.5) or 0),
        "p95": tongue.number(one.quantile(0.95) or 0),
    }


def _week_lines(found: PressureReport, tongue: Tongue) -> Iterator[WeekLine]:
    for band in spread_bands((found.own, found.all)):
        yield WeekLine(
            written(band, tongue),
            *_people(found.own, band, tongue),
            *_people(found.all, band, tongue),
        )


def _people(one: Spread, band: Band, tongue: Tongue) -> tuple[str, str]:
    if not one.shown:
        return "–", "–"
    people = band.sum(one.people)
    return tongue.number(people), small_percent(people / one.whole, tongue)


def small_percent(share: float, tongue: Tongue) -> str:
    """A percentage with so many digits that a small share does not look like none."""
    digits = 0 if share >= 0.1 or share == 0 else 1 if share >= 0.01 else 2
    return tongue.percent(share, digits)


def _rate(rate: Rate | None, tongue: Tongue) -> tuple[str, str]:
    """The share, and the interval it may lie in."""
    if rate is None:
        return "–", ""
    low, high = small_percent(rate.low, tongue), small_percent(rate.high, tongue)
    return small_percent(rate.value, tongue), f"{low} – {high}"


def _curve(curve: FatigueCurve, tongue: Tongue) -> Iterator[Told]:
    if not curve.lines:
        yield Told(tongue.say("No campaign of this period was counted yet, or too few people got one."))
        return
    told = [
        _many(text, ratio, tongue, worse_above=worse_above)
        for text, ratio, worse_above in (
            (CLICKS_OF_MANY, curve.clicks, False),
            (TIRED_OF_MANY, curve.tired, True),
        )
        if ratio is not None
    ]
    if not told:
        yield Told(
            tongue.say("Too few people had several messages in a week to say whether they tire of it.")
        )
        return
    yield from told
    yield Told(tongue.say(NOT_BY_LOT), "quiet")


def _many(text: str, ratio: Ratio, tongue: Tongue, *, worse_above: bool) -> Told:
    said = tongue.say(
        text,
        many=tongue.number(ratio.many),
        **{
            name: tongue.number(round(value, 2))
            for name, value in (("ratio", ratio.value), ("low", ratio.low), ("high", ratio.high))
        },
    )
    if not ratio.beyond_chance:
        by_chance = tongue.say("Chance alone explains that.")
        return Told(f"{said} {by_chance}")
    return Told(said, "warn" if (ratio.value > 1) is worse_above else "good")
