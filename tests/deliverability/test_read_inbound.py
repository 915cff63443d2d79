"""One mail from outside, read as news of our deliveries."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.inbox import read_inbound
from deliverability.signals.dsn import reply_in
from deliverability.signals.news import MailKind, read_news
from models.states import EventKind
from models.tokens import TokenPurpose
from tests.clocks import START
from tests.deliverability.rows import TOKENS

DATA = Path(__file__).parent / "data"
BOUNCE = (DATA / "dsn_unknown_user.eml").read_bytes()
COMPLAINT = (DATA / "arf_abuse.eml").read_bytes()
RETURN_PATH = f"b+{TOKENS.make(TokenPurpose.BOUNCE, 42)}@retour.parti.example"
LEAVING = f"unsubscribe+{TOKENS.make(TokenPurpose.LEAVE, 42)}@retour.parti.example"


def test_the_return_path_names_the_delivery() -> None:
    (signal,) = read_inbound(BOUNCE, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.delivery_id, signal.source) == (EventKind.BOUNCED, 42, "dsn")
    assert signal.recipient is None
    assert signal.raw == BOUNCE


def test_a_return_path_whose_case_was_changed_on_the_way_still_does() -> None:
    (signal,) = read_inbound(BOUNCE, [RETURN_PATH.upper()], TOKENS, START)
    assert signal.delivery_id == 42


def test_an_address_written_into_a_forged_bounce_leads_to_nobody() -> None:
    (signal,) = read_inbound(BOUNCE, ["fbl@retour.parti.example"], TOKENS, START)
    assert (signal.delivery_id, signal.recipient, signal.provider_message_id) == (None, None, None)


def test_the_same_bounce_by_another_way_has_the_same_name() -> None:
    elsewhere = b"Received: from one more server\r\n\tby another; today\r\n" + BOUNCE
    names = {read_inbound(raw, [RETURN_PATH], TOKENS, START)[0].source_id for raw in (BOUNCE, elsewhere)}
    assert len(names) == 1


def test_a_letter_handed_on_by_one_more_server_has_the_same_name() -> None:
    letter = (DATA / "plain_bounce.eml").read_bytes()
    elsewhere = b"Received: from one more server\r\n\tby another; today\r\n" + letter
    names = {read_inbound(raw, [RETURN_PATH], TOKENS, START)[0].source_id for raw in (letter, elsewhere)}
    assert len(names) == 1


def test_each_recipient_of_a_report_is_news_of_its_own() -> None:
    raw = (DATA / "dsn_several_recipients.eml").read_bytes()
    signals = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert [signal.kind for signal in signals] == [EventKind.BOUNCED, EventKind.DEFERRED, EventKind.DELIVERED]
    assert len({signal.source_id for signal in signals}) == 3


def test_a_complaint_is_matched_by_our_own_header() -> None:
    token = TOKENS.make(TokenPurpose.MESSAGE, 7).encode()
    (signal,) = read_inbound(
        COMPLAINT.replace(b"{message}", token), ["fbl@retour.parti.example"], TOKENS, START
    )
    assert (signal.kind, signal.delivery_id, signal.source) == (EventKind.COMPLAINED, 7, "arf")


def test_our_message_sent_back_without_a_report_is_a_complaint_too() -> None:
    token = TOKENS.make(TokenPurpose.MESSAGE, 7)
    raw = (
        "From: staff@fai.example\nSubject: complaint\nMIME-Version: 1.0\n"
        "Content-Type: message/rfc822\n\n"
        f"From: us\nX-Tocsin-Delivery: {token}\n\nBonjour\n"
    )
    (signal,) = read_inbound(raw.encode(), ["fbl@retour.parti.example"], TOKENS, START)
    assert (signal.kind, signal.delivery_id) == (EventKind.COMPLAINED, 7)


def test_an_absence_note_is_no_bounce_even_with_numbers_in_it() -> None:
    (signal,) = read_inbound((DATA / "vacation.eml").read_bytes(), [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.delivery_id) == (EventKind.AUTORESPONDED, 42)


def test_a_bounce_written_for_people_is_read_for_the_reply_it_quotes() -> None:
    (signal,) = read_inbound((DATA / "plain_bounce.eml").read_bytes(), [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.BOUNCED
    assert signal.reply is not None
    assert (signal.reply.code, signal.reply.enhanced) == (550, "5.1.1")


ABSENCE = (
    "Return-Path: <>\nFrom: Camille <camille@exemple.fr>\nTo: {to}\nSubject: {subject}\n{mark}"
    "Content-Type: text/plain; charset=utf-8\n\nJe suis absente jusqu'au 3.\n\nCamille\n{address}\n"
)
ADDRESSES = [
    "550 avenue de la République, 13001 Marseille",
    "550, rue Foch",
    "450 bis route de Lyon",
    "550 Main Street",
    "421 Lindenstraße",
    "550 personnes vous attendent",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("subject", ["Absence", "Re: Lettre", "Automatic reply: delivery delayed"])
def test_an_absence_note_that_comes_from_nowhere_is_one_for_both_readers(subject: str, address: str) -> None:
    mark = "Auto-Submitted: auto-replied\n"
    raw = ABSENCE.format(to=RETURN_PATH, subject=subject, mark=mark, address=address).encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.reply) == (EventKind.AUTORESPONDED, None)
    assert read_news(raw).kind is MailKind.AUTOREPLY


@pytest.mark.parametrize("address", ADDRESSES)
def test_figures_in_an_unmarked_mail_from_nowhere_are_no_reply(address: str) -> None:
    raw = ABSENCE.format(to=RETURN_PATH, subject="Bonjour", mark="", address=address).encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.UNKNOWN
    assert read_news(raw).kind is MailKind.ORDINARY


@pytest.mark.parametrize("address", ADDRESSES[:5])
def test_the_street_of_a_mail_system_is_no_reply(address: str) -> None:
    raw = f"From: MAILER-DAEMON@x.example\nSubject: failure\n\nSorry.\n\n{address}\n".encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.UNKNOWN
    assert reply_in(address).code is None


@pytest.mark.parametrize(
    "text",
    ["550 route not found", "550 no such street", "550 Rejected via a list", "550-place holder", "550 Rueil"],
)
def test_a_reply_that_speaks_of_ways_is_still_a_reply(text: str) -> None:
    assert reply_in(text).code == 550


@pytest.mark.parametrize(
    "raw",
    [(DATA / "plain_bounce.eml").read_bytes(), b"From: MAILER-DAEMON@x.example\n\nSorry, it did not work.\n"],
)
def test_what_a_mail_system_marks_as_an_automatic_reply_is_no_sign_of_life(raw: bytes) -> None:
    marked = b"Auto-Submitted: auto-replied\n" + raw
    (signal,) = read_inbound(marked, [RETURN_PATH], TOKENS, START)
    assert signal.kind in {EventKind.BOUNCED, EventKind.UNKNOWN}
    assert read_news(marked).kind is not MailKind.AUTOREPLY


def test_a_bounce_marked_as_an_automatic_reply_is_a_bounce() -> None:
    raw = b"Auto-Submitted: auto-replied\n" + (DATA / "plain_bounce.eml").read_bytes()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.BOUNCED


def test_a_bounce_that_says_nothing_is_kept_as_unknown() -> None:
    raw = b"From: MAILER-DAEMON@x.example\nSubject: failure\n\nSorry, it did not work.\n"
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.UNKNOWN


@pytest.mark.parametrize(
    ("subject", "words", "kind", "cause"),
    [
        ("Onbestelbaar", "de mailbox is vol", EventKind.BOUNCED, "mailboxfull"),
        ("Unzustellbar", "das Konto wurde abgeschaltet", EventKind.BOUNCED, "suspend"),
        ("Avis de retard", "connexion : délai dépassé", EventKind.DEFERRED, "expired"),
    ],
)
def test_a_letter_without_any_number_is_a_bounce_for_the_reason_it_gives(
    subject: str, words: str, kind: EventKind, cause: str
) -> None:
    raw = f"From: MAILER-DAEMON@x.example\nSubject: {subject}\n\nA <luc@ville.example> : {words}.\n".encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.details["cause"]) == (kind, cause)


def test_a_persons_answer_to_the_return_path_is_a_reply() -> None:
    raw = b"From: Camille <camille@exemple.fr>\nSubject: Re: Bonjour\n\nBravo !\n"
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.delivery_id) == (EventKind.REPLIED, 42)


def test_a_mail_to_the_leaving_address_unsubscribes() -> None:
    (signal,) = read_inbound(b"Subject: anything\n\n", [LEAVING], TOKENS, START)
    assert (signal.kind, signal.delivery_id, signal.details) == (
        EventKind.UNSUBSCRIBED,
        42,
        {"via": "mailto"},
    )


def test_a_mail_nested_deeper_than_any_mail_system_does_is_not_parsed() -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth) for depth in range(30)
    )
    assert read_inbound(nested + b"x\n" * 100_000, [RETURN_PATH], TOKENS, START) == []


def test_a_leaving_token_is_no_return_path_and_the_other_way_round() -> None:
    swapped = [RETURN_PATH.replace("b+", "unsubscribe+"), LEAVING.replace("unsubscribe+", "b+")]
    assert all(signal.delivery_id is None for signal in read_inbound(BOUNCE, swapped, TOKENS, START))


def test_the_letter_of_a_mail_system_is_read_past_its_pictures_and_up_to_the_copy() -> None:
    (signal,) = read_inbound(
        (DATA / "plain_bounce_with_picture.eml").read_bytes(), [RETURN_PATH], TOKENS, START
    )
    assert signal.kind is EventKind.BOUNCED
    assert signal.reply is not None
    assert (signal.reply.code, signal.reply.enhanced) == (552, "5.2.2")
    assert signal.reply.text == "552 5.2.2 Boîte pleine"


@pytest.mark.parametrize(
    "mark",
    [
        "Auto-Submitted: auto-replied",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "Subject: Réponse automatique : Bonjour",
        "Subject: Out of the office until Monday",
        "Subject: Abwesenheitsnotiz",
    ],
)
def test_the_answer_of_a_machine_is_not_taken_for_a_persons(mark: str) -> None:
    raw = f"From: Camille <camille@exemple.fr>\n{mark}\n\nJe suis absente.\n".encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.delivery_id) == (EventKind.AUTORESPONDED, 42)


@pytest.mark.parametrize("mark", ["Precedence: bulk", "Auto-Submitted: no", "Subject: mes absences de mars"])
def test_a_person_whose_mail_looks_a_little_like_a_machines_is_still_a_person(mark: str) -> None:
    raw = f"From: Camille <camille@exemple.fr>\n{mark}\n\nBonjour.\n".encode()
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert signal.kind is EventKind.REPLIED


def test_a_status_part_with_nothing_in_it_leaves_the_letter_to_be_read() -> None:
    raw = (
        b"From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=B\n\n"
        b"--B\n\n550 5.1.1 no such user\n--B\nContent-Type: message/delivery-status\n\n--B--\n"
    )
    (signal,) = read_inbound(raw, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.source) == (EventKind.BOUNCED, "mail")


@given(
    raw=st.binary(max_size=600),
    recipients=st.lists(st.one_of(st.text(max_size=20), st.sampled_from([RETURN_PATH, LEAVING]))),
)
def test_any_bytes_for_any_recipients_are_read_without_raising(raw: bytes, recipients: list[str]) -> None:
    for signal in read_inbound(raw, recipients, TOKENS, START):
        assert signal.delivery_id in {None, 42}
        assert len(signal.source_id) == 64


def test_a_bounce_that_only_a_reader_of_all_dialects_knows_is_a_bounce() -> None:
    letter = (DATA.parent / "golden" / "ses_notification.eml").read_bytes()
    (signal,) = read_inbound(letter, [RETURN_PATH], TOKENS, START)
    assert (signal.kind, signal.delivery_id) == (EventKind.BOUNCED, 42)
    assert signal.reply is not None
    assert signal.reply.enhanced == "5.1.1"


@pytest.mark.parametrize(
    ("mail", "cause"),
    [
        (BOUNCE, "userunknown"),
        ((DATA / "dsn_laposte_block.eml").read_bytes(), "blocked"),
        (b"From: MAILER-DAEMON@mx.example\n\n<a@b.example>:\n552 la boite est pleine\n", "mailboxfull"),
        (b"From: MAILER-DAEMON@mx.example\n\n<a@b.example>:\n551 as it were\n", None),
    ],
)
def test_the_finer_reason_comes_along(mail: bytes, cause: str | None) -> None:
    (signal,) = read_inbound(mail, [RETURN_PATH], TOKENS, START)
    assert signal.details.get("cause") == cause
