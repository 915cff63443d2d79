"""Reports of strangers become values, whatever they are packed in and however they are written."""

import base64
import gzip
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.feeds.reading import read_mail, read_reports
from deliverability.feeds.values import (
    AggregateReport,
    FailureReport,
    Report,
    TlsReport,
    UnreadableReportError,
)
from tests.clocks import START
from tests.deliverability.reports import (
    BEGIN,
    DKIM_FAILED,
    a_failure,
    a_mail,
    a_record,
    a_tls_report,
    an_aggregate,
    mailed,
    zipped,
)

CORPUS = os.environ.get("DMARC_SAMPLES", "")
"""A folder of samples with `expected.jsonl`, as the README of the samples describes it."""


A_LIFE = 86_400 * 365 * 50


def only(raw: bytes) -> Report:
    sighting = read_reports(raw, START)
    assert len(sighting.reports) == 1
    return sighting.reports[0]


def aggregate(raw: bytes) -> AggregateReport:
    report = only(raw)
    assert isinstance(report, AggregateReport)
    return report


def counts(report: AggregateReport) -> tuple[int, int, int]:
    return len(report.rows), report.messages, report.passed


TWO = an_aggregate(
    a_record(count=5), a_record("203.0.113.66", 7, dkim="fail", spf="fail", signed="fail", sent="fail")
)


@pytest.mark.parametrize(
    "packed",
    [
        TWO,
        gzip.compress(TWO),
        zipped(TWO),
        zipped(gzip.compress(TWO)),
        base64.encodebytes(gzip.compress(TWO)),
        b"\n\n  " + TWO,
        b"\xef\xbb\xbf" + TWO,
        TWO.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        a_mail(gzip.compress(TWO)),
        a_mail(zipped(TWO), kind="application/octet-stream", name="r.zip"),
        a_mail(TWO, kind="text/xml", name="r.xml"),
        gzip.compress(a_mail(gzip.compress(TWO))),
    ],
)
def test_a_report_is_the_same_in_whatever_it_comes(packed: bytes) -> None:
    report = aggregate(packed)
    assert counts(report) == (2, 12, 5)
    assert (report.org, report.report_id, report.domain, report.policy) == (
        "Mailbox Ltd",
        "r-1",
        "parti.fr",
        "none",
    )
    assert report.begins_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert report.problems == ()


def test_several_reports_in_one_zip_file_are_all_read() -> None:
    raw = zipped(an_aggregate(number="a"), b"no report", an_aggregate(number="b"))
    sighting = read_reports(raw, START)
    assert [one.report_id for one in sighting.reports if isinstance(one, AggregateReport)] == ["a", "b"]
    assert len(sighting.problems) == 1


def test_the_form_of_rfc_9990_is_read_as_the_older_ones() -> None:
    raw = an_aggregate(
        root='<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">', version="<version>1.0</version>"
    )
    assert counts(aggregate(raw)) == (1, 3, 3)
    assert aggregate(raw).form == "1.0"
    prefixed = (
        an_aggregate()
        .replace(b"<feedback>", b'<d:feedback xmlns:d="urn:x">')
        .replace(b"</feedback>", b"</d:feedback>")
    )
    assert counts(aggregate(prefixed)) == (1, 3, 3)


def test_results_are_read_in_capitals_and_with_blanks_around() -> None:
    report = aggregate(an_aggregate(a_record(" 192.0.2.1 ", " 4 ", dkim="PASS", spf=" Fail ")))
    assert counts(report) == (1, 4, 4)
    assert (report.rows[0].source_ip, report.rows[0].dkim, report.rows[0].spf) == ("192.0.2.1", True, False)


@pytest.mark.parametrize("word", ["none", "neutral", "temperror", "softfail", "", "passed?"])
def test_nothing_but_pass_passes(word: str) -> None:
    assert counts(aggregate(an_aggregate(a_record(dkim=word, spf=word)))) == (1, 3, 0)


def test_a_number_written_like_a_message_id_is_shown_without_what_is_around_it() -> None:
    report = aggregate(an_aggregate(number="&lt;42@mailbox.example&gt;"))
    assert (report.report_id, report.key) == ("42", "<42@mailbox.example>")


def test_an_organisation_without_a_name_is_called_by_its_address() -> None:
    assert aggregate(an_aggregate(org="")).org == "mailbox.example"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("mx1.Mailbox.example", "mailbox.example"),
        ("Mail.Ru", "mail.ru"),
        ("mx.provider.co.uk", "provider.co.uk"),
        ("AMAZON-SES", "AMAZON-SES"),
        ("Enterprise Outlook 2.0", "Enterprise Outlook 2.0"),
        ("co.uk", "co.uk"),
        ("...", "..."),
    ],
)
def test_the_hosts_of_a_receiver_are_one_reporter(written: str, shown: str) -> None:
    assert aggregate(an_aggregate(org=written)).org == shown


