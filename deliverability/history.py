"""How an identity's last campaigns fared at each provider, one beside the other: for charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessing import A_LITTLE, bucket_of
from deliverability.assessment.facts import SeedCounts
from deliverability.assessment.limits import limits
from deliverability.assessment.values import Word
from store import comparisons, seeds
from store.comparisons import Reactions

MOST = 20
"""Campaigns shown, the newest."""
FEWEST_DELIVERED = 30
"""Messages below which a rate of clicks is no point on a chart."""
FEWEST_BEFORE = 3
"""Campaigns it takes to say what is usual."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One campaign at one provider. `usual`: its click rate over the median of all, None of too few."""

    accepted: int = 0
    delivered: int = 0
    clicked: int = 0
    complained: int = 0
    seeds: SeedCounts = field(default_factory=SeedCounts)
    usual: float | None = None

    @property
    def placement(self) -> Word:
        """Where the seeds were found: inbox, mixed or spam; too few to say, or not tested."""
        rules, tested = limits().seeds, self.seeds.tested
        if not tested:
            return Word.NOT_TESTED
        if self.seeds.spam >= rules.amber_spam and 2 * self.seeds.spam > tested:
            return Word.SPAM
        if self.seeds.spam < rules.amber_spam and self.seeds.arrived < rules.fewest:
            return Word.NOT_ASSESSABLE
        return Word.INBOX if self.seeds.arrived >= rules.inbox_from * tested else Word.MIXED

    @property
    def complaint_rate(self) -> float | None:
        """Complaints of those accepted; None of too few."""
        return self.complained / self.accepted if self.accepted >= FEWEST_DELIVERED else None


@dataclass(frozen=True, slots=True)
class Past:
    """One campaign of the identity, by provider."""

    campaign_id: int
    name: str
    launched_at: datetime
    cells: Mapping[str, Cell]


async def history_of(
    session: AsyncSession, identity_id: int, since: datetime, until: datetime
) -> tuple[Past, ...]:
    """The last campaigns of an identity in a period, oldest first; from the counters, and its seeds."""
    sent = (await comparisons.sent_by(session, identity_id, since, until))[:MOST]
    numbers = [number for number, _ in sent]
    reactions = [
        one for one in await comparisons.reactions(session, numbers) if one.identity_id == identity_id
    ]
    found = {(one.campaign_id, one.provider): one for one in reactions}
    placed: dict[tuple[int, str], SeedCounts] = {}
    for seed in await seeds.outcomes(session, identity_id=identity_id, since=since - A_LITTLE):
        place = (seed.campaign_id, bucket_of(seed.provider))
        placed[place] = placed.get(place, SeedCounts()) + SeedCounts(**{seed.outcome: 1})
    names = await comparisons.names_of(session, numbers)
    usual = _usual(reactions)
    return tuple(
        Past(
            number,
            names.get(number, ""),
            launched_at,
            {
                provider: _cell(found.get((number, provider)), placed.get((number, provider)), usual)
                for provider in sorted(
                    {place for campaign, place in {**found, **placed} if campaign == number}
                )
            },
        )
        for number, launched_at in reversed(sent)
    )


def _usual(reactions: Sequence[Reactions]) -> dict[str, float]:
    """The median click rate by provider, of those with enough campaigns that are large enough."""
    rates: dict[str, list[float]] = {}
    for one in reactions:
        if one.delivered >= FEWEST_DELIVERED:
            rates.setdefault(one.provider, []).append(one.clicked / one.delivered)
    return {
        provider: median(known)
        for provider, known in rates.items()
        if len(known) >= FEWEST_BEFORE and median(known) > 0
    }


def _cell(found: Reactions | None, placed: SeedCounts | None, usual: Mapping[str, float]) -> Cell:
    seeds_there = placed or SeedCounts()
    if found is None:
        return Cell(seeds=seeds_there)
    base = usual.get(found.provider)
    enough = base is not None and found.delivered >= FEWEST_DELIVERED
    return Cell(
        accepted=found.accepted,
        delivered=found.delivered,
        clicked=found.clicked,
        complained=found.complained,
        seeds=seeds_there,
        usual=found.clicked / found.delivered / base if enough and base else None,
    )
