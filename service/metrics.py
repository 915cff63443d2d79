"""Figures in the form Prometheus reads: how much waits where and since when, what is slowed, who works.

All of it is asked of the database at each scrape, so that every process tells the same and none has to be
the one that knows; only the figures of the process itself differ. No address and no name of a person is in
them, but they tell volumes.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from models.clock import Clock
from models.errors import StoreError
from models.pace import BreakerState, Throttle
from models.worker import Worker
from store import Database, gauges, news, throttles, workers
from store.gauges import Depth
from store.news import Heard
from store.workers import SILENCE

if TYPE_CHECKING:
    from web.submission.ledger import Ledger

LISTED = SILENCE * 30
"""A worker that fell silent is still shown for so long: its absence has to be seen by somebody."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found at one look. `names`: of identities, by number. `round_trip_s`: of one question."""

    now: datetime
    names: dict[int, str]
    depths: list[Depth]
    in_flight: list[Depth]
    oldest_due: dict[tuple[int, str], datetime]
    slowed: list[Throttle]
    crew: list[Worker]
    heard: list[Heard]
    round_trip_s: float


async def look(database: Database, clock: Clock) -> Figures:
    """Ask the database; StoreError when it is away."""
    now = clock.now()
    async with database.read() as session:
        begun = time.perf_counter()
        names = await gauges.keys_of_identities(session)
        round_trip_s = time.perf_counter() - begun
        return Figures(
            now,
            names,
            await gauges.depths(session),
            await gauges.in_flight(session),
            await gauges.oldest_due(session),
            await throttles.list_all(session),
            await workers.list_workers(session, since=now - LISTED),
            await news.heard(session),
            round_trip_s,
        )


async def figures(
    database: Database, clock: Clock, data_dir: Path, submission: "Ledger | None" = None
) -> bytes:
    """Everything there is to tell; with the database away, that it is."""
    try:
        found: Figures | None = await look(database, clock)
    except StoreError:
        found = None
    registry = CollectorRegistry()
    for own in (ProcessCollector, PlatformCollector, GCCollector):
        own(registry=registry)
    registry.register(_Found(found, _journal_bytes(data_dir)))
    if submission is not None:
        registry.register(_Submission(submission))
    return generate_latest(registry)


def _journal_bytes(data_dir: Path) -> int:
    total = 0
    for file in (data_dir / "journal").glob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # adopted in this moment
            continue
    return total


class _Found(Collector):
    """One look, as metric families."""

    def __init__(self, found: Figures | None, journal_bytes: int) -> None:
        self._found = found
        self._journal_bytes = journal_bytes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families, in the order in which one looks at them."""
        found = self._found
        yield _one("tocsin_database_up", "1 when the database answers.", float(found is not None))
        yield _one("tocsin_journal_bytes", "Size of this machine's journals of what is on the wire.",
                   self._journal_bytes)  # fmt: skip
        if found is not None:
            yield _one(
                "tocsin_database_round_trip_seconds", "How long one question took.", found.round_trip_s
            )
            yield from _queues(found)
            yield from _slowed(found)
            yield from _crew(found)
            yield from _webhooks(found)


class _Submission(Collector):
    """What the listener of this process took on and refused since it began."""

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield _one(
            "tocsin_submission_connections",
            "Programs connected to hand over mail.",
            self._ledger.connections,
        )
        yield CounterMetricFamily(
            "tocsin_submission_taken", "Mails of programs put on record.", value=self._ledger.taken
        )
        refused = CounterMetricFamily(
            "tocsin_submission_refused", "Commands and mails of programs refused.", labels=["reason"]
        )
        for reason in self._ledger.reasons:
            refused.add_metric([reason], self._ledger.refused[reason])
        yield refused


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _queues(found: Figures) -> Iterator[GaugeMetricFamily]:
    def name(identity_id: int) -> str:
        return found.names.get(identity_id, str(identity_id))

    def by_state(metric: str, text: str, depths: Iterable[Depth]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(metric, text, labels=["identity", "provider", "state"])
        for depth in depths:
            family.add_metric([name(depth.identity_id), depth.provider, depth.state], depth.deliveries)
        return family

    yield by_state(
        "tocsin_deliveries",
        "Deliveries of all campaigns by lane and state; claimed and sending ones count as queued.",
        found.depths,
    )
    yield by_state(
        "tocsin_deliveries_in_flight", "Deliveries workers hold, claimed or on the wire.", found.in_flight
    )
    late = GaugeMetricFamily(
        "tocsin_oldest_due_seconds",
        "For how long the oldest delivery of a lane has been due; 0 when none is due yet.",
        labels=["identity", "provider"],
    )
    for (identity_id, provider), since in found.oldest_due.items():
        late.add_metric([name(identity_id), provider], max(0.0, (found.now - since).total_seconds()))
    yield late


def _slowed(found: Figures) -> Iterator[GaugeMetricFamily]:
    factor = GaugeMetricFamily(
        "tocsin_throttle_factor", "Share of its rate a scope is held to.", labels=["scope"]
    )
    shut = GaugeMetricFamily(
        "tocsin_throttle_shut", "1 while a scope rests and nothing leaves.", labels=["scope"]
    )
    rest = GaugeMetricFamily(
        "tocsin_throttle_rest_seconds", "How long a scope rests still.", labels=["scope"]
    )
    for row in found.slowed:
        factor.add_metric([row.key], row.factor)
        shut.add_metric([row.key], float(row.state is BreakerState.OPEN))
        left = 0.0 if row.opens_at is None else (row.opens_at - found.now).total_seconds()
        rest.add_metric([row.key], max(0.0, left))
    yield from (factor, shut, rest)


def _crew(found: Figures) -> Iterator[GaugeMetricFamily]:
    there = [worker for worker in found.crew if worker.stopped_at is None]
    alive = [worker for worker in there if found.now - worker.seen_at <= SILENCE]
    counted = GaugeMetricFamily("tocsin_workers", "Sending processes, heard of or silent.", labels=["state"])
    counted.add_metric(["alive"], len(alive))
    counted.add_metric(["silent"], len(there) - len(alive))
    yield counted
    silence = GaugeMetricFamily(
        "tocsin_worker_silence_seconds",
        "For how long a sending process has not been heard of.",
        labels=["worker", "host", "role"],
    )
    for worker in there:
        since = max(0.0, (found.now - worker.seen_at).total_seconds())
        silence.add_metric([worker.id, worker.host, worker.role], since)
    yield silence


def _webhooks(found: Figures) -> Iterator[GaugeMetricFamily]:
    told = GaugeMetricFamily(
        "tocsin_webhook_news", "Pieces of news a provider has told since it was set up.", labels=["provider"]
    )
    refused = GaugeMetricFamily(
        "tocsin_webhook_refused",
        "Calls that were not the provider's, or too late.",
        labels=["provider", "reason"],
    )
    held = GaugeMetricFamily(
        "tocsin_webhook_news_held",
        "News that waits for its message, or was given up after days.",
        labels=["provider", "state"],
    )
    silence = GaugeMetricFamily(
        "tocsin_webhook_silence_seconds", "For how long a provider has told nothing.", labels=["provider"]
    )
    for one in found.heard:
        told.add_metric([one.source], one.told)
        refused.add_metric([one.source, "forged"], one.forged)
        refused.add_metric([one.source, "stale"], one.stale)
        held.add_metric([one.source, "waiting"], one.waiting)
        held.add_metric([one.source, "unmatched"], one.unmatched)
        if one.last_at is not None:
            silence.add_metric([one.source], max(0.0, (found.now - one.last_at).total_seconds()))
    yield from (told, refused, held, silence)