@pytest.mark.parametrize(
    ("messages", "hours", "rows"),
    [
        ([8, 3], 24, 2),
        ([8, 3], 36, 4),
        ([8, 3], 25, 2),
        ([1, 2, 1000], 72, 3 + 1 + 2),
        ([0, 5], 72, 3),
        ([1], 24 * 365 * 30, 1),
    ],
)
def test_rows_about_several_days_count_once_for_each_day_that_has_mails(
    messages: list[int], hours: int, rows: int
) -> None:
    records = [a_record(count=one) for one in messages]
    report = aggregate(an_aggregate(*records, begin=BEGIN - A_LIFE, end=BEGIN - A_LIFE + 3600 * hours))
    assert (len(report.rows), report.rows_by_day, report.messages) == (len(messages), rows, sum(messages))


@pytest.mark.parametrize("field", ["begin", "end"])
def test_a_report_about_days_to_come_is_refused(field: str) -> None:
    far = "99999999999"
    raw = re.sub(rf"<{field}>\d+".encode(), f"<{field}>{far}".encode(), TWO)
    with pytest.raises(UnreadableReportError, match="yet to come"):
        read_reports(raw, START)


def test_of_two_reports_in_one_text_the_first_is_read() -> None:
    assert counts(aggregate(TWO + TWO)) == counts(aggregate(TWO))


def test_rows_that_say_nothing_are_left_out_and_told() -> None:
    report = aggregate(an_aggregate(a_record(count="many"), a_record(""), a_record(count=8)))
    assert counts(report) == (1, 8, 8)
    assert "Rows that could not be read: 2" in report.remarks[-1]
    assert not report.problems


@pytest.mark.parametrize("octets", [500, 700, 900, 1100, len(TWO) - 12])
def test_of_a_report_that_was_cut_the_whole_rows_are_kept(octets: int) -> None:
    whole = TWO[:octets].count(b"<auth_results>")
    if not whole:
        with pytest.raises(UnreadableReportError):
            read_reports(TWO[:octets], START)
        return
    report = aggregate(TWO[:octets])
    assert len(report.rows) == whole
    assert report.problems


def test_a_stray_schema_around_the_report_does_not_hide_it() -> None:
    raw = TWO.replace(b"<feedback>", b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><feedback>')
    report = aggregate(raw)
    assert counts(report) == (2, 12, 5)
    assert report.problems[0].startswith("Invalid XML: ")


def test_an_unescaped_sign_and_octets_of_another_encoding_stop_nothing() -> None:
    assert aggregate(an_aggregate(org="R & Co")).org == "R & Co"
    assert counts(aggregate(TWO.replace(b"Mailbox Ltd", b"Bo\xeete"))) == (2, 12, 5)
    french = TWO.replace(b"UTF-8", b"ISO-8859-1").replace(b"Mailbox Ltd", b"Bo\xeete")
    assert aggregate(french).org == "Boîte"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"hello", "no report"),
        (b"<feedback></feedback>", "who it is from"),
        (b"<html><body>hello</body></html>", "no <feedback>"),
        (b"{}", "no policies"),
        (b'{"a":', "cannot be read"),
        (an_aggregate(domain=""), "which domain"),
        (an_aggregate().replace(b"record>", b"rekord>"), "no row"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\x1f\x8b\x08 and so on", "broken"),
        (b"PK\x03\x04 and so on", "broken"),
        (zipped(), "no report"),
        (b"From: a@b.example\nSubject: hello\n\nhello\n", "no report"),
    ],
)
def test_what_is_no_report_is_told_in_one_line(raw: bytes, said: str) -> None:
    with pytest.raises(UnreadableReportError) as told:
        read_reports(raw, START)
    assert said in told.value.problem
    assert "\n" not in told.value.problem


def test_a_tls_report_tells_sessions_by_policy_and_how_they_failed() -> None:
    for raw in (
        a_tls_report(),
        gzip.compress(a_tls_report()),
        a_mail(gzip.compress(a_tls_report()), kind="application/tlsrpt+gzip", name="r.json.gz"),
        a_mail(a_tls_report(), kind="application/tlsrpt+json", name="r.json"),
    ):
        report = only(raw)
        assert isinstance(report, TlsReport)
        assert (report.org, report.report_id, report.policies[0].successes) == ("Mailbox Ltd", "t-1", 97)
        assert report.policies[0].failure_details[0].kind == "certificate-expired"
        assert report.policies[0].failures == 3


