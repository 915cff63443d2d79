"""Worlds whose truth is known, to see how often an assessment tells it: `python -m benchmarks.worlds 20000`.

A world has a list spread over mailbox providers, each of which puts mail in the inbox with a probability of
its own, or by rule always or never. Seeds agree with each other more than with the people there (the
`correlation`, in two shapes: the seeds of a provider share a mood, or copy one of them); some providers have
none. Before this campaign there were six like it, and people who see a mail click as they do. In some
worlds one provider begins to hide the mail, in some the subject is dull everywhere, in most nothing changes.
The assessment sees what it would see of a real campaign, and is held against the truth.

The second argument is the correlation of the seeds; without it, each world draws one up to that of the rules.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, sqrt

from deliverability.assessment.clicks import change_everywhere, click_changes
from deliverability.assessment.facts import ClickChange, Clicks, ProviderFacts, SeedCounts
from deliverability.assessment.figures import placement
from deliverability.assessment.limits import limits
from deliverability.assessment.placement import PlacementPart, list_estimate
from deliverability.assessment.values import Assessment, Status, Word
from deliverability.assessment.verdicts import assess_provider
from deliverability.report_values import Counts

PROVIDERS = ("gmail", "outlook", "orange", "yahoo", "free", "sfr", "laposte", "icloud", "gmx")
CLEARLY_IN, CLEARLY_OUT = 0.95, 0.20
"""True shares in the inbox from which on, and up to which, a verdict has to be right."""
ENOUGH_SEEDS = 8
ENOUGH_CLICKS = 40
"""Clicks that were to be expected at a provider, from which on a collapse has to be seen."""
SEEN_IN_SPAM = 0.03
"""How much people click in the spam folder, of what they click in the inbox."""


class Story(StrEnum):
    """What happens in a world with this campaign."""

    CALM = "calm"
    ONE_FALLS = "one falls"
    DULL = "dull everywhere"


@dataclass(frozen=True, slots=True)
class Place:
    """A provider: its share of the list, the truth, and what the seeds found. `usual`: the truth before."""

    provider: str
    share: float
    inbox: float
    usual: float
    seeds: SeedCounts


@dataclass(frozen=True, slots=True)
class World:
    """One campaign in a world. `fallen`: the provider that began to hide it, "" for none."""

    story: Story
    fallen: str
    places: tuple[Place, ...]
    now: Mapping[str, Clicks]
    base: tuple[Mapping[str, Clicks], ...]
    rates: Mapping[str, float]


@dataclass(slots=True)
class Tally:
    """How often what was said was so: `held` of `said`, by what it was said of."""

    held: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, *, holds: bool) -> None:
        """One more statement."""
        self.said[what] += 1
        self.held[what] += holds

    def share(self, what: str) -> float:
        """Between 0 and 1."""
        return self.held[what] / self.said[what] if self.said[what] else 1.0


def worlds(count: int, seed: int = 1, correlation: float | None = None) -> Iterator[World]:
    """`count` worlds; the same for the same `seed`."""
    for number in range(count):
        yield make_world(random.Random(f"{seed}/{number}"), correlation)


def make_world(chance: random.Random, correlation: float | None = None) -> World:
    """One of them. `correlation`: of the seeds at a provider, else drawn up to that of the rules."""
    rho = chance.uniform(0, limits().seeds.correlation) if correlation is None else correlation
    names = chance.sample(PROVIDERS, chance.randint(3, len(PROVIDERS)))
    weights = [chance.gammavariate(1.2, 1) + 0.02 for _ in names]
    story = chance.choices(list(Story), (5, 3, 2))[0]
    usual = {name: _truth(chance) for name in names}
    fallen = chance.choice(names) if story is Story.ONE_FALLS else ""
    truth = dict(usual)
    if fallen:
        usual[fallen], truth[fallen] = chance.uniform(0.9, 1), chance.uniform(0, 0.15)
    places = tuple(
        Place(name, weight / sum(weights), truth[name], usual[name], _plant(chance, truth[name], rho))
        for name, weight in zip(names, weights, strict=True)
    )
    size = exp(chance.uniform(8.5, 12.2))  # 5,000 to 200,000 people
    rates = {name: exp(chance.gauss(-4.0, 0.4)) for name in names}  # about 2 % click
    base = tuple(_campaign(chance, places, rates, size, exp(chance.gauss(0, 0.25))) for _ in range(6))
    appeal = 0.25 if story is Story.DULL else exp(chance.gauss(0, 0.25))
    now = _campaign(chance, places, rates, size, appeal, now=True)
    return World(story, fallen, places, now, base, rates)


def _truth(chance: random.Random) -> float:
    """Mostly clear, as it is: nearly all in the inbox, or nearly nothing; sometimes in between, or a rule."""
    match chance.choices(("in", "out", "between", "rule"), (45, 20, 25, 10))[0]:
        case "in":
            return chance.uniform(CLEARLY_IN, 1)
        case "out":
            return chance.uniform(0, CLEARLY_OUT)
        case "between":
            return chance.random()
        case _:
            return float(chance.random() < 0.7)


def _plant(chance: random.Random, inbox: float, rho: float) -> SeedCounts:
    """Seeds at a provider, none at a fourth of them, and what became of each."""
    if chance.random() < 0.25:
        return SeedCounts()
    number = chance.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30))
    arrived = sum(_agreeing(chance, number, inbox, rho))
    tab = sum(chance.random() < 0.2 for _ in range(arrived))
    missing = sum(chance.random() < 0.05 for _ in range(number - arrived))
    return SeedCounts(arrived - tab, tab, number - arrived - missing, missing)


def _agreeing(chance: random.Random, number: int, inbox: float, rho: float) -> list[bool]:
    """Draws of one probability of which any two have the correlation `rho`."""
    if rho <= 0 or inbox in {0, 1}:
        return [chance.random() < inbox for _ in range(number)]
    if chance.random() < 0.5:
        mood = chance.betavariate(inbox * (1 / rho - 1), (1 - inbox) * (1 / rho - 1))
        return [chance.random() < mood for _ in range(number)]
    model = chance.random() < inbox
    return [model if chance.random() < sqrt(rho) else chance.random() < inbox for _ in range(number)]


def _campaign(
    chance: random.Random,
    places: Sequence[Place],
    rates: Mapping[str, float],
    size: float,
    appeal: float,
    *,
    now: bool = False,
) -> dict[str, Clicks]:
    """Who clicked: those who saw it, by how they are, how good it was, and a whim of each provider's."""
    clicks = {}
    for place in places:
        delivered = round(size * place.share)
        inbox = place.inbox if now else place.usual
        seen = inbox + (1 - inbox) * SEEN_IN_SPAM
        rate = min(0.5, rates[place.provider] * appeal * seen * exp(chance.gauss(0, 0.08)))
        clicks[place.provider] = Clicks(_hits(chance, delivered, rate), delivered)
    return clicks


