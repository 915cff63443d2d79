"""What was measured of news from outside: events a second, what each cost, how long an effect takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Self

from benchmarks.event_calls import Call
from benchmarks.event_plan import HOOKS, Way
from benchmarks.ledger import server_cpu_s
from benchmarks.processes import cost, helpers_of
from store import Database

PROMISED = 500.0
"""Events a second, the whole chain, on two cores."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU: the service with its helpers, and the database server where it is on this machine."""

    service_s: float
    database_s: float

    @classmethod
    async def now(cls, database: Database, service: int) -> Self:
        """Until now."""
        spent = sum(cost(pid).cpu_s for pid in (service, *helpers_of(service)))
        return cls(spent, await server_cpu_s(database))

    def __sub__(self, other: "Costs") -> "Costs":
        return Costs(self.service_s - other.service_s, self.database_s - other.database_s)


@dataclass(frozen=True, slots=True)
class EventRun:
    """One run. `events` are distinct pieces of news; waits in seconds, of posts, mails and effects.

    `told`: how many pieces were told, repeats and forgeries included: by these a pace is asked for.
    """

    name: str
    events: int
    seconds: float
    costs: Costs
    client_s: float
    posts: Sequence[float]
    mails: Sequence[float]
    effects: Sequence[float]
    told: int = 0
    paced: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        *,
        events: int,
        calls: Mapping[Way, Sequence[Call]],
        told: Mapping[str, Any],
        seen: Mapping[str, float],
        ended: float,
        spent: Costs,
    ) -> Self:
        """From the answers, the moments at which samples were seen, and the moment of the last effect."""
        posts: list[float] = []
        mails: list[float] = []
        effects: list[float] = []
        for way, some in calls.items():
            first: dict[str, float] = {}
            for place, due, answered, _ in told["answers"][way]:
                (posts if way in HOOKS else mails).append(answered - due)
                if some[place].sample:
                    first[some[place].sample] = min(due, first.get(some[place].sample, due))
            effects += [seen[sample] - due for sample, due in first.items()]
        return cls(
            name,
            events,
            ended - told["begun"],
            spent,
            told["cpu_s"],
            posts,
            mails,
            # A mail is answered once its effect is there.
            effects + mails,
            told=sum(call.news for some in calls.values() for call in some),
        )

    @property
    def rate(self) -> float:
        """Events a second; of a paced run everything that was told, as the pace counts."""
        return (self.told if self.paced else self.events) / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU an event, everybody's."""
        return (self.costs.service_s + self.costs.database_s + self.client_s) / self.events * 1e6


def lines(commits: float, runs: Iterable[EventRun]) -> list[tuple[str, ...]]:
    """A row a scenario, the medians of its runs."""
    by_name: dict[str, list[EventRun]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    found: list[tuple[str, ...]] = [("one row, one commit", f"{commits:,.0f}/s", "1", "", "", "")]
    return [*found, *(_line(name, some, commits) for name, some in by_name.items())]


def _line(name: str, runs: Sequence[EventRun], commits: float) -> tuple[str, ...]:
    rate = median(run.rate for run in runs)

    def each(seconds: Sequence[float]) -> str:
        return f"{median(second / run.events * 1e6 for second, run in zip(seconds, runs, strict=True)):,.0f}"

    parts = [[run.costs.service_s for run in runs], [run.costs.database_s for run in runs]]
    cpu = " + ".join(each(part) for part in (*parts, [run.client_s for run in runs]))
    return (
        name,
        f"{rate:,.0f}/s",
        f"{rate / commits:.2f} a commit",
        f"{cpu} µs",
        _waits([one for run in runs for one in (*run.posts, *run.mails)]),
        _waits([one for run in runs for one in run.effects]),
    )


def _waits(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return ""
    hundredths = quantiles(seconds, n=100)
    return f"{median(seconds) * 1000:,.0f} / {hundredths[98] * 1000:,.0f} ms"


def goals(runs: Sequence[EventRun]) -> list[tuple[str, ...]]:
    """What was promised of each kind of news, and whether it was kept."""
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(run.name for run in runs if not run.paced):
        rate = median(run.rate for run in runs if run.name == name)
        met = "met" if rate >= PROMISED else "MISSED"
        found.append((name, f"{rate:,.0f}/s", f"at least {PROMISED:,.0f}/s", met))
    return found
