"""Abuse reports."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.signals.arf import read_complaint
from deliverability.signals.mime import enclosed_headers, open_mail
from deliverability.signals.origin import delivery_behind
from models.states import EventKind
from models.tokens import TokenPurpose
from tests.clocks import START
from tests.deliverability.rows import TOKENS

DATA = Path(__file__).parent / "data"
GOLDEN = sorted(DATA.glob("arf_*.eml"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_complaint_reads_as_its_golden_file_says(file: Path) -> None:
    mail = open_mail(file.read_bytes())
    assert mail is not None
    complaint = read_complaint(mail, START)
    assert complaint is not None
    assert {
        "kind": complaint.kind.value,
        "feedback_type": complaint.feedback_type,
        "arrived_at": complaint.arrived_at.isoformat(),
        "details": complaint.details,
    } == json.loads(file.with_suffix(".json").read_text())


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_the_delivery_is_found_though_the_recipient_is_hidden(file: Path) -> None:
    token = TOKENS.make(TokenPurpose.MESSAGE, 42)
    mail = open_mail(file.read_bytes().replace(b"{message}", token.upper().encode()))
    assert mail is not None
    assert delivery_behind(enclosed_headers(mail), TOKENS) == 42


def test_a_forged_token_leads_nowhere() -> None:
    mail = open_mail(GOLDEN[0].read_bytes().replace(b"{message}", b"a" * 24))
    assert mail is not None
    assert delivery_behind(enclosed_headers(mail), TOKENS) is None


def test_an_unsubscribe_link_leads_to_the_delivery_as_well() -> None:
    token = TOKENS.make(TokenPurpose.LEAVE, 7)
    mail = open_mail(f"List-Unsubscribe: <https://t.example/u/{token}>\n\n".encode())
    assert mail is not None
    assert delivery_behind([mail], TOKENS) == 7


def test_an_unknown_feedback_type_is_kept_and_is_no_complaint() -> None:
    raw = GOLDEN[0].read_bytes().replace(b"Feedback-Type: abuse", b"Feedback-Type: mystery")
    mail = open_mail(raw)
    assert mail is not None
    complaint = read_complaint(mail, START)
    assert complaint is not None
    assert (complaint.kind, complaint.feedback_type) == (EventKind.UNKNOWN, "mystery")


@given(st.integers(0, 1500), st.binary(max_size=60))
def test_a_damaged_complaint_is_read_without_raising(at: int, put: bytes) -> None:
    raw = GOLDEN[0].read_bytes()
    mail = open_mail(raw[:at] + put + raw[at + len(put) :])
    if mail is not None:
        read_complaint(mail, START)
        delivery_behind(enclosed_headers(mail), TOKENS)
