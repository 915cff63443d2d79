"""What it takes until an address is written to no more."""

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.feedback import apply
from deliverability.policy import judge, policies_in_force, read_policies, shipped_policies, use_policies
from deliverability.rulebook import RulesError
from deliverability.suppression import weigh
from models.states import (
    BounceClass,
    Channel,
    DeliveryState,
    EventKind,
    Fault,
    Permanence,
    SuppressionReason,
)
from models.suppression import address_hash
from models.values import Signal, Verdict
from store import Database, events, suppressions
from store.events import Told
from tests.clocks import START
from tests.deliverability.rows import a_contact, a_delivery

DAY = timedelta(days=1)
HARD_BOUNCE = SuppressionReason.HARD_BOUNCE
HARD, SOFT = Permanence.HARD, Permanence.SOFT
_numbers = itertools.count(1)


def failed(
    bounce_class: BounceClass,
    day: float,
    message: int,
    *,
    fault: Fault = Fault.RECIPIENT,
    permanence: Permanence = SOFT,
    kind: EventKind = EventKind.BOUNCED,
) -> Told:
    at = START + timedelta(days=day)
    return Told(next(_numbers), message, message, kind, at, bounce_class, fault, permanence, "a rule")


def lived(kind: EventKind, day: float, message: int, *, machine: bool = False) -> Told:
    at = START + timedelta(days=day)
    return Told(next(_numbers), message, message, kind, at, machine=machine)


def is_found(news: Sequence[Told]) -> bool:
    return bool(judge(news, shipped_policies()))


def test_an_address_that_does_not_exist_is_suppressed_at_once() -> None:
    assert is_found([failed(BounceClass.NO_SUCH_ADDRESS, 0, 1, permanence=HARD)])
    assert not is_found([failed(BounceClass.NO_SUCH_ADDRESS, 0, 1, permanence=SOFT)])


@pytest.mark.parametrize("bounce_class", BounceClass)
@pytest.mark.parametrize("fault", sorted(set(Fault) - {Fault.RECIPIENT}))
def test_only_the_recipients_fault_suppresses_however_often(bounce_class: BounceClass, fault: Fault) -> None:
    for permanence in Permanence:
        assert not is_found(
            [failed(bounce_class, 30 * n, n, fault=fault, permanence=permanence) for n in range(12)]
        )


@pytest.mark.parametrize(
    "bounce_class",
    [
        BounceClass.RATE,
        BounceClass.GREYLIST,
        BounceClass.BLOCK,
        BounceClass.SPAM,
        BounceClass.AUTH,
        BounceClass.SENDER_INVALID,
        BounceClass.SIZE_FORMAT,
        BounceClass.UNKNOWN,
    ],
)
def test_what_is_about_us_never_suppresses_whoever_is_blamed(bounce_class: BounceClass) -> None:
    assert not is_found([failed(bounce_class, 30 * n, n, permanence=HARD) for n in range(12)])


@pytest.mark.parametrize(
    ("days", "found"),
    [([0, 8, 16, 24], False), ([0, 7, 14, 21, 29], False), ([0, 7, 14, 21, 30], True)],
)
def test_a_full_mailbox_takes_five_campaigns_and_thirty_days(days: list[int], found: bool) -> None:
    assert is_found([failed(BounceClass.MAILBOX_FULL, day, n) for n, day in enumerate(days)]) is found


def test_five_refusals_of_one_campaign_are_one_campaign() -> None:
    assert not is_found([failed(BounceClass.MAILBOX_FULL, 10 * n, 1) for n in range(9)])


@pytest.mark.parametrize(
    ("days", "found"), [([0, 5, 14], False), ([0, 3, 9, 13], False), ([0, 3, 9, 14], True)]
)
def test_soft_failures_take_four_campaigns_and_a_fortnight(days: list[int], found: bool) -> None:
    words = [BounceClass.TRANSIENT, BounceClass.EXPIRED, BounceClass.TRANSIENT, BounceClass.EXPIRED]
    news = [failed(word, day, n) for n, (word, day) in enumerate(zip(words, days, strict=False))]
    assert is_found(news) is found


@pytest.mark.parametrize(
    ("life", "found"),
    [
        (lived(EventKind.DELIVERED, 12, 99), False),
        (lived(EventKind.ACCEPTED, 12, 99), False),
        (lived(EventKind.CLICKED, 12, 1), False),
        (lived(EventKind.CLICKED, 12, 1, machine=True), True),
        (lived(EventKind.ACCEPTED, 12, 3), True),
        (lived(EventKind.DELIVERED, 12, 3), True),
        (lived(EventKind.RELAYED, 12, 99), True),
        (lived(EventKind.DEFERRED, 12, 99), True),
    ],
    ids=lambda value: str(value.kind if isinstance(value, Told) else value),
)
def test_a_sign_of_life_between_begins_the_count_anew_unless_its_message_bounced(
    life: Told, found: bool
) -> None:
    news = [failed(BounceClass.TRANSIENT, day, n) for n, day in enumerate([0, 5, 10, 15])]
    assert is_found(news)
    assert is_found([*news, life]) is found


