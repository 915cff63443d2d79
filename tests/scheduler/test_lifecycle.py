"""The states of an identity: which steps there are, which it takes by itself, and what each lets through."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.errors import BadInputError, ConflictError
from models.health import ProofKind
from models.identity import Identity
from models.states import IDENTITY_TRANSITIONS, SENDING, Channel, IdentityState, identity_may_become
from scheduler import lifecycle
from scheduler.campaigns import cancel, schedule
from scheduler.lifecycle import APART, Sight, Situation, Step, may_send, refused_for_sure, verdict
from store import Database, identities
from tests.clocks import START
from tests.factories import a_campaign, an_identity

S = IdentityState
GOOD = Sight(START, (), certain=True)
BAD = Sight(START, ("dkim_missing",), certain=True)
UNSURE = Sight(START, (), certain=False)


def at(sight: Sight, minutes: float) -> Sight:
    return sight._replace(at=START + timedelta(minutes=minutes))


def test_every_step_an_identity_takes_by_itself_is_an_allowed_one() -> None:
    lost = [False, True]
    sights = [(), (GOOD,), (at(BAD, 60), BAD), (UNSURE,)]
    for state in S:
        for origin in set(S) - {S.RETIRED}:
            for seen in sights:
                for gone in lost:
                    for sent in lost:
                        now = Situation(state, True, origin, lost=gone, sights=seen, has_sent=sent)
                        step = verdict(now)
                        assert step is None or identity_may_become(state, step.to), (now, step)


def test_nothing_comes_back_from_retirement() -> None:
    assert not IDENTITY_TRANSITIONS[S.RETIRED]
    assert verdict(Situation(S.RETIRED, sights=(GOOD,))) is None


def test_two_looks_an_hour_apart_make_sure_and_a_good_one_between_them_does_not() -> None:
    assert refused_for_sure([at(BAD, 60), BAD]) == ("dkim_missing",)
    assert refused_for_sure([BAD]) == ()
    assert refused_for_sure([at(BAD, 5), BAD]) == ()
    assert refused_for_sure([at(BAD, 60), at(GOOD, 30), BAD]) == ()
    assert refused_for_sure([at(BAD, 60), at(UNSURE, 30), BAD]) == ("dkim_missing",)
    assert refused_for_sure([at(UNSURE, 90), at(BAD, 60), BAD]) == ("dkim_missing",)
    assert refused_for_sure([at(BAD, APART.total_seconds() / 60 - 1), BAD]) == ()


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (Situation(S.DNS_PENDING, sights=(GOOD,)), Step(S.CONFIRMED, lifecycle.SHOWN)),
        (Situation(S.DNS_PENDING, sights=(GOOD,), lacking=frozenset({ProofKind.MAILBOX})), None),
        (Situation(S.DNS_PENDING, sights=(BAD,)), None),
        (Situation(S.DNS_PENDING, sights=(UNSURE, GOOD)), None),
        (Situation(S.DNS_PENDING), None),
        (Situation(S.DNS_PENDING, suspends=False), Step(S.CONFIRMED, lifecycle.SHOWN)),
        (Situation(S.CONFIRMED, has_sent=True), Step(S.ACTIVE, lifecycle.FIRST_SENT)),
        (Situation(S.WARMING, lost=True), Step(S.SUSPENDED, lifecycle.PROOF_LOST)),
        # Never asked before there were proofs: an identity that sends already goes on.
        (Situation(S.ACTIVE, lacking=frozenset(ProofKind), sights=(GOOD,)), None),
        (Situation(S.ACTIVE, sights=(at(BAD, 60), BAD)), Step(S.SUSPENDED, "dkim_missing")),
        (Situation(S.ACTIVE, sights=(at(BAD, 60), BAD), suspends=False), None),
        (Situation(S.SUSPENDED, sights=(GOOD,)), Step(S.ACTIVE, lifecycle.MENDED)),
        (Situation(S.SUSPENDED, sights=(GOOD,), warming=True), Step(S.WARMING, lifecycle.MENDED)),
        (Situation(S.SUSPENDED, origin=S.CONFIRMED, sights=(GOOD,)), Step(S.CONFIRMED, lifecycle.MENDED)),
        (Situation(S.SUSPENDED, origin=S.DNS_PENDING, sights=(GOOD,)), Step(S.DNS_PENDING, lifecycle.MENDED)),
        (Situation(S.SUSPENDED, sights=(UNSURE,)), None),
        (Situation(S.SUSPENDED, sights=(GOOD,), lost=True), None),
        (Situation(S.SUSPENDED, by_itself=False, sights=(GOOD,)), None),
    ],
)
def test_the_step_an_identity_takes_by_itself(now: Situation, step: Step | None) -> None:
    assert verdict(now) == step
    if step is not None:
        # Taken once, it is not taken again.
        assert verdict(replace(now, state=step.to)) is None or step.to in {S.CONFIRMED, S.DNS_PENDING}


@pytest.mark.parametrize("state", list(S))
def test_mail_leaves_in_three_states_only_and_text_messages_wait_for_people_alone(
    state: IdentityState,
) -> None:
    identity = Identity(key="x", name="x", state=state, created_at=START)
    assert may_send(identity, Channel.EMAIL) is (state in SENDING)
    assert may_send(identity, Channel.SMS) is (state is not S.RETIRED)
    identity.state_by = "a@b.fr"
    assert may_send(identity, Channel.SMS) is (state not in {S.RETIRED, S.SUSPENDED})


async def test_a_person_gives_a_reason_and_cannot_do_what_is_not_allowed(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        with pytest.raises(BadInputError, match="reason"):
            await lifecycle.suspend(session, identity, by="a@b.fr", reason="  ", now=START)
        with pytest.raises(ConflictError, match="not suspended"):
            await lifecycle.resume(session, identity, by="a@b.fr", reason="x", now=START)
        await lifecycle.retire(session, identity, by="a@b.fr", reason="fin de mandat", now=START)
        with pytest.raises(ConflictError, match="retired"):
            await lifecycle.suspend(session, identity, by="a@b.fr", reason="x", now=START)
        (step,) = await identities.changes_of(session, identity.id)
    assert (step.origin, step.state, step.by, step.reason) == ("active", "retired", "a@b.fr", "fin de mandat")


async def test_an_identity_is_not_retired_under_a_campaign(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity])
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
        with pytest.raises(ConflictError, match=campaign.name):
            await lifecycle.retire(session, identity, by="a@b.fr", reason="x", now=START)
        await cancel(session, campaign.id, START)
        await lifecycle.retire(session, identity, by="a@b.fr", reason="x", now=START)
        assert identity.state is S.RETIRED


async def test_of_two_people_at_once_one_moves_an_identity(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
    async with database.read() as session:
        stale = await identities.get_identity(session, identity.id)
    async with database.write() as session:
        fresh = await identities.get_identity(session, identity.id)
        await lifecycle.retire(session, fresh, by="a@b.fr", reason="x", now=START)
    async with database.write() as session:
        assert not await identities.move(session, stale, S.SUSPENDED, by="b@b.fr", reason="y", now=START)
        assert (await identities.get_identity(session, identity.id)).state is S.RETIRED


async def test_another_address_is_no_way_round_a_suspension_or_a_proof(database: Database) -> None:
    asked = {"return_path": "b.autre.fr", "required": frozenset(ProofKind), "by": "a@b.fr", "now": START}
    async with database.write() as session:
        identity = await an_identity(session)
        await lifecycle.suspend(session, identity, by="a@b.fr", reason="x", now=START)
        with pytest.raises(ConflictError, match="suspended"):
            await lifecycle.change_address(session, identity, "c@autre.fr", **asked)  # type: ignore[arg-type]
        await lifecycle.resume(session, identity, by="a@b.fr", reason="x", now=START)
        assert await identities.move(session, identity, S.SUSPENDED, by="", reason="dkim_missing", now=START)
        await lifecycle.change_address(session, identity, "c@autre.fr", **asked)  # type: ignore[arg-type]
        assert (identity.state, identity.dkim_domain) == (S.DNS_PENDING, "autre.fr")
        assert not may_send(identity, Channel.EMAIL)
