"""How fast: which limits a lane obeys and when each message of a batch may leave. Pure arithmetic.

The limits themselves are rows (`store.pace`), so that any number of workers share them and a restart
forgets nothing. A message waits for the slowest of its limits: its identity's and its provider's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from models.providers import OTHER_PROVIDER, PROVIDER_BY_KEY, SMS
from models.states import Channel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST_A_BATCH = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """At most one message each `interval_us` microseconds under `key`, whoever sends it."""

    key: str
    interval_us: int


@dataclass(frozen=True, slots=True)
class Pace:
    """The rates of this installation, messages a second; unlisted `providers` keep their defaults."""

    emails_per_second: float = 20.0
    sms_per_second: float = 10.0
    providers: Mapping[str, float] = field(default_factory=dict)
    rate_pause: timedelta = timedelta(minutes=5)
    """How long a provider that answers "too fast" is left alone."""


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment that many microseconds after 1970-01-01 UTC."""
    return EPOCH + microseconds * MICROSECOND


def limits_of(
    channel: Channel, identity_id: int, provider: str, identity_rate: float | None, pace: Pace
) -> list[Limit]:
    """The limits a lane obeys: its identity's (`identity_rate` when it has its own) and its provider's."""
    default = pace.emails_per_second if channel is Channel.EMAIL else pace.sms_per_second
    limits = [Limit(f"identity:{identity_id}:{channel.value}", _interval_us(identity_rate or default))]
    if provider != SMS:
        limits.append(Limit(provider_key(provider), _interval_us(provider_rate(provider, pace))))
    return limits


def provider_key(provider: str) -> str:
    """The row that every sender to `provider` shares."""
    return f"provider:{provider}"


def provider_rate(provider: str, pace: Pace) -> float:
    """Messages a second to one provider, over all identities."""
    return pace.providers.get(provider) or PROVIDER_BY_KEY.get(provider, OTHER_PROVIDER).rate_per_second


def batch_size(limits: Sequence[Limit], span: timedelta) -> int:
    """How many messages to claim at once: what may leave within `span`, at least one."""
    slowest = max(limit.interval_us for limit in limits)
    return max(1, min(MOST_A_BATCH, (span // MICROSECOND) // slowest))


def departures(first_slots: Sequence[int], limits: Sequence[Limit], count: int) -> list[datetime]:
    """When each of `count` messages may leave: the latest of its slots under every limit.

    `first_slots` are the moments, in microseconds, that `store.pace.reserve` gave for each of `limits`.
    """
    return [
        from_microseconds(
            max(first + place * limit.interval_us for first, limit in zip(first_slots, limits, strict=True))
        )
        for place in range(count)
    ]


def _interval_us(per_second: float) -> int:
    return max(1, round(1_000_000 / per_second))