def test_a_failure_report_names_the_mail_that_did_not_pass() -> None:
    report = only(a_failure(fields=DKIM_FAILED))
    assert isinstance(report, FailureReport)
    assert (report.domain, report.source_ip, report.failure) == ("parti.fr", "203.0.113.66", "dkim")
    assert (report.delivery_result, report.subject) == ("reject", "Votez")
    assert report.arrived_at == datetime(2026, 11, 30, 9, tzinfo=UTC)
    assert report.original_rcpt_to == "<camille@mailbox.example>"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_failure_told_in_a_letter_is_read_as_well(line_end: bytes) -> None:
    letter = b"""From: postmaster@mailbox.example
Subject: DMARC
Content-Type: text/plain

A message claiming to be from you has failed the published DMARC
policy for your domain.

  Sender Domain: parti.fr
  Sender IP Address: 203.0.113.66
  Received Date: Mon, 30 Nov 2026 10:00:00 +0100
  SPF Alignment: no

This is a copy of the headers that were received before the error
was detected.

Received: from a by b
From: Parti <contact@parti.fr>
Subject: Votez
"""
    report = only(letter.replace(b"\n", line_end))
    assert isinstance(report, FailureReport)
    assert (report.domain, report.source_ip, report.subject) == ("parti.fr", "203.0.113.66", "Votez")


def test_a_complaint_is_no_failure_report() -> None:
    with pytest.raises(UnreadableReportError):
        read_reports(a_failure(kind="abuse"), START)


def test_a_complaint_stays_one_whatever_its_reporter_adds() -> None:
    added = "Delivery-Result: delivered\r\nIdentity-Alignment: dkim"
    with pytest.raises(UnreadableReportError):
        read_reports(a_failure(kind="abuse", fields=added), START)
    assert isinstance(only(a_failure(kind="dmarc", fields=added)), FailureReport)


def test_what_failed_is_read_with_blanks_between() -> None:
    report = only(a_failure(fields="Auth-Failure: dkim, spf"))
    assert isinstance(report, FailureReport)
    assert report.failure == "dkim,spf"


def test_a_failure_of_no_domain_is_told() -> None:
    raw = (
        a_failure()
        .replace(b"Reported-Domain: parti.fr", b"X-Other: 1")
        .replace(b"contact@parti.fr", b"nobody")
    )
    with pytest.raises(UnreadableReportError, match="which domain"):
        read_reports(raw, START)


def test_the_same_failure_by_two_ways_has_one_name() -> None:
    one, other = only(a_failure()), only(b"Received: from x by y\r\n" + a_failure())
    assert isinstance(one, FailureReport)
    assert isinstance(other, FailureReport)
    assert one.digest == other.digest


def test_a_bounce_that_returns_a_report_is_no_report() -> None:
    bounce = (
        b"From: mailer-daemon@mx.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="out"\r\n\r\n--out\r\n'
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--out\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + mailed() + b"\r\n--out--\r\n"
    )
    assert read_mail(bounce, START).reports == ()


def test_an_ordinary_mail_with_an_attachment_carries_nothing() -> None:
    picture = a_mail(b"\x89PNG not really", kind="image/png", name="a.png", subject="Photos")
    archive = a_mail(zipped(b"some text"), kind="application/zip", name="a.zip", subject="Photos")
    assert read_mail(picture, START) == read_mail(archive, START)
    assert read_mail(archive, START).problems == ()


def test_a_broken_report_is_told() -> None:
    broken = a_mail(b"\x1f\x8b\x08 broken")
    assert read_mail(broken, START).problems


if CORPUS:

    def test_the_samples_give_the_counts_they_should() -> None:
        lines = (Path(CORPUS) / "expected.jsonl").read_text("utf-8").splitlines()
        wrong = []
        for line in lines:
            expected = json.loads(line)
            found = _summary((Path(CORPUS) / expected["file"]).read_bytes())
            wrong += [
                (expected["file"], name, expected[name], value)
                for name, value in found.items()
                if name in expected and expected[name] != value
            ]
        assert wrong == []


def _summary(raw: bytes) -> dict[str, object]:
    from service.commands.dmarc import summary

    try:
        sighting = read_reports(raw, START)
    except UnreadableReportError:
        return {"type": None}
    return summary(sighting.reports[0])
