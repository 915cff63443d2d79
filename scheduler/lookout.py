"""The daily look at every sender identity: what the DNS says of it, and what follows from that.

Name servers are asked with nothing open in the database; then one transaction writes down what was seen and
takes the step that follows. Looks are spread over the day, by identity; while something is wrong or waited
for there is one every hour. A question without an answer changes nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.authorities import AuthoritativeResolver
from deliverability.dns_records import domain_of
from deliverability.exchangers import AsksTheDns
from deliverability.health import (
    FindingLevel,
    HealthFinding,
    SendingSetup,
    check_identity,
    finding_from_json,
    finding_to_json,
    level_of,
)
from deliverability.health.findings import HealthCode, Part
from deliverability.health.listings import BlocklistDesk, subjects_of
from deliverability.health.proofs import Seen, look_for_proof
from deliverability.health.setup import FetchText
from models.clock import Clock
from models.errors import ConflictError, StoreError, TocsinError
from models.health import HealthCheck, HealthLevel, IdentityProof, ProofKind
from models.identity import DkimKey, Identity
from models.states import SENDING, IdentityState
from scheduler.lifecycle import BOTH_PROOFS, Sight, settle, situation_of
from scheduler.ownership import ensure_proofs, note_record
from scheduler.signing_keys import Published, advance, look_for_key, rotation_of
from store import Database, health, identities

log = logging.getLogger(__name__)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LOOKED_BACK = timedelta(days=3)
KEPT = timedelta(days=400)
THINNED = timedelta(hours=20)
REASON_LENGTH = 500
DECISIVE = frozenset({Part.GENERAL, Part.DKIM, Part.ALIGNMENT, Part.FROM_DOMAIN})
REFUSED = frozenset(
    {
        HealthCode.ALIGNMENT_FAILS,
        HealthCode.FROM_DOMAIN_NOWHERE,
        HealthCode.FROM_DOMAIN_NULL_MX,
        HealthCode.FROM_DOMAIN_FREE_MAIL,
    }
)
"""What makes providers refuse mail by itself; so does a signature for which no key is published."""


@dataclass(frozen=True, slots=True)
class Lookout:
    """How this installation looks at its identities.

    `required`: the proofs without which a new one does not send; `suspends`: whether one whose mail is
    refused is suspended by itself. Without a `resolver` nobody can be asked. `fetch` gets texts over HTTPS;
    without it what needs one is left alone. `blocklists`: zones of the block lists to ask, none for none.
    `past_memory`: what asks a zone's own servers, found by the resolver.
    """

    resolver: AsksTheDns | None = None
    setup: SendingSetup = field(default_factory=SendingSetup)
    required: frozenset[ProofKind] = BOTH_PROOFS
    suspends: bool = True
    fetch: FetchText | None = None
    blocklists: tuple[str, ...] = ()
    past_memory: Callable[[AsksTheDns], AsksTheDns] = AuthoritativeResolver


class _Seen(NamedTuple):
    """What was asked before anything is written."""

    findings: list[HealthFinding]
    proof: Seen
    token: str
    keys: Mapping[int, Published]


async def look_after_identities(database: Database, clock: Clock, lookout: Lookout) -> int:
    """Look at every identity whose look is due; how many. One that fails keeps no other from its look."""
    async with database.read() as session:
        due = await identities.due_for_a_look(session, clock.now())
    for identity_id in due:
        try:
            await look_at(database, clock, lookout, identity_id)
        except StoreError:
            raise
        except Exception as error:
            # What has a sentence of its own needs no traceback.
            trace = not isinstance(error, TocsinError)
            why = {"identity_id": identity_id, "problem": str(error)}
            log.error("identity not looked at", extra=why, exc_info=trace)  # noqa: TRY400 - see above
            async with database.write() as session:
                identity = await identities.get_identity(session, identity_id)
                identity.look_at = clock.now() + HOUR
                session.add(identity)
    return len(due)


async def look_at(
    database: Database, clock: Clock, lookout: Lookout, identity_id: int, *, fresh: bool = False
) -> HealthCheck:
    """Look at one identity now, write down what was seen, and take the step that follows.

    `fresh`: past everybody's memory, for somebody who may just have published what was missing.
    ConflictError when nobody can be asked, or when whoever is asked denies every name.
    """
    now = clock.now()
    if lookout.resolver is None:
        raise ConflictError(
            "This installation asks no name servers, so nothing can be looked at.", "Set TOCSIN_DNS_SERVERS."
        )
    async with database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        proofs = await ensure_proofs(session, identity, now)
        keys = await identities.all_keys_of(session, identity_id)
    resolver = lookout.past_memory(lookout.resolver) if fresh else lookout.resolver
    seen = await _ask(lookout, resolver, identity, keys, proofs.get(ProofKind.DNS))
    if not fresh and _speaks_against(seen, now):
        # A resolver may remember for hours that there is no record (RFC 2308): the zone itself is asked.
        own = lookout.past_memory(lookout.resolver)
        seen = await _ask(lookout, own, identity, keys, proofs.get(ProofKind.DNS))
        await _require_belief(lookout.resolver, seen)
    if identity.from_email is not None:
        desk = BlocklistDesk(database, lookout.resolver, lookout.blocklists)
        seen.findings.extend(await desk.look(subjects_of(identity, lookout.setup), now))
    async with database.write() as session:
        return await _write_down(session, lookout, identity_id, seen, clock.now())


def _speaks_against(seen: _Seen, now: datetime) -> bool:
    """Whether it would count against the identity."""
    return seen.proof is Seen.GONE or bool(_sight(seen.findings, now).refused)


async def _require_belief(resolver: AsksTheDns, seen: _Seen) -> None:
    """ConflictError when a domain is denied by servers that deny what it stands under as well.

    A portal that wants a sign-in, or a server cut off from the root, says so of every name: believed, it
    would suspend every sender at once.
    """
    for finding in seen.findings:
        if finding.code is HealthCode.FROM_DOMAIN_NOWHERE:
            name = finding.values["name"]
            top = name.rpartition(".")[2]
            if not (await resolver.ask(name, "MX")).exists and not (await resolver.ask(top, "NS")).exists:
                raise ConflictError(
                    f"The name servers say that there is no .{top}: nothing else they say is believed.",
                    "Let them reach the root servers, or name others in TOCSIN_DNS_SERVERS.",
                )


async def _ask(
    lookout: Lookout,
    resolver: AsksTheDns,
    identity: Identity,
    keys: Sequence[DkimKey],
    proof: IdentityProof | None,
) -> _Seen:
    signing = [key for key in keys if key.active_at is not None and key.retired_at is None]
    findings = await check_identity(identity, signing, resolver, setup=lookout.setup, fetch=lookout.fetch)
    shown = Seen.UNKNOWN
    if proof is not None:
        shown = await look_for_proof(resolver, proof.subject, proof.token)
    domain = identity.dkim_domain or domain_of(identity.from_email or "")
    rotation = rotation_of(keys)
    changing = () if rotation is None else (*rotation.new, *rotation.old)
    published = {
        key.id: await look_for_key(resolver, domain, key)
        for key in changing
        if key.active_at is None or key.retired_at is not None
    }
    return _Seen(findings, shown, "" if proof is None else proof.token, published)


async def _write_down(
    session: AsyncSession, lookout: Lookout, identity_id: int, seen: _Seen, now: datetime
) -> HealthCheck:
    identity = await identities.get_identity(session, identity_id)
    proofs = await ensure_proofs(session, identity, now)
    dns = proofs.get(ProofKind.DNS)
    # Asked for anew meanwhile, for another address: what was seen is no news of it.
    if dns is not None and dns.token == seen.token:
        note_record(dns, seen.proof, now)
        session.add(dns)
    look = await _keep(session, identity, seen.findings, now)
    await _note_signing(session, identity, seen.findings, now)
    await advance(session, identity, seen.keys, now)
    step = await _settle(session, lookout, identity, now)
    if step:
        log.info("identity moved", extra={"identity_id": identity_id, "state": identity.state.value})
    identity.health, identity.health_at = look.level, now
    rotating = rotation_of(await identities.all_keys_of(session, identity_id)) is not None
    missing = dns is not None and dns.misses > 0 and ProofKind.DNS in lookout.required
    identity.look_at = next_look(identity, now, busy=rotating or missing)
    session.add(identity)
    return look


async def _note_signing(
    session: AsyncSession, identity: Identity, findings: Sequence[HealthFinding], now: datetime
) -> None:
    """Write down when a key that signs was first seen in the DNS."""
    domain = identity.dkim_domain or domain_of(identity.from_email or "")
    seen = {each.values.get("name") for each in findings if each.code is HealthCode.DKIM_FINE}
    for key in await identities.keys_of(session, identity.id):
        if key.verified_at is None and f"{key.selector}._domainkey.{domain}" in seen:
            key.verified_at = now
            session.add(key)


async def _settle(session: AsyncSession, lookout: Lookout, identity: Identity, now: datetime) -> bool:
    since = now - LOOKED_BACK
    if identity.state_by and identity.state in SENDING and identity.state_since is not None:
        # Somebody let it send knowing what was seen before: that alone does not overrule them at once.
        since = max(since, identity.state_since)
    looks = await health.looks_at(session, identity.id, since=since)
    situation = await situation_of(
        session,
        identity,
        required=lookout.required,
        sights=[sight_of(each) for each in looks],
        suspends=lookout.suspends,
    )
    return await settle(session, identity, situation, now) is not None


async def settle_now(session: AsyncSession, lookout: Lookout, identity: Identity, now: datetime) -> bool:
    """Take the step that what is known already leads to, without a look; whether there was one."""
    return await _settle(session, lookout, identity, now)


async def _keep(
    session: AsyncSession, identity: Identity, findings: Sequence[HealthFinding], now: datetime
) -> HealthCheck:
    """Write a look down. Of looks that found the same, hour after hour, one in twenty hours stays.

    The first look since the identity is in its state stays too: what is decided may count from there.
    """
    look = HealthCheck(
        identity_id=identity.id,
        checked_at=now,
        level=level_of(findings),
        reason=" ".join(dict.fromkeys(each.code.value for each in _to_mend(findings)))[:REASON_LENGTH],
        findings=[finding_to_json(each) for each in findings],
    )
    before = await health.looks_at(session, identity.id, since=identity.state_since, limit=2)
    if len(before) == 2:
        last, one_before = before
        same = last.findings == one_before.findings == look.findings
        if same and last.checked_at - one_before.checked_at < THINNED:
            await session.delete(last)
    return await health.add_look(session, look)


def _to_mend(findings: Iterable[HealthFinding]) -> list[HealthFinding]:
    """Problems, then warnings."""
    return [
        each
        for level in (FindingLevel.PROBLEM, FindingLevel.WARNING)
        for each in findings
        if each.level is level
    ]


def next_look(identity: Identity, now: datetime, *, busy: bool = False) -> datetime:
    """When to look again: in an hour while something is wrong or waited for, else at its own time of day."""
    unwell = identity.health in {HealthLevel.PROBLEM, HealthLevel.UNKNOWN}
    if busy or unwell or identity.state not in SENDING:
        return now + HOUR
    digest = hashlib.sha256(f"look/{identity.id}".encode()).digest()
    own_time = timedelta(seconds=int.from_bytes(digest[:4], "big") % int(DAY.total_seconds()))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    following = midnight + own_time
    while following < now + DAY / 2:
        following += DAY
    return following


def findings_of(look: HealthCheck) -> list[HealthFinding]:
    """What a look found; codes of another version of this program are left out."""
    return [found for kept in look.findings if (found := finding_from_json(kept)) is not None]


def sight_of(look: HealthCheck) -> Sight:
    """What a look says of whether providers take the identity's mail."""
    return _sight(findings_of(look), look.checked_at)


def _sight(findings: Sequence[HealthFinding], at: datetime) -> Sight:
    refused = [each.code for each in findings if each.level is FindingLevel.PROBLEM and each.code in REFUSED]
    signatures = [each for each in findings if each.part is Part.DKIM]
    unknown = {each.part for each in findings if each.level is FindingLevel.UNKNOWN}
    faulty = [each.code for each in signatures if each.level is FindingLevel.PROBLEM]
    # One good key is enough: the other's signature is passed over.
    if faulty and Part.DKIM not in unknown and all(each.level is FindingLevel.PROBLEM for each in signatures):
        refused += faulty
    certain = bool(findings) and not unknown & DECISIVE
    return Sight(at, tuple(dict.fromkeys(code.value for code in refused)), certain)


async def forget_old_looks(database: Database, now: datetime) -> int:
    """Drop looks older than 400 days; how many."""
    async with database.write() as session:
        return await health.forget_looks_before(session, now - KEPT)


def is_watched(identity: Identity) -> bool:
    """Whether there is anything to look at: an identity that only sends text messages has no records."""
    return identity.from_email is not None and identity.state not in {
        IdentityState.DRAFT,
        IdentityState.RETIRED,
    }