def test_failures_of_long_ago_are_forgotten() -> None:
    assert not is_found([failed(BounceClass.INACTIVE, day, day, permanence=HARD) for day in (0, 400)])
    assert is_found([failed(BounceClass.INACTIVE, day, day, permanence=HARD) for day in (0, 60)])


def test_what_was_before_a_person_decided_otherwise_does_not_count() -> None:
    news = [failed(BounceClass.NO_SUCH_ADDRESS, 0, 1, permanence=HARD)]
    assert judge(news, shipped_policies(), since={HARD_BOUNCE: START}) == {}
    assert judge(news, shipped_policies(), since={HARD_BOUNCE: START - DAY})


NEWS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                (EventKind.BOUNCED, BounceClass.TRANSIENT),
                (EventKind.BOUNCED, BounceClass.INACTIVE),
                (EventKind.BOUNCED, BounceClass.MAILBOX_FULL),
                (EventKind.BOUNCED, BounceClass.BLOCK),
                (EventKind.DELIVERED, None),
                (EventKind.CLICKED, None),
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=12,
)


@given(NEWS, st.randoms())
def test_the_verdict_on_an_address_is_the_same_in_whatever_order_its_news_came(
    drawn: list[tuple[tuple[EventKind, BounceClass | None], int, int]], chance: random.Random
) -> None:
    news = [
        failed(what, day, message, kind=kind, permanence=HARD) if what else lived(kind, day, message)
        for (kind, what), message, day in drawn
    ]
    mixed = chance.sample(news, len(news))
    assert judge(mixed, shipped_policies()) == judge(news, shipped_policies())


