"""What is known of senders beside their counters: health, open incidents, reports, declared figures."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from ipaddress import ip_address

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.declared import limit_of
from deliverability.assessment.facts import Declared, OpenIncident, PassRate, SeedCounts
from deliverability.assessment.gaps import SOURCES_AT
from deliverability.report_values import Counts
from models.declared import DeclaredFigure, DeclaredSource
from models.health import HealthLevel
from models.identity import Identity
from models.incident import Incident, IncidentKind
from store import declared, identities
from store.sources import own_rate

DECLARED_OF = timedelta(days=7)
"""Declared figures older than this say nothing of today."""
REPORTS_OF = timedelta(days=30)
"""So far back receivers' reports on authentication are added up."""


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
            one
            for one in self.declared.get(identity_id, ())
            if provider in SOURCES_AT[one.source] and one.provider in {"", provider}
        )

    def incidents_at(self, identity_id: int, provider: str) -> tuple[OpenIncident, ...]:
        """Those of this identity or of all, at this provider or everywhere.

        Not a canary's: it is held for what some providers did, and those say so by their own figures.
        """
        return tuple(
            OpenIncident(one.id, one.kind, one.level, one.deed, one.part, one.whole)
            for one in self.incidents
            if one.kind is not IncidentKind.CANARY
            and one.identity_id in {None, identity_id}
            and one.provider in {"", provider}
        )


async def background_of(
    session: AsyncSession, identity_ids: Collection[int], incidents: Iterable[Incident], now: datetime
) -> Background:
    """What is known of these identities; `incidents`: the open ones of what is looked at."""
    senders = await identities.with_ids(session, identity_ids)
    figures = await declared.figures(session, since=(now - DECLARED_OF).date(), until=now.date())
    rates: dict[str, PassRate | None] = {}
    # Identities share their domains more often than not.
    for domain in sorted({_domain(one) for one in senders} - {""}):
        messages, passed = await own_rate(session, domain, now - REPORTS_OF)
        rates[domain] = PassRate(messages, passed) if messages else None
    return Background(
        health={one.id: one.health for one in senders},
        authentication={one.id: rate for one in senders if (rate := rates.get(_domain(one))) is not None},
        incidents=tuple(incidents),
        declared={
            one.id: _newest(figure for figure in figures if _is_about(figure.subject, one)) for one in senders
        },
    )


def _domain(identity: Identity) -> str:
    return (identity.from_email or "").rpartition("@")[2].lower()


def _newest(figures: Iterable[DeclaredFigure]) -> tuple[Declared, ...]:
    """Of each source, metric and provider the newest day; of several subjects on it the one that is worst."""
    kept: dict[tuple[DeclaredSource, str, str], Declared] = {}
    for row in figures:
        one = Declared(row.source, row.metric, row.day, row.value, row.words, row.provider)
        key = (one.source, one.metric, one.provider)
        if key not in kept or _rank(one) > _rank(kept[key]):
            kept[key] = one
    return tuple(kept.values())


def _rank(figure: Declared) -> tuple[date, int, float]:
    provider = figure.provider or min(SOURCES_AT[figure.source])
    limit = limit_of(figure, provider)
    gravity = limit.status(figure.value, figure.words).gravity if limit else 0
    return figure.day, gravity, figure.value or 0.0


def _is_about(subject: str, identity: Identity) -> bool:
    """Servers may be anybody's here; a domain is the identity's own, or above or below it."""
    if _is_server(subject):
        return True
    domains = {
        (identity.from_email or "").rpartition("@")[2].lower(),
        (identity.dkim_domain or "").lower(),
    } - {""}
    return any(
        subject == own or subject.endswith(f".{own}") or own.endswith(f".{subject}") for own in domains
    )


def _is_server(subject: str) -> bool:
    try:
        ip_address(subject)
    except ValueError:
        return False
    return True


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
