"""How fast: which limits a lane obeys and when each message of a batch may leave. Pure arithmetic.

The limits themselves are rows (`store.pace`, `store.limits`), so that any number of workers share them and
a restart forgets nothing. A message waits for the slowest of its limits: its relay's, its identity's, its
provider's, its lane's and its signing domain's at the provider.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from models.pace import LimitScope, Measure, PaceLimit
from models.providers import SMS, traits_of
from models.states import Channel
from scheduler.outages import Way

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST_A_BATCH = 300
RELAY_PER_SECOND = 100.0
"""What a relay is taken to carry, where nobody set a limit, once it asks for less."""
UNNOTICED_US = 20
"""A limit of more than 50,000 messages a second is none: nothing here is that fast."""
SPANS = {Measure.PER_HOUR: timedelta(hours=1), Measure.PER_DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most one message each `interval_us` microseconds under `key`, whoever sends it."""

    key: str
    interval_us: int


@dataclass(frozen=True, slots=True)
class Share:
    """At most `most` messages under `key` in a `span` that begins with the first of them.

    `ends_at`: of a day of the calendar, which has a key of its own.
    """

    key: str
    most: int
    span: timedelta
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The rates of this installation, messages a second; unlisted `providers` keep their defaults.

    `routes`: the providers that have a server of their own in place of the relay.
    """

    emails_per_second: float = 20.0
    sms_per_second: float = 10.0
    providers: Mapping[str, float] = field(default_factory=dict)
    hurry: float = 1.0
    """A rehearsal's outside world lives so many times faster: rests are that much shorter."""
    routes: frozenset[str] = frozenset()

    def way(self, channel: Channel, provider: str) -> Way:
        """The way out that messages to a provider take."""
        return Way(channel, provider if channel is Channel.EMAIL and provider in self.routes else "")


@dataclass(frozen=True, slots=True)
class Scopes:
    """Whom a lane's messages concern: the keys of its limits and its brakes.

    `relay` is the way out, `domain` what signs at the provider ("" for text messages).
    """

    relay: str
    identity: str
    provider: str
    lane: str
    domain: str = ""

    @property
    def shares_relay(self) -> bool:
        """Whether the way out is the relay that carries everything, and not a provider's own route."""
        return self.relay.count(":") == 1

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, narrowest last."""
        return tuple(key for key in (self.relay, self.identity, self.provider, self.lane, self.domain) if key)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a lane may do at most, before any brake.

    `base`: messages a second by the slowest of its rates. `connections` of the provider's own servers;
    `messages_per_connection` where somebody set it. `relay_connections` of all workers together to the
    relay that carries everything, and `relay_messages` on each: None where nobody set them.
    """

    limits: tuple[Limit, ...]
    shares: tuple[Share, ...]
    base: float
    connections: int
    messages_per_connection: int | None
    relay_connections: int | None = None
    relay_messages: int | None = None


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment that many microseconds after 1970-01-01 UTC."""
    return EPOCH + microseconds * MICROSECOND


def provider_key(provider: str) -> str:
    """The row that every sender to `provider` shares."""
    return f"provider:{provider}"


def identity_key(identity_id: int, channel: Channel) -> str:
    """The row that all messages of an identity share."""
    return f"identity:{identity_id}:{channel.value}"


def lane_key(identity_id: int, provider: str) -> str:
    """The row of an identity's messages to a provider."""
    return f"lane:{identity_id}:{provider}"


def domain_key(domain: str, provider: str) -> str:
    """The row that every identity signing as `domain` shares at `provider`."""
    return f"domain:{domain.lower()}:{provider}"


def scopes_of(channel: Channel, identity_id: int, provider: str, domain: str, relay: str) -> Scopes:
    """The keys of a lane's scopes; `relay`: of its way out, such as `relay:email`."""
    return Scopes(
        relay=relay,
        identity=identity_key(identity_id, channel),
        provider=provider_key(provider),
        lane=lane_key(identity_id, provider),
        domain=domain_key(domain, provider) if domain and channel is Channel.EMAIL else "",
    )


def limits_of(
    channel: Channel, identity_id: int, provider: str, identity_rate: float | None, pace: Pace
) -> list[Limit]:
    """The rates a lane obeys by default: its identity's (its own `identity_rate` or not), its provider's."""
    rates = {identity_key(identity_id, channel): identity_rate or _channel_rate(channel, pace)}
    if provider != SMS:
        rates[provider_key(provider)] = provider_rate(provider, pace)
    return _limits(rates)


