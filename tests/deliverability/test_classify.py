"""What refusals mean, and whose fault they are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.classify import (
    RECIPIENT_STATUS,
    classify_by_rules,
    classify_reply,
    provider_behind,
)
from deliverability.rulebook import shipped
from deliverability.suppression import reason_for
from models.providers import PROVIDER_BY_KEY
from models.states import BounceClass, Channel, Fault, Permanence, SuppressionReason
from models.values import Reply, Verdict

B, F = BounceClass, Fault
ANSWERS = [
    (
        "gmail",
        "550 5.1.1 The email account that you tried to reach does not exist",
        B.NO_SUCH_ADDRESS,
        F.RECIPIENT,
    ),
    ("gmail", "421 4.7.28 unusual rate of unsolicited mail from your IP address", B.RATE, F.PROVIDER),
    ("gmail", "550 5.7.26 This mail is unauthenticated", B.AUTH, F.IDENTITY),
    ("gmail", "421 4.7.0 very low reputation of the sending domain", B.BLOCK, F.PROVIDER),
    ("gmail", "452 4.2.2 The recipient's inbox is out of storage OverQuotaTemp", B.MAILBOX_FULL, F.RECIPIENT),
    ("yahoo", "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", B.RATE, F.PROVIDER),
    ("yahoo", "553 5.7.2 [TSS09] All messages will be permanently deferred", B.BLOCK, F.PROVIDER),
    ("yahoo", "554 5.7.9 [PH01] Message not accepted for policy reasons", B.SPAM, F.CONTENT),
    ("outlook", "550 5.7.515 Access denied, sending domain does not meet the level", B.AUTH, F.IDENTITY),
    ("outlook", "550 5.7.1 part of their network is on our block list (S3150)", B.BLOCK, F.PROVIDER),
    ("outlook", "451 4.7.500 Server busy. Please try again later", B.RATE, F.PROVIDER),
    ("icloud", "550 5.7.1 [CS01] Message rejected due to local policy", B.SPAM, F.CONTENT),
    ("icloud", "421 4.7.1 messages are rejected due to excessive volume", B.RATE, F.PROVIDER),
    (
        "orange",
        "550 5.1.1 Adresse d au moins un destinataire invalide. OFR_416 [416]",
        B.NO_SUCH_ADDRESS,
        F.RECIPIENT,
    ),
    ("orange", "421 4.7.0 Service refuse. Trop de connexions. OFR004_104 [104]", B.RATE, F.PROVIDER),
    ("orange", "550 5.7.1 Service refuse. OFR_506 [506]", B.SPAM, F.CONTENT),
    ("orange", "550 5.2.0 Mailbox full OFR_417 [417]", B.MAILBOX_FULL, F.RECIPIENT),
    ("laposte", "550 5.5.0 Service refuse. LPN007_510", B.BLOCK, F.PROVIDER),
    ("laposte", "550 5.5.0 Adresse IP source bloquee. LPN_102", B.BLOCK, F.PROVIDER),
    ("laposte", "550 5.5.0 Echec SPF. LPN007_401", B.AUTH, F.IDENTITY),
    (
        "laposte",
        "550 5.1.1 Adresse d au moins un destinataire invalide. LPN_416",
        B.NO_SUCH_ADDRESS,
        F.RECIPIENT,
    ),
    ("free", "451 4.7.1 Greylisted for a moment, please try again", B.GREYLIST, F.PROVIDER),
    ("free", "421 Too many errors, come back later", B.RATE, F.PROVIDER),
    ("orange", "421 4.7.0 Trop de messages OFR_109 [109]", B.RATE, F.PROVIDER),
    ("sfr", "450 4.7.1 SFR_IN_105 Too much volume", B.RATE, F.PROVIDER),
    ("free", "550 spam detected", B.SPAM, F.CONTENT),
    ("other", "550 5.7.1 blocked using zen.spamhaus.org", B.BLOCK, F.PROVIDER),
    ("other", "451 4.7.1 Greylisted, please try again in 300 seconds", B.GREYLIST, F.PROVIDER),
    ("other", "552 5.3.4 Message size exceeds fixed limit", B.SIZE_FORMAT, F.CONTENT),
    ("other", "550 5.1.8 Sender address rejected: Domain not found", B.SENDER_INVALID, F.IDENTITY),
    ("other", "421 4.4.7 Delivery time expired", B.EXPIRED, F.PROVIDER),
    ("other", "451 4.3.0 Temporary lookup failure", B.TRANSIENT, F.PROVIDER),
    ("other", "550 user unknown", B.NO_SUCH_ADDRESS, F.UNKNOWN),
    ("other", "550 Non, merci", B.UNKNOWN, F.UNKNOWN),
]


@pytest.mark.parametrize(
    ("provider", "text", "bounce_class", "fault"), ANSWERS, ids=[f"{row[0]} {row[1][:50]}" for row in ANSWERS]
)
def test_an_answer_is_read_as_its_provider_means_it(
    provider: str, text: str, bounce_class: BounceClass, fault: Fault
) -> None:
    assert provider == "other" or provider in PROVIDER_BY_KEY
    code = int(text[:3])
    status = re.search(r"[45]\.\d+\.\d+", text[:12])
    reply = Reply(code, status[0] if status else None, text)
    verdict = classify_reply(reply, provider=provider, channel=Channel.EMAIL, permanent=code >= 500)
    assert (verdict.bounce_class, verdict.fault) == (bounce_class, fault)


texts = st.one_of(st.text(max_size=200), st.sampled_from([row[1] for row in ANSWERS]))
statuses = st.one_of(
    st.none(), st.builds("{}.{}.{}".format, st.integers(4, 5), st.integers(0, 7), st.integers(0, 700))
)


@given(
    code=st.one_of(st.none(), st.integers(200, 599)),
    enhanced=statuses,
    text=texts,
    provider=st.sampled_from([*PROVIDER_BY_KEY, "other"]),
    permanent=st.booleans(),
)
def test_only_a_status_that_names_the_recipient_suppresses(
    code: int | None, enhanced: str | None, text: str, provider: str, permanent: bool
) -> None:
    verdict = classify_reply(
        Reply(code, enhanced, text), provider=provider, channel=Channel.EMAIL, permanent=permanent
    )
    if reason_for(verdict) is not None:
        said = f"{enhanced} {text}"
        assert RECIPIENT_STATUS.search(said) or re.search(r"(?:LPN|OFR|OUK)\w*_416", text)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (30005, SuppressionReason.HARD_BOUNCE),
        (30006, SuppressionReason.HARD_BOUNCE),
        (21610, SuppressionReason.PROVIDER),
        (30003, None),
        (30004, None),
        (30007, None),
        (30008, None),
        (12345, None),
    ],
)
def test_twilios_numbers_suppress_only_where_the_handset_is_gone_or_objected(
    code: int, reason: SuppressionReason | None
) -> None:
    verdict = classify_reply(Reply(code, None, ""), provider="sms", channel=Channel.SMS, permanent=True)
    assert reason_for(verdict) is reason


def test_a_closed_mailbox_does_not_suppress_by_itself() -> None:
    verdict = Verdict(BounceClass.INACTIVE, Fault.RECIPIENT, Permanence.HARD, "any")
    assert reason_for(verdict) is None


def test_a_domain_of_ones_own_is_judged_by_the_exchanger_that_answered() -> None:
    assert provider_behind("other", "aspmx.l.google.com") == "gmail"
    assert provider_behind("other", "mx.google.com.evil.example") == "other"
    assert provider_behind("orange", "aspmx.l.google.com") == "orange"


def test_every_rule_has_a_name_of_its_own() -> None:
    names = [rule.name for rule in shipped().rules]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize(
    ("code", "enhanced", "text"),
    [
        (450, "4.4.3", "Name service error for name=x.fr type=MX: Host not found, try again"),
        (450, None, "450 Host not found, try again"),
        (None, "4.4.3", "Host or domain name not found. Name service error for name=x.fr: Host not found"),
        (550, "5.4.4", "Name service error for name=x.fr type=MX: Host not found, try again"),
        (450, "4.1.2", "<ada@x.fr>: Recipient address rejected: Domain not found"),
        (451, "4.4.0", "DNS temporary failure: domain not found"),
        (451, None, "Temporary lookup failure"),
        (None, None, "Could not resolve mx.x.fr: SERVFAIL"),
    ],
)
def test_a_name_that_cannot_be_looked_up_for_now_is_never_the_recipients_fault(
    code: int | None, enhanced: str | None, text: str, *, permanent: bool
) -> None:
    verdict = classify_reply(
        Reply(code, enhanced, text), provider="other", channel=Channel.EMAIL, permanent=permanent
    )
    assert (verdict.bounce_class, verdict.fault, verdict.permanence) == (
        BounceClass.TRANSIENT,
        Fault.PROVIDER,
        Permanence.SOFT,
    )


@pytest.mark.parametrize(
    ("enhanced", "text"),
    [("5.4.4", "Host not found"), ("5.1.2", "Host unknown"), ("5.1.1", "user unknown, not found for now")],
)
def test_a_name_that_is_not_there_is_still_one(enhanced: str, text: str) -> None:
    verdict = classify_reply(
        Reply(550, enhanced, text), provider="other", channel=Channel.EMAIL, permanent=True
    )
    assert (verdict.bounce_class, verdict.fault) == (BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT)


@pytest.mark.parametrize(
    ("text", "bounce_class", "fault"),
    [
        ("boîte aux lettres saturée", B.MAILBOX_FULL, F.RECIPIENT),
        ("Casella piena", B.MAILBOX_FULL, F.RECIPIENT),
        ("Your message was identified as junk", B.SPAM, F.CONTENT),
        ("Your host has no reverse name", B.AUTH, F.IDENTITY),
        # Words prove nothing against a person.
        ("Konto abgeschaltet", B.INACTIVE, F.UNKNOWN),
        ("user has moved", B.NO_SUCH_ADDRESS, F.UNKNOWN),
    ],
)
def test_where_no_rule_knows_the_words_their_reason_gives_the_class(
    text: str, bounce_class: BounceClass, fault: Fault
) -> None:
    reply = Reply(550, None, text)
    by_rules = classify_by_rules(reply, provider="other", channel=Channel.EMAIL, permanent=True)
    assert by_rules.rule == ""
    verdict = classify_reply(reply, provider="other", channel=Channel.EMAIL, permanent=True)
    assert (verdict.bounce_class, verdict.fault) == (bounce_class, fault)
    assert verdict.rule.startswith("reason-")
    texted = classify_reply(reply, provider="sms", channel=Channel.SMS, permanent=True)
    assert not texted.rule.startswith("reason-")