def _hits(chance: random.Random, number: int, rate: float) -> int:
    """Binomial: one by one while few are expected, else by its normal limit."""
    mean, spread = number * rate, sqrt(number * rate * (1 - rate))
    if mean > 60:
        return min(number, max(0, round(chance.gauss(mean, spread))))
    hits, at = 0, chance.expovariate(1.0)
    while at < mean:
        hits, at = hits + 1, at + chance.expovariate(1.0)
    return min(hits, number)


def facts_of(world: World) -> dict[str, ProviderFacts]:
    """What an assessment gets to see of a world."""
    changes = click_changes(world.now, world.base)
    return {
        place.provider: _facts(place, world.now[place.provider], changes[place.provider])
        for place in world.places
    }


def _facts(place: Place, clicks: Clicks, change: ClickChange) -> ProviderFacts:
    accepted = clicks.delivered
    counts = Counts(accepted=accepted, attempted=accepted, deliveries=accepted, clicked=clicks.clicked)
    return ProviderFacts(place.provider, counts, place.seeds, change)


def compare(world: World, tally: Tally) -> None:
    """Everything that was said of a world, against its truth."""
    facts = facts_of(world)
    for place in world.places:
        _compare_place(place, facts[place.provider], tally)
    _compare_list(world, tally)
    _compare_clicks(world, facts, tally)