def provider_rate(provider: str, pace: Pace) -> float:
    """Messages a second to one provider, over all identities."""
    return pace.providers.get(provider) or traits_of(provider).rate_per_second


def allowance(
    scopes: Scopes,
    channel: Channel,
    identity_rate: float | None,
    pace: Pace,
    rows: Iterable[PaceLimit] = (),
) -> Allowance:
    """What a lane may do: provider data, over them settings, over them the `rows` that people set."""
    provider = scopes.provider.removeprefix("provider:")
    rates = {scopes.identity: identity_rate or _channel_rate(channel, pace)}
    if provider != SMS:
        rates[scopes.provider] = provider_rate(provider, pace)
    counts: dict[tuple[str, Measure], int] = {}
    shares: list[Share] = []
    set_rates: dict[str, list[float]] = {}
    for row in rows:
        key = key_of(row.scope, row.subject, channel)
        if key not in scopes.all:
            continue
        match row.measure:
            case Measure.PER_SECOND | Measure.PER_MINUTE:
                per_second = row.amount / (60 if row.measure is Measure.PER_MINUTE else 1)
                set_rates.setdefault(key, []).append(per_second)
            case Measure.PER_HOUR | Measure.PER_DAY:
                shares.append(Share(share_key(key, row.measure), int(row.amount), SPANS[row.measure]))
            case Measure.CONNECTIONS | Measure.MESSAGES_PER_CONNECTION:
                counts[key, row.measure] = max(1, int(row.amount))
    rates |= {key: min(some) for key, some in set_rates.items()}
    return Allowance(
        tuple(_limits(rates)),
        tuple(shares),
        min(rates.values()),
        counts.get((scopes.provider, Measure.CONNECTIONS), traits_of(provider).connections),
        counts.get((scopes.provider, Measure.MESSAGES_PER_CONNECTION)),
        counts.get((scopes.relay, Measure.CONNECTIONS)) if scopes.shares_relay else None,
        counts.get((scopes.relay, Measure.MESSAGES_PER_CONNECTION)) if scopes.shares_relay else None,
    )


def key_of(scope: LimitScope, subject: str, channel: Channel) -> str:
    """The key of what somebody set a limit for. An identity's limits hold for each channel by itself."""
    if scope is LimitScope.IDENTITY:
        return f"identity:{subject}:{channel.value}"
    return f"{scope.value}:{subject}"


def share_key(key: str, measure: Measure) -> str:
    """The row that counts an hour's or a day's messages of a scope."""
    return f"{key}:{measure.value}"


def day_share(scopes: Scopes, cap: int, now: datetime, zone: tzinfo) -> Share:
    """What a warm-up plan leaves a lane: a day of the calendar of `zone`, with a row of its own."""
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), tzinfo=zone)
    key = f"{scopes.lane}:day:{today}"
    return Share(key, cap, timedelta(days=2), ends_at=midnight.astimezone(UTC))


def slowed(limits: Sequence[Limit], brakes: Mapping[str, float]) -> tuple[Limit, ...]:
    """The limits with slower rates (messages a second) for some keys over them."""
    intervals = {limit.key: limit.interval_us for limit in limits}
    for key, rate in brakes.items():
        intervals[key] = max(intervals.get(key, 0), _interval_us(rate))
    return tuple(Limit(key, interval) for key, interval in sorted(intervals.items()))


def batch_size(limits: Sequence[Limit], span: timedelta) -> int:
    """How many messages to claim at once: what may leave within `span`, at least one."""
    slowest = max((limit.interval_us for limit in limits), default=1)
    return max(1, min(MOST_A_BATCH, (span // MICROSECOND) // slowest))


def departures(first_slots: Sequence[int], limits: Sequence[Limit], count: int) -> list[datetime]:
    """When each of `count` messages may leave: the latest of its slots under every limit.

    `first_slots` are the moments, in microseconds, that `store.pace` gave for each of `limits`.
    """
    return [
        from_microseconds(
            max(first + place * limit.interval_us for first, limit in zip(first_slots, limits, strict=True))
        )
        for place in range(count)
    ]


def _channel_rate(channel: Channel, pace: Pace) -> float:
    return pace.emails_per_second if channel is Channel.EMAIL else pace.sms_per_second


def _limits(rates: Mapping[str, float]) -> list[Limit]:
    limits = [Limit(key, _interval_us(rate)) for key, rate in rates.items()]
    return [limit for limit in limits if limit.interval_us > UNNOTICED_US]


def _interval_us(per_second: float) -> int:
    return max(1, round(1_000_000 / per_second))
