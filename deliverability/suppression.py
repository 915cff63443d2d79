"""When an address is not written to any more, and when it is again.

Suppressing too little annoys people and providers; suppressing too much silences members for good. So
only news that names the recipient suppresses at once; the rest is weighed over time by the policies
(`deliverability.policy`), by everything on record and never by the last bounce alone.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.policy import REASONS, Finding, Policy, judge, policies_in_force, policy_at_once
from models.errors import BadInputError
from models.states import Channel, SuppressionReason
from models.suppression import Suppression, address_hash
from models.values import Verdict
from store import events, suppressions
from store.events import Told
from store.suppressions import Earned, NewSuppression

UNFOUNDED = "unfounded:"
"""How the trace of a suppression begins that ended because what is on record is not enough for it."""
LATER_NEWS = "news heard later shows that the mailbox lives"
LISTED_HEADER = "channel,address_hash,reason"
Place = tuple[Channel, str]
"""A channel and an address on it, normalised."""
OWN_WORD = frozenset({SuppressionReason.UNSUBSCRIBE, SuppressionReason.STOP})
"""What a person can take back; a complaint or a dead mailbox they cannot."""
_HASH_LENGTH = 64
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ListTaken:
    """What came of a list brought from elsewhere; `problems` name the line and what is wrong with it."""

    read: int
    added: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """How many suppressions were added and how many ended."""

    added: int = 0
    ended: int = 0

    def __add__(self, other: "Weighed") -> "Weighed":
        return Weighed(self.added + other.added, self.ended + other.ended)


@dataclass(frozen=True, slots=True)
class Plan:
    """What stands to reason against an address, what stands without one, and how many are `missing`."""

    earned: dict[SuppressionReason, Finding]
    unfounded: tuple[Suppression, ...]
    missing: int


def reason_for(verdict: Verdict) -> SuppressionReason | None:
    """Why this refusal alone suppresses the address; None when it does not."""
    policy = policy_at_once(verdict)
    return policy.reason if policy is not None else None


async def hold(session: AsyncSession, places: Iterable[Place]) -> None:
    """Keep others from deciding about these addresses until the transaction ends (`store.suppressions`).

    Once the events are written, and for all that the transaction is about.
    """
    await suppressions.hold(session, {address_hash(channel, address) for channel, address in places})


async def weigh_news(
    session: AsyncSession, *, failed: Collection[Place], alive: Collection[Place], now: datetime
) -> Weighed:
    """What follows for addresses from which news was recorded, failures or signs of life; never a seed's.

    A sign of life concerns only an address against which something stands.
    """
    await hold(session, [*failed, *alive])
    sum_ = Weighed()
    for channel in Channel:
        places = _fingerprints(channel, (address for its, address in failed if its is channel))
        others = _fingerprints(channel, (address for its, address in alive if its is channel))
        known = await suppressions.histories(session, channel, {*places.values(), *others.values()})
        places |= {one: mark for one, mark in others.items() if _has_earned(known[mark], now)}
        sum_ += await _weigh_all(session, channel, places, known, now)
    return sum_


def _fingerprints(channel: Channel, addresses: Iterable[str]) -> dict[str, str]:
    return {address: address_hash(channel, address) for address in addresses}


def _has_earned(history: Iterable[Suppression], now: datetime) -> bool:
    """Whether something stands that rests on an event."""
    return any(
        row.reason in REASONS and row.event_id is not None and suppressions.holds(row, now) for row in history
    )


async def weigh(
    session: AsyncSession,
    channel: Channel,
    address: str,
    now: datetime,
    *,
    why: str = LATER_NEWS,
    policies: Collection[Policy] | None = None,
) -> Weighed:
    """Bring what stands against an address in line with everything on record of it.

    A suppression is ended here only when the very event it names is still on record and is not enough any
    more: evidence that is gone is no evidence of life. Lists, complaints and people's words are not touched.
    """
    await hold(session, [(channel, address)])
    places = _fingerprints(channel, [address])
    known = await suppressions.histories(session, channel, places.values())
    return await _weigh_all(session, channel, places, known, now, why=why, policies=policies)


async def _weigh_all(
    session: AsyncSession,
    channel: Channel,
    places: Mapping[str, str],
    histories: Mapping[str, Collection[Suppression]],
    now: datetime,
    *,
    why: str = LATER_NEWS,
    policies: Collection[Policy] | None = None,
) -> Weighed:
    """`weigh` for each address that is held, by its fingerprint, in a few statements for all of them.

    `histories`: read since they are held.
    """
    news = await events.news_of_addresses(session, channel, places)
    plans = {
        address: _plan(histories[mark], news[address], news[address], policies)
        for address, mark in places.items()
    }
    earned = [
        Earned(channel, mark, reason, _evidence(finding), finding.proof.event_id)
        for address, mark in places.items()
        for reason, finding in plans[address].earned.items()
        if not any(row.reason is reason and suppressions.holds(row, now) for row in histories[mark])
    ]
    await suppressions.add_earned(session, earned, now)
    ended = 0
    for row in sorted((row for plan in plans.values() for row in plan.unfounded), key=lambda row: row.id):
        ended += await suppressions.lift_row(session, row.id, why=f"{UNFOUNDED} {why}", now=now)
    return Weighed(len(earned), ended)


async def foresee(
    session: AsyncSession,
    channel: Channel,
    address: str,
    *,
    policies: Collection[Policy] | None = None,
    read_as: Mapping[int, Verdict] | None = None,
    besides: Collection[Told] = (),
    apart_from: str = "",
) -> Plan:
    """What `weigh` would do, if events were read in another way, or more were known; nothing is changed.

    `read_as`: other verdicts on events, by number; `besides`: news not on record; `apart_from`: a rule whose
    readings do not count.
    """
    history = await suppressions.history(session, channel, address_hash(channel, address))
    known = (await events.news_of_addresses(session, channel, [address]))[address]
    news = [
        *(_read_as(one, read_as or {}) for one in known if not apart_from or one.rule != apart_from),
        *besides,
    ]
    return _plan(history, known, news, policies)


def _plan(
    history: Collection[Suppression],
    known: Collection[Told],
    news: Collection[Told],
    policies: Collection[Policy] | None,
) -> Plan:
    """`known` is what is on record, `news` what is judged."""
    earned = judge(news, policies or policies_in_force(), since=decided_since(history))
    numbers = {one.event_id for one in known}
    standing = {row.reason: row for row in history if row.lifted_at is None}
    unfounded = [
        row
        for reason, row in standing.items()
        if reason in REASONS and reason not in earned and row.event_id in numbers
    ]
    return Plan(earned, tuple(unfounded), len(set(earned) - set(standing)))


def _read_as(one: Told, verdicts: Mapping[int, Verdict]) -> Told:
    verdict = verdicts.get(one.event_id)
    if verdict is None:
        return one
    return replace(
        one,
        bounce_class=verdict.bounce_class,
        fault=verdict.fault,
        permanence=verdict.permanence,
        rule=verdict.rule,
    )


def decided_since(history: Iterable[Suppression]) -> dict[SuppressionReason, datetime]:
    """When a person last decided to write to an address again, by reason: what was before does not count."""
    decided: dict[SuppressionReason, datetime] = {}
    for row in history:
        if row.lifted_at is not None and not row.lifted_why.startswith(UNFOUNDED):
            decided[row.reason] = max(row.lifted_at, decided.get(row.reason, row.lifted_at))
    return decided


def _evidence(finding: Finding) -> str:
    proof = finding.proof
    read = proof.bounce_class.value if proof.bounce_class is not None else ""
    return f"{read}, policy {finding.policy}, rule {proof.rule}"


async def suppress(
    session: AsyncSession,
    channel: Channel,
    address: str,
    reason: SuppressionReason,
    *,
    evidence: str,
    event_id: int | None,
    now: datetime,
) -> bool:
    """Write to `address` (normalised) no more; False when it was so already for that reason.

    `evidence` is kept for good: it must not name the person.
    """
    return await suppressions.suppress(
        session,
        channel=channel,
        address_hash=address_hash(channel, address),
        reason=reason,
        evidence=evidence,
        event_id=event_id,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class Objection:
    """Why `address` (normalised) is to be written to no more; `evidence` and `event_id` as for `suppress`."""

    channel: Channel
    address: str
    reason: SuppressionReason
    evidence: str
    event_id: int | None


async def suppress_all(session: AsyncSession, objections: Collection[Objection], now: datetime) -> None:
    """`suppress` for as many addresses, which are held, by one look and one statement."""
    for channel in {one.channel for one in objections}:
        mine = {address_hash(channel, one.address): one for one in objections if one.channel is channel}
        known = await suppressions.histories(session, channel, mine)
        earned = [
            Earned(channel, mark, one.reason, one.evidence, one.event_id)
            for mark, one in mine.items()
            if not any(row.reason is one.reason and suppressions.holds(row, now) for row in known[mark])
        ]
        await suppressions.add_earned(session, earned, now)


async def is_suppressed(session: AsyncSession, channel: Channel, address: str, now: datetime) -> bool:
    """Whether `address` (normalised) must not be written to."""
    fingerprint = address_hash(channel, address)
    return bool(await suppressions.suppressed_hashes(session, channel, [fingerprint], now))


async def lift_own_word(
    session: AsyncSession,
    channel: Channel,
    address: str,
    *,
    why: str,
    now: datetime,
    reasons: Collection[SuppressionReason] = OWN_WORD,
) -> int:
    """End what the person asked for and took back; complaints and dead mailboxes stay suppressed."""
    return await suppressions.lift(
        session,
        channel=channel,
        address_hash=address_hash(channel, address),
        why=why,
        now=now,
        reasons=OWN_WORD.intersection(reasons),
    )


async def take_list(session: AsyncSession, lines: Iterable[str], *, origin: str, now: datetime) -> ListTaken:
    """Take over suppressions from CSV lines `channel,address_hash,reason` with a header.

    A line that cannot be read is told and left out. BadInputError when the header is another.
    """
    rows: list[NewSuppression] = []
    problems: list[str] = []
    read = 0
    for number, line in enumerate(lines, start=1):
        words = [word.strip().strip('"') for word in line.strip().lstrip("\ufeff").split(",")]
        if number == 1:
            if ",".join(words[:3]).lower() != LISTED_HEADER:
                raise BadInputError("This is no list of suppressions.", f"Its first line is {LISTED_HEADER}.")
            continue
        if words == [""]:
            continue
        read += 1
        row = _listed(words)
        if row is None:
            problems.append(f"Line {number}: channel, 64 hexadecimal digits and a known reason are needed.")
        else:
            rows.append(row)
    added = await suppressions.suppress_many(session, rows, evidence=f"taken over from {origin}", now=now)
    return ListTaken(read, added, tuple(problems))


async def listed(session: AsyncSession, now: datetime) -> AsyncIterator[str]:
    """Every standing suppression as CSV lines with line ends, the header first: what `take_list` reads."""
    yield f"{LISTED_HEADER}\n"
    before_id: int | None = None
    while page := await suppressions.list_active(session, now, limit=_PAGE, before_id=before_id):
        for row in page:
            yield f"{row.channel.value},{row.address_hash},{row.reason.value}\n"
        before_id = page[-1].id


def _listed(words: list[str]) -> NewSuppression | None:
    if len(words) < 3:
        return None
    channel, fingerprint, reason = words[0].lower(), words[1].lower(), words[2].lower()
    if len(fingerprint) != _HASH_LENGTH or not set(fingerprint) <= set("0123456789abcdef"):
        return None
    if channel not in set(Channel) or reason not in set(SuppressionReason):
        return None
    return NewSuppression(Channel(channel), fingerprint, SuppressionReason(reason))
