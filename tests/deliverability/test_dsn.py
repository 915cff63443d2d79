"""Delivery status notifications: golden pairs, and bytes of any kind."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.classify import classify_reply, provider_behind
from deliverability.signals.dsn import read_delivery_status, reply_in
from deliverability.signals.mime import MAX_BYTES, open_mail
from deliverability.suppression import reason_for
from models.providers import provider_of
from models.states import Channel, EventKind
from tests.clocks import START

DATA = Path(__file__).parent / "data"
GOLDEN = sorted(DATA.glob("dsn_*.eml"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_report_reads_as_its_golden_file_says(file: Path) -> None:
    mail = open_mail(file.read_bytes())
    assert mail is not None
    expected = json.loads(file.with_suffix(".json").read_text())

    found = []
    for status in read_delivery_status(mail, START):
        verdict = None
        if status.kind in {EventKind.BOUNCED, EventKind.DEFERRED}:
            verdict = classify_reply(
                status.reply,
                provider=provider_behind(provider_of(status.recipient), status.remote_mta),
                channel=Channel.EMAIL,
                permanent=status.kind is EventKind.BOUNCED
                and not (status.reply.enhanced or "").startswith("4"),
            )
        found.append(
            {
                "kind": status.kind.value,
                "action": status.action,
                "recipient": status.recipient,
                "code": status.reply.code,
                "enhanced": status.reply.enhanced,
                "remote_mta": status.remote_mta,
                "attempted_at": None if status.attempted_at == START else status.attempted_at.isoformat(),
                "class": verdict.bounce_class.value if verdict else None,
                "fault": verdict.fault.value if verdict else None,
                "permanence": verdict.permanence.value if verdict else None,
                "suppresses": verdict is not None and reason_for(verdict) is not None,
            }
        )

    assert found == expected


@given(st.binary(max_size=2000))
def test_bytes_of_any_kind_are_read_without_raising(raw: bytes) -> None:
    mail = open_mail(raw)
    if mail is not None:
        read_delivery_status(mail, START)


@given(
    source=st.sampled_from(GOLDEN),
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=30)), max_size=8),
)
def test_a_damaged_report_is_read_without_raising(source: Path, cuts: list[tuple[int, int, bytes]]) -> None:
    raw = source.read_bytes()
    for at, length, put in cuts:
        raw = raw[:at] + put + raw[at + length :]
    mail = open_mail(raw)
    if mail is not None:
        read_delivery_status(mail, START)


def test_parts_nested_a_thousand_deep_are_read_without_raising() -> None:
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth)
        for depth in range(1000)
    )
    mail = open_mail(raw)
    assert mail is None or read_delivery_status(mail, START) == []


def test_a_status_part_that_holds_prose_says_nothing_of_anybody() -> None:
    mail = open_mail(b"Content-Type: message/delivery-status\n\nIt was not delivered, we regret.\n")
    assert mail is not None
    assert read_delivery_status(mail, START) == []


def test_what_follows_the_first_megabyte_is_not_read() -> None:
    report = (DATA / "dsn_unknown_user.eml").read_bytes()
    mail = open_mail(b"X-Filler: x\n" * (MAX_BYTES // 12 + 1) + report)
    assert mail is not None
    assert read_delivery_status(mail, START) == []


@pytest.mark.parametrize(
    ("text", "status", "code", "enhanced"),
    [
        ("smtp; 550 5.1.1 <x@y.example> unknown", "5.0.0", 550, "5.1.1"),
        ("smtp; 550 5.0.0 no", "5.1.1", 550, "5.1.1"),
        ("550-5.7.26 not authenticated", "", 550, "5.7.26"),
        ("smtp; 554 rejected by 10.5.1.1", "5.7.1", 554, "5.7.1"),
        ("no code at all", "", None, None),
        ("", "5.1.2 (bad domain)", None, "5.1.2"),
    ],
)
def test_the_far_servers_own_status_wins_unless_it_says_nothing(
    text: str, status: str, code: int | None, enhanced: str | None
) -> None:
    reply = reply_in(text, status)
    assert (reply.code, reply.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    "diagnosis",
    ["smtp;550 5.1.1 No such user", "550 smtp;550 5.1.1 No such user", "550 5.1.1 No such user"],
)
def test_a_reply_is_told_without_the_type_and_the_code_put_before_it(diagnosis: str) -> None:
    reply = reply_in(diagnosis)
    assert (reply.code, reply.enhanced, reply.text) == (550, "5.1.1", "550 5.1.1 No such user")
