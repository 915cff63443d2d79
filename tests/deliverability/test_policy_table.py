"""From a mail server's answer to who is written to no more: each class of refusal, and what it takes.

A row says what is answered, by whom, and what it takes until the address is written to no more: so many
campaigns over so many days; None where nothing ever does, since it is not the person's doing.
"""

from datetime import timedelta
from typing import NamedTuple

import pytest

from deliverability.classify import classify_reply
from deliverability.policy import judge, shipped_policies
from models.states import BounceClass, Channel, EventKind
from models.values import Reply
from store.events import Told
from tests.clocks import START


class Takes(NamedTuple):
    """So many refusals, each of another campaign, over so many days."""

    campaigns: int
    days: int


AT_ONCE = Takes(1, 0)
CLOSED = Takes(2, 7)
FULL = Takes(5, 30)
SOFT = Takes(4, 14)
NEVER = None
C = BounceClass

TABLE: list[tuple[str, Takes | None, BounceClass, list[tuple[str, int | None, str | None, str]]]] = [
    (
        "There is no such person or domain: at once, for all identities.",
        AT_ONCE,
        C.NO_SUCH_ADDRESS,
        [
            *(("other", 550, f"5.1.{n}", "no") for n in (1, 2, 3, 6, 10)),
            ("other", 556, None, "this domain accepts no mail"),
            ("other", None, "5.4.4", "Host not found: NXDOMAIN"),
            ("other", 550, "5.1.1", "cette adresse n'existe pas"),
            ("laposte", 550, "5.5.0", "LPN007_416 Utilisateur inconnu"),
            ("orange", 550, None, "OFR_416 Utilisateur inconnu"),
        ],
    ),
    (
        "The mailbox is inactive or disabled: after two hits a week apart or more.",
        CLOSED,
        C.INACTIVE,
        [
            ("other", 550, "5.2.1", "no"),
            ("other", 550, "5.7.13", "no"),
            ("icloud", 550, "5.2.1", "the account is inactive"),
            ("yahoo", 554, None, "delivery error: this mailbox is disabled"),
            ("gmail", 552, "5.2.2", "OverQuotaPerm: the recipient's inbox is inactive"),
            ("laposte", 550, "5.5.0", "LPN_420 compte archive"),
            ("orange", 550, "5.5.0", "OFR_426 compte bloque"),
        ],
    ),
    (
        "The mailbox is full: after five campaigns, and thirty days.",
        FULL,
        C.MAILBOX_FULL,
        [
            ("other", 452, "4.2.2", "full"),
            ("other", 552, "5.2.2", "full"),
            ("other", 452, None, "no"),
            ("other", 552, None, "no"),
            ("gmail", 452, "4.2.2", "OverQuotaTemp"),
            ("orange", 550, "5.5.0", "OFR_417 boite pleine"),
        ],
    ),
    (
        "The mailbox itself cannot be reached for now: after four campaigns in a row, over a fortnight.",
        SOFT,
        C.INACTIVE,
        [("other", 450, "4.2.1", "not now"), ("other", 450, "4.1.1", "not now")],
    ),
    (
        "A network or a mail system fails for a while: its fault, which never suppresses.",
        NEVER,
        C.TRANSIENT,
        [
            ("other", 451, "4.3.0", "not now"),
            ("other", 452, "4.3.1", "Insufficient system storage"),
            ("other", None, "4.4.1", "connection timed out"),
            ("other", None, "4.4.3", "SERVFAIL"),
            ("other", 421, None, "timeout"),
        ],
    ),
    (
        "Given up after days of trying: nor does that by itself.",
        NEVER,
        C.EXPIRED,
        [("other", None, "4.4.7", "expired"), ("other", None, "5.4.7", "expired")],
    ),
    (
        "Too fast: none of the person's business.",
        NEVER,
        C.RATE,
        [
            ("other", 421, "4.7.0", "try later"),
            ("other", 450, "4.7.1", "try later"),
            ("gmail", 421, "4.7.28", "unusual rate"),
        ],
    ),
    ("Greylisted: none.", NEVER, C.GREYLIST, [("other", 450, "4.7.1", "you are greylisted")]),
    (
        "Our address or domain is blocked: none; nor is 5.5.0 alone where a provider answers it to all.",
        NEVER,
        C.BLOCK,
        [
            ("other", 550, "5.7.1", "poor reputation"),
            ("outlook", 550, "5.7.606", "Access denied, banned sending IP"),
            ("outlook", 550, "5.7.1", "part of their network is on our block list (S3150)"),
            ("yahoo", 553, "5.7.2", "[BL21] listed"),
            ("orange", 550, "5.5.0", "OFR_101 adresse bloquee"),
            ("laposte", 550, "5.5.0", "LPNAAA_102 adresse bloquee"),
            ("laposte", 550, "5.5.0", "LPN_510 service refuse"),
            ("laposte", 550, "5.5.0", "Requested action not taken"),
        ],
    ),
    (
        "Taken for spam: none.",
        NEVER,
        C.SPAM,
        [
            ("other", 550, "5.7.1", "looks like spam"),
            ("yahoo", 554, "5.7.9", "[PH01] not accepted for policy reasons"),
            ("icloud", 550, "5.7.1", "[CS01] local policy"),
            ("orange", 550, "5.5.0", "OFR_506 message refuse"),
            ("free", 550, None, "spam detected"),
        ],
    ),
    (
        "Not authenticated: none, the identity is to blame.",
        NEVER,
        C.AUTH,
        [
            *(("gmail", 550, f"5.7.{n}", "unauthenticated") for n in (26, 27, 29, 30, 31, 32)),
            ("outlook", 550, "5.7.509", "DMARC"),
            ("outlook", 550, "5.7.515", "level of authentication"),
            ("laposte", 550, "5.5.0", "LPN_401 SPF"),
            ("orange", 550, "5.5.0", "OFR_517 DMARC"),
            ("other", 550, "5.7.9", "no"),
        ],
    ),
    (
        "The sender is not accepted: none.",
        NEVER,
        C.SENDER_INVALID,
        [
            ("other", 550, "5.1.7", "no"),
            ("other", 550, "5.1.8", "no"),
            ("orange", 550, "5.5.0", "OFR_403 expediteur"),
            ("orange", 550, "5.5.0", "OFR_405 expediteur"),
        ],
    ),
    (
        "Too large or malformed: none.",
        NEVER,
        C.SIZE_FORMAT,
        [("other", 552, "5.2.3", "no"), ("other", 552, "5.3.4", "no"), ("other", 550, "5.6.0", "no")],
    ),
    (
        "A refusal for good that only sounds like it, without a status about the recipient: never.",
        NEVER,
        C.NO_SUCH_ADDRESS,
        [("other", 550, None, "user unknown"), ("other", 550, "5.0.0", "user unknown")],
    ),
    (
        "The same of a mailbox that is said to be closed.",
        NEVER,
        C.INACTIVE,
        [("other", 550, None, "this account has been disabled")],
    ),
]


