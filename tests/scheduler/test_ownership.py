"""What is asked of an identity's owner, how it is lost and found, and who writes the letter."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.health.proofs import Seen
from models.errors import BadInputError, ConflictError
from models.health import IdentityProof, ProofKind
from models.identity import Identity
from models.keyring import Keyring
from models.states import Channel, IdentityState
from models.tokens import TokenPurpose, Tokens
from models.values import Accepted, EmailEnvelope, Refused, Reply
from scheduler.lifecycle import is_shown
from scheduler.ownership import (
    LETTERS_APART,
    LINK_LIFE,
    MISSES,
    MISSING_FOR,
    draw_link,
    ensure_proofs,
    has_expired,
    note_record,
    proof_of_link,
    require_own_domain,
)
from scheduler.ownership_letter import PostRoom, send_link
from store import Database, health, identities
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, an_identity
from tests.scheduler.desks import ScriptedTransport

TOKENS = Tokens(KEYRING)


@pytest.mark.parametrize(
    "address", ["a@gmail.com", "a@Orange.FR", "a@laposte.net", "a@yahoo.fr", "a@yopmail.com", "a@hotmail.fr"]
)
def test_nobody_sends_as_an_address_that_anybody_may_have(address: str) -> None:
    with pytest.raises(BadInputError, match="mailbox provider"):
        require_own_domain(address)


@pytest.mark.parametrize("address", ["contact@parti.fr", "a@news.orange.example", "a@mairie-orange.fr"])
def test_a_domain_of_one_s_own_will_do(address: str) -> None:
    require_own_domain(address)


def a_proof(**changes: object) -> IdentityProof:
    known = {"identity_id": 1, "kind": ProofKind.DNS, "subject": "parti.fr", "token": "t", "asked_at": START}
    return IdentityProof(**{**known, **changes})  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.sampled_from(list(Seen)), st.integers(1, 3 * 24 * 60)), max_size=12),
    st.booleans(),
)
def test_a_record_is_lost_only_by_three_sure_looks_in_a_day_or_more(
    looks: list[tuple[Seen, int]], proven: bool
) -> None:
    proof = a_proof(proven_at=START if proven else None)
    now = START
    gone: list[datetime] = []
    for seen, minutes in looks:
        now += timedelta(minutes=minutes)
        note_record(proof, seen, now)
        if seen is Seen.THERE:
            gone = []
        elif seen is Seen.GONE and proof.proven_at is not None:
            gone.append(now)
        lost = len(gone) >= MISSES and gone[-1] - gone[0] >= MISSING_FOR
        assert (proof.lost_at is not None) is lost
    if not proven and Seen.THERE not in [seen for seen, _ in looks]:
        assert proof.proven_at is None


async def test_another_address_is_asked_anew(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        first = dict(await ensure_proofs(session, identity, START))
        assert dict(await ensure_proofs(session, identity, START)) == first
        tokens = {kind: proof.token for kind, proof in first.items()}
        assert await health.prove_once(session, first[ProofKind.MAILBOX], START)
        await session.refresh(first[ProofKind.MAILBOX])
        assert is_shown(identity, ProofKind.MAILBOX, first[ProofKind.MAILBOX])
        identity.from_email = "autre@parti.fr"
        assert not is_shown(identity, ProofKind.MAILBOX, first[ProofKind.MAILBOX])
        again = await ensure_proofs(session, identity, START)
    assert again[ProofKind.DNS].token == tokens[ProofKind.DNS], "the domain is the same"
    assert again[ProofKind.MAILBOX].token != tokens[ProofKind.MAILBOX]
    assert again[ProofKind.MAILBOX].proven_at is None


async def test_a_link_serves_nothing_but_this_and_cannot_be_made_up(database: Database) -> None:
    others = Tokens(Keyring("another secret, just as long as it needs to be"))
    async with database.write() as session:
        identity = await an_identity(session)
        proof, token = await draw_link(session, identity, TOKENS, START)
        assert await proof_of_link(session, TOKENS, token) == proof
        number = int(proof.token)
        assert await proof_of_link(session, TOKENS, TOKENS.make(TokenPurpose.LEAVE, number)) is None
        assert await proof_of_link(session, TOKENS, others.make(TokenPurpose.MAILBOX, number)) is None
        assert await proof_of_link(session, TOKENS, TOKENS.make(TokenPurpose.MAILBOX, number ^ 1)) is None
        assert await health.prove_once(session, proof, START)
        assert not await health.prove_once(session, proof, START), "once"


async def test_a_link_drawn_long_after_the_letter_before_is_fresh(database: Database) -> None:
    later = START + 2 * LINK_LIFE
    async with database.write() as session:
        identity = await an_identity(session)
        proof, _ = await draw_link(session, identity, TOKENS, START)
        proof.mailed_at = START
        session.add(proof)
        assert has_expired(proof, later)
        proof, _ = await draw_link(session, identity, TOKENS, later)
        assert not has_expired(proof, later)


def a_room(database: Database, clock: ManualClock, postman: ScriptedTransport | None) -> PostRoom:
    transports = {} if postman is None else {Channel.EMAIL: postman}
    return PostRoom(database, clock, transports, KEYRING, TOKENS, "https://t.example/", "fr")


async def test_the_letter_comes_from_who_sends_already(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        new = await an_identity(session, key="rhone", domain="rhone.fr", state=IdentityState.DNS_PENDING)
    postman = ScriptedTransport()
    assert isinstance(await send_link(a_room(database, clock, postman), new.id), Accepted)
    async with database.write() as session:
        await an_identity(session, key="national")
    with pytest.raises(ConflictError, match="moment ago"):
        await send_link(a_room(database, clock, postman), new.id)
    clock.advance(LETTERS_APART)
    await send_link(a_room(database, clock, postman), new.id)
    first, second = postman.sent
    assert isinstance(first, EmailEnvelope)
    assert isinstance(second, EmailEnvelope)
    assert [first.recipient, second.recipient] == ["rhone@rhone.fr"] * 2
    assert b"From: Le Parti <rhone@rhone.fr>" in bytes(first.data)
    assert b"From: Le Parti <national@parti.fr>" in bytes(second.data)
    assert b"/mailbox/" in bytes(second.data)


async def test_a_letter_that_is_refused_says_why_and_can_be_sent_again(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
    refused = Refused(Reply(550, "5.1.1", "no such mailbox"))
    postman = ScriptedTransport(answers={"national@parti.fr": refused})
    assert await send_link(a_room(database, clock, postman), identity.id) == refused
    async with database.read() as session:
        proof = (await health.proofs_of(session, identity.id))[ProofKind.MAILBOX]
    assert (proof.mailed_at, proof.problem) == (None, "no such mailbox")
    await send_link(a_room(database, clock, ScriptedTransport()), identity.id)
    with pytest.raises(ConflictError, match="sends no e-mail"):
        await send_link(a_room(database, clock, None), identity.id)


async def test_an_identity_without_an_address_is_asked_nothing(database: Database) -> None:
    async with database.write() as session:
        made = Identity(key="sms", name="SMS", sms_sender="SMS", created_at=START)
        identity = await identities.add_identity(session, made, [])
        assert await ensure_proofs(session, identity, START) == {}
        with pytest.raises(ConflictError, match="no e-mail address"):
            await draw_link(session, identity, TOKENS, START)
