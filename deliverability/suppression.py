"""When an address is not written to any more, and when it is again.

Suppressing too little annoys people and providers; suppressing too much silences members for good. So
only news that names the recipient suppresses at once, and a mailbox that is merely closed needs to be
found closed twice, a week apart: providers close and reopen mailboxes.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from models.delivery import Delivery
from models.errors import BadInputError
from models.states import BounceClass, Channel, EventKind, Fault, Permanence, SuppressionReason
from models.suppression import address_hash
from models.values import Verdict
from store import events, suppressions
from store.claims import ClaimedDelivery
from store.suppressions import NewSuppression

INACTIVE_FOR = timedelta(days=7)
"""How far apart two refusals of a closed mailbox must be before it is believed."""
LISTED_HEADER = "channel,address_hash,reason"
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


def reason_for(verdict: Verdict) -> SuppressionReason | None:
    """Why this refusal alone suppresses the address; None when it does not."""
    if verdict.fault is not Fault.RECIPIENT or verdict.permanence is not Permanence.HARD:
        return None
    if verdict.bounce_class is BounceClass.NO_SUCH_ADDRESS:
        return SuppressionReason.HARD_BOUNCE
    if verdict.bounce_class is BounceClass.OPTED_OUT:
        return SuppressionReason.PROVIDER
    return None


async def act_on_verdict(
    session: AsyncSession,
    delivery: Delivery | ClaimedDelivery,
    verdict: Verdict,
    *,
    event_id: int | None,
    now: datetime,
) -> bool:
    """Suppress the address of `delivery` if the refusal, or what was refused before, earns it.

    Call it once the event is recorded. True when the address is newly suppressed. Seeds never are.
    """
    if delivery.seed_id is not None:
        return False
    reason = reason_for(verdict)
    if reason is None and await _is_inactive_for_long(session, delivery, verdict):
        reason = SuppressionReason.HARD_BOUNCE
    if reason is None:
        return False
    return await suppress(
        session,
        delivery.channel,
        delivery.address,
        reason,
        evidence=f"{verdict.bounce_class.value}, rule {verdict.rule}",
        event_id=event_id,
        now=now,
    )


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


async def _is_inactive_for_long(
    session: AsyncSession, delivery: Delivery | ClaimedDelivery, verdict: Verdict
) -> bool:
    """Whether the mailbox was found closed at two moments far enough apart, in whatever order we heard."""
    closed = verdict.bounce_class is BounceClass.INACTIVE and verdict.permanence is Permanence.HARD
    if not closed or verdict.fault is not Fault.RECIPIENT or delivery.contact_id is None:
        return False
    span = await events.span_of_hard_class(
        session, delivery.contact_id, BounceClass.INACTIVE, (EventKind.BOUNCED, EventKind.REFUSED)
    )
    return span is not None and span[1] - span[0] >= INACTIVE_FOR