class Row(NamedTuple):
    """One answer, and what becomes of it."""

    told: str
    takes: Takes | None
    read: BounceClass
    answer: tuple[str, int | None, str | None, str]


ROWS = [Row(told, takes, read, answer) for told, takes, read, answers in TABLE for answer in answers]


def refused(answer: tuple[str, int | None, str | None, str], days: list[float]) -> list[Told]:
    """One refusal on each of these days, each of another campaign."""
    provider, code, enhanced, text = answer
    permanent = str(enhanced or code).startswith("5")
    reply = Reply(code, enhanced, text)
    verdict = classify_reply(reply, provider=provider, channel=Channel.EMAIL, permanent=permanent)
    return [
        Told(
            event_id=number,
            delivery_id=number,
            campaign_id=number,
            kind=EventKind.BOUNCED,
            at=START + timedelta(days=day),
            bounce_class=verdict.bounce_class,
            fault=verdict.fault,
            permanence=verdict.permanence,
            rule=verdict.rule,
        )
        for number, day in enumerate(days, start=1)
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(map(str, row.answer)))
def test_what_an_answer_takes_until_an_address_is_written_to_no_more(row: Row) -> None:
    told, takes, read, answer = row
    policies = shipped_policies()

    def is_suppressed(days: list[float]) -> bool:
        news = refused(answer, days)
        assert {one.bounce_class for one in news} == {read}, told
        return bool(judge(news, policies))

    if takes is None:
        assert not is_suppressed([30.0 * month for month in range(12)]), told
        return
    spread = [takes.days * n / max(1, takes.campaigns - 1) for n in range(takes.campaigns)]
    assert is_suppressed(spread), told
    if takes.campaigns > 1:
        assert not is_suppressed(spread[:-1]), f"{told} One less is not enough."
        assert not is_suppressed([day * 0.99 for day in spread]), f"{told} Sooner is not enough."


def test_every_class_has_its_row() -> None:
    """What a provider says of its own lists, and what nobody can read, have no typical answer."""
    assert {read for _, _, read, _ in TABLE} == set(BounceClass) - {C.OPTED_OUT, C.HELD_BACK, C.UNKNOWN}