def _compare_place(place: Place, facts: ProviderFacts, tally: Tally) -> None:
    figure = placement(facts)
    if figure.low is None or figure.high is None:
        return
    tally.note("interval of a provider", holds=figure.low <= place.inbox <= figure.high)
    size = "1 to 4" if figure.whole < 5 else "5 to 9" if figure.whole < 10 else "10 to 30"
    tally.note(f"interval of a provider, {size} seeds", holds=figure.low <= place.inbox <= figure.high)
    if figure.whole < ENOUGH_SEEDS:
        return
    # By the seeds alone: what the clicks say is judged below.
    verdict = assess_provider(ProviderFacts(place.provider, facts.counts, facts.seeds))
    if place.inbox >= CLEARLY_IN:
        tally.note("verdict where nearly all is in the inbox", holds=_is_in(verdict))
    elif place.inbox <= CLEARLY_OUT:
        tally.note("verdict where nearly all is in spam", holds=_is_out(verdict))


def _is_in(verdict: Assessment) -> bool:
    return verdict.word is Word.INBOX and verdict.status is not Status.RED


def _is_out(verdict: Assessment) -> bool:
    return verdict.word in {Word.SPAM, Word.MISSING} and verdict.status is Status.RED


def _compare_list(world: World, tally: Tally) -> None:
    parts = [
        PlacementPart(place.share, place.seeds.arrived, place.seeds.tested, place.provider)
        for place in world.places
    ]
    estimate = list_estimate(parts)
    whole = sum(place.share * place.inbox for place in world.places)
    tally.note("band of the whole list", holds=estimate.low <= whole <= estimate.high)
    if estimate.measured_low is None or estimate.measured_high is None:
        return
    tested = [place for place in world.places if place.seeds.tested]
    truth = sum(place.share * place.inbox for place in tested) / sum(place.share for place in tested)
    tally.note("interval of the tested part", holds=estimate.measured_low <= truth <= estimate.measured_high)


def _compare_clicks(world: World, facts: Mapping[str, ProviderFacts], tally: Tally) -> None:
    collapsed = {name for name, one in facts.items() if one.clicks is not None and one.clicks.collapsed}
    everywhere = change_everywhere(world.now, world.base)
    if world.story is Story.CALM:
        tally.note("no alarm of clicks where nothing changed", holds=not collapsed)
    elif world.story is Story.DULL:
        tally.note("no provider blamed for a dull subject", holds=not collapsed)
        if everywhere.assessable:
            tally.note("a dull subject seen", holds=everywhere.collapsed)
    elif _expected(world) >= ENOUGH_CLICKS and facts[world.fallen].clicks is not None:
        tally.note("the provider that began to hide it seen", holds=world.fallen in collapsed)
        tally.note("and no other blamed", holds=collapsed <= {world.fallen})
        verdict = assess_provider(facts[world.fallen])
        suspected = verdict.word in {Word.PROBABLE_SPAM, Word.SPAM, Word.MISSING}
        tally.note(
            "and its verdict says so", holds=suspected and verdict.status.gravity >= Status.AMBER.gravity
        )


def _expected(world: World) -> float:
    """Clicks the fallen provider would have had, were it as before."""
    place = next(place for place in world.places if place.provider == world.fallen)
    others = [name for name in world.now if name != world.fallen]
    usual = sum(one[name].clicked for one in world.base for name in others) / len(world.base)
    appeal = sum(world.now[name].clicked for name in others) / usual if usual else 0.0
    assessable = world.now[world.fallen].delivered >= limits().clicks.fewest_delivered
    others_delivered = sum(world.now[name].delivered for name in others)
    if not assessable or others_delivered < limits().clicks.fewest_delivered or usual < ENOUGH_CLICKS:
        return 0.0
    return world.now[world.fallen].delivered * world.rates[world.fallen] * place.usual * appeal


def main() -> int:
    """Make the worlds, tell how often what was said of them was so."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    correlation = float(sys.argv[2]) if len(sys.argv) > 2 else None
    tally = Tally()
    for world in worlds(count, correlation=correlation):
        compare(world, tally)
    for what in sorted(tally.said):
        sys.stdout.write(f"{what:<52} {tally.share(what) * 100:6.2f} %  of {tally.said[what]:,}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