def test_an_installation_changes_adds_and_switches_off_policies(tmp_path: Path) -> None:
    file = tmp_path / "suppression.toml"
    file.write_text(
        '[[policies]]\nid = "inactive"\noff = true\n'
        '[[policies]]\nid = "soft"\nclasses = ["transient"]\ncampaigns = 2\nover = "1d"\n'
    )
    policies = {policy.name: policy for policy in read_policies(file)}
    assert "inactive" not in policies
    assert "no-such-address" in policies
    assert policies["soft"].campaigns == 2
    try:
        use_policies(file)
        assert policies_in_force() == read_policies(file)
    finally:
        use_policies(None)
    assert policies_in_force() == shipped_policies()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[policies]]\nid = "x"\nclasses = ["block"]', "block never suppresses a person"),
        ('[[policies]]\nid = "x"\nclasses = ["wrong"]', "wrong"),
        ('[[policies]]\nid = "x"', "classes is missing"),
        ('[[policies]]\nid = "x"\nclasses = []\nhits = 2', "unknown: hits"),
        ('[[policies]]\nid = "x"\nclasses = ["inactive"]\nreason = "stop"', "reason is hard_bounce"),
        ('[[policies]]\nid = "none-such"\noff = true', "cannot be read"),
        ('[[policies]]\nid = "x"\nclasses = ["inactive"]\nover = "a week"', "no time"),
        ("[policy]\n", "only"),
        ("[[", "suppression.toml"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused_in_one_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "suppression.toml"
    file.write_text(text)
    with pytest.raises(RulesError, match=problem):
        read_policies(file)


async def _a_person_and_news(database: Database) -> tuple[str, list[Signal]]:
    """Somebody written to six times, four soft failures among signs of life and other people's faults."""
    async with database.write() as session:
        contact = await a_contact(session)
        messages = [
            (await a_delivery(session, contact=contact, state=DeliveryState.ACCEPTED)).id for _ in range(6)
        ]
    assert contact.email is not None
    plan: list[tuple[EventKind, int, float, BounceClass | None, Fault]] = [
        (EventKind.BOUNCED, 0, 0, BounceClass.TRANSIENT, Fault.RECIPIENT),
        (EventKind.BOUNCED, 1, 5, BounceClass.TRANSIENT, Fault.RECIPIENT),
        (EventKind.BOUNCED, 2, 10, BounceClass.EXPIRED, Fault.RECIPIENT),
        (EventKind.BOUNCED, 3, 15, BounceClass.TRANSIENT, Fault.RECIPIENT),
        (EventKind.BOUNCED, 4, 16, BounceClass.BLOCK, Fault.PROVIDER),
        (EventKind.DELIVERED, 4, 12, None, Fault.UNKNOWN),
        (EventKind.DELIVERED, 5, 12, None, Fault.UNKNOWN),
    ]
    return contact.email, [_news(messages[m], kind, day, what, fault) for kind, m, day, what, fault in plan]


def _news(delivery_id: int, kind: EventKind, day: float, what: BounceClass | None, fault: Fault) -> Signal:
    return Signal(
        kind=kind,
        channel=Channel.EMAIL,
        source="test",
        source_id=f"{delivery_id}/{kind.value}",
        at=START + timedelta(days=day),
        delivery_id=delivery_id,
        verdict=Verdict(what, fault, SOFT, "a rule") if what else None,
    )


async def _standing(database: Database, address: str, now: datetime) -> set[SuppressionReason]:
    async with database.read() as session:
        rows = await suppressions.history(session, Channel.EMAIL, address_hash(Channel.EMAIL, address))
    return {row.reason for row in rows if row.lifted_at is None}


@pytest.mark.parametrize("alive", [False, True])
async def test_the_same_news_ten_times_in_any_order_ends_in_the_same_state(
    database: Database, alive: bool
) -> None:
    now = START + 30 * DAY
    chance = random.Random(7)
    ends = set()
    for _ in range(12):
        address, news = await _a_person_and_news(database)
        news = news if alive else news[:-1]
        often = news * 10
        chance.shuffle(often)
        for signal in often:
            async with database.write() as session:
                await apply(session, signal, now)
        ends.add(frozenset(await _standing(database, address, now)))
    assert ends == {frozenset() if alive else frozenset({HARD_BOUNCE})}


async def test_what_a_late_sign_of_life_ends_leaves_its_trace(database: Database) -> None:
    now = START + 30 * DAY
    address, news = await _a_person_and_news(database)
    for signal in news[:4]:
        async with database.write() as session:
            await apply(session, signal, now)
    assert await _standing(database, address, now) == {HARD_BOUNCE}
    async with database.write() as session:
        await apply(session, news[-1], now)
        (row,) = await suppressions.history(session, Channel.EMAIL, address_hash(Channel.EMAIL, address))
    assert row.evidence == "transient, policy soft, rule a rule"
    assert row.lifted_why.startswith("unfounded: ")


async def test_a_person_who_allowed_an_address_again_is_not_overruled_by_old_news(database: Database) -> None:
    now = START + 30 * DAY
    address, news = await _a_person_and_news(database)
    fingerprint = address_hash(Channel.EMAIL, address)
    for signal in news[:4]:
        async with database.write() as session:
            await apply(session, signal, now)
    async with database.write() as session:
        await suppressions.lift(
            session, channel=Channel.EMAIL, address_hash=fingerprint, why="ada: wrote to us", now=now
        )
    async with database.write() as session:
        assert (await weigh(session, Channel.EMAIL, address, now + DAY)).added == 0
    assert await _standing(database, address, now) == set()


async def test_a_failure_after_an_address_was_allowed_again_counts_anew(database: Database) -> None:
    gone = Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, HARD, "a rule")
    async with database.write() as session:
        person = await a_contact(session)
        messages = [await a_delivery(session, contact=person) for _ in range(3)]

    async def bounced(message: int, day: int) -> None:
        told = Signal(
            EventKind.BOUNCED,
            Channel.EMAIL,
            "test",
            f"{message}/{day}",
            START + day * DAY,
            delivery_id=messages[message].id,
            verdict=gone,
        )
        async with database.write() as session:
            await apply(session, told, START + 10 * DAY)

    address = messages[0].address
    await bounced(0, 0)
    async with database.write() as session:
        fingerprint = address_hash(Channel.EMAIL, address)
        now = START + 5 * DAY
        await suppressions.lift(
            session, channel=Channel.EMAIL, address_hash=fingerprint, why="ada: it is mended", now=now
        )
    await bounced(1, 4)  # heard late: it was before the decision
    assert await _standing(database, address, START + 10 * DAY) == set()
    await bounced(2, 6)
    assert await _standing(database, address, START + 10 * DAY) == {HARD_BOUNCE}


async def test_evidence_that_is_gone_ends_no_suppression(database: Database) -> None:
    now = START + 30 * DAY
    address, news = await _a_person_and_news(database)
    fingerprint = address_hash(Channel.EMAIL, address)
    async with database.write() as session:
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=fingerprint,
            reason=HARD_BOUNCE,
            evidence="",
            event_id=10**9,
            now=START,
        )
        await apply(session, news[-1], now)
        assert len((await events.news_of_addresses(session, Channel.EMAIL, [address]))[address]) == 1
    assert await _standing(database, address, now) == {HARD_BOUNCE}
