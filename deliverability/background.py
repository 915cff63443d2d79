"""What is known of senders beside their counters: health, open incidents, reports, declared figures."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.facts import Declared, OpenIncident, PassRate, SeedCounts
from deliverability.assessment.gaps import SOURCES_AT
from deliverability.report_values import Counts
from models.health import HealthLevel
from models.identity import Identity
from models.incident import Incident
from store.sources import SenderKind, SourceRate, pass_rates

REPORTS_OF = timedelta(days=30)
"""So far back receivers' reports on authentication are added up."""
OURS = frozenset({SenderKind.OURS, SenderKind.ALLOWED})
"""Whose failures are ours: who passes our mail on breaks its signature, and strangers never had one."""


@dataclass(frozen=True, slots=True)
class Background:
    """By identity, or for all of them; `incidents` are open ones that may concern any of the lanes."""

    health: Mapping[int, HealthLevel] = field(default_factory=dict)
    authentication: Mapping[int, PassRate] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    declared: Mapping[int, tuple[Declared, ...]] = field(default_factory=dict)

    def health_of(self, identity_id: int) -> HealthLevel:
        """What the last look at its DNS found."""
        return self.health.get(identity_id, HealthLevel.UNKNOWN)

    def declared_at(self, identity_id: int, provider: str) -> tuple[Declared, ...]:
        """What is declared of this identity's mail at this provider."""
        return tuple(
            one for one in self.declared.get(identity_id, ()) if provider in SOURCES_AT.get(one.source, ())
        )

    def incidents_at(self, identity_id: int, provider: str) -> tuple[OpenIncident, ...]:
        """Those of this identity or of all, at this provider or everywhere."""
        return tuple(
            OpenIncident(one.id, one.kind, one.level, one.deed, one.part, one.whole)
            for one in self.incidents
            if one.identity_id in {None, identity_id} and one.provider in {"", provider}
        )


async def background_of(
    session: AsyncSession, identity_ids: Collection[int], incidents: Iterable[Incident], now: datetime
) -> Background:
    """What is known of these identities; `incidents`: the open ones of what is looked at."""
    health: dict[int, HealthLevel] = {}
    authentication: dict[int, PassRate] = {}
    for identity_id in sorted(identity_ids):
        identity = await session.get(Identity, identity_id)
        if identity is None:
            continue
        health[identity_id] = identity.health
        rate = await _authentication(session, identity, now)
        if rate is not None:
            authentication[identity_id] = rate
    return Background(health, authentication, tuple(incidents))


async def _authentication(session: AsyncSession, identity: Identity, now: datetime) -> PassRate | None:
    domain = (identity.from_email or "").rpartition("@")[2].lower()
    if not domain:
        return None
    return _ours(await pass_rates(session, domain, now - REPORTS_OF))


def _ours(rates: Iterable[SourceRate]) -> PassRate | None:
    mine = [rate for rate in rates if rate.kind in OURS]
    if not mine:
        return None
    return PassRate(sum(rate.messages for rate in mine), sum(rate.passed for rate in mine))


def seeds_of(counts: Counts) -> SeedCounts:
    """The seeds of a line of the report."""
    return SeedCounts(
        inbox=counts.seeds_inbox,
        tab=counts.seeds_tab,
        spam=counts.seeds_spam,
        missing=counts.seeds_missing,
        rejected=counts.seeds_refused,
        awaited=counts.seeds_awaited,
    )
