"""Reports that were made to do harm: bombs, entities, endless nesting, damage of every kind."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.feeds import containers
from deliverability.feeds.reading import read_mail, read_reports
from deliverability.feeds.values import AggregateReport, UnreadableReportError
from tests.clocks import START
from tests.deliverability.reports import (
    DKIM_FAILED,
    a_failure,
    a_mail,
    a_record,
    a_tls_report,
    an_aggregate,
    mailed,
    zipped,
)

TWO = an_aggregate(a_record(count=5), a_record("203.0.113.66", 7))


def bomb(unpacked: int) -> bytes:
    return gzip.compress(b"<feedback>" + b" " * unpacked, 9)


def test_what_unpacks_to_too_much_is_refused_before_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = containers.Allowance.take

    def count(self: containers.Allowance, octets: int) -> None:
        taken.append(octets)
        take(self, octets)

    monkeypatch.setattr(containers.Allowance, "take", count)
    for raw in (bomb(60_000_000), zipped(b" " * 60_000_000), zipped(bomb(60_000_000))):
        taken.clear()
        with pytest.raises(UnreadableReportError, match="unpacks to more"):
            read_reports(raw, START)
        # A thousandfold: the allowance of so small a file ends long before.
        assert sum(taken) < 26_000_000


def test_all_that_a_mail_carries_has_one_allowance() -> None:
    head, cut, part = a_mail(gzip.compress(an_aggregate(a_record(), f"<!--{' ' * 6_000_000}-->"))).partition(
        b"--cut\r\n"
    )
    many = head + (cut + part.removesuffix(b"--cut--\r\n")) * 9 + b"--cut--\r\n"
    sighting = read_mail(many, START)
    assert len(sighting.reports) == 3, "twenty megabytes, whatever the parts are"
    assert "unpacks to more" in sighting.problems[0]


def test_packed_again_and_again_is_refused() -> None:
    raw = TWO
    for _ in range(6):
        raw = gzip.compress(raw)
    with pytest.raises(UnreadableReportError, match="too many times"):
        read_reports(raw, START)


@pytest.mark.parametrize(
    "bad",
    [
        '<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE feedback [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feedback SYSTEM "http://127.0.0.1/x.dtd">',
        "<!DOCTYPE feedback>",
    ],
)
def test_document_types_and_entities_are_refused(bad: str) -> None:
    raw = TWO.replace(b"<feedback>", bad.encode() + b"<feedback>").replace(b"Mailbox Ltd", b"&b;")
    with pytest.raises(UnreadableReportError, match="document type"):
        read_reports(raw, START)


def test_an_undefined_entity_stays_as_it_is_written() -> None:
    (report,) = read_reports(an_aggregate(org="&unknown;"), START).reports
    assert isinstance(report, AggregateReport)
    assert report.org == "&unknown;"


@pytest.mark.parametrize(
    "hard",
    [
        b"<feedback>" + b"<a>" * 300_000,
        b"<feedback" * 200_000,
        b"<feedback><!--" + b"<!-- " * 200_000,
        b"<feedback>" + b"</b>" * 300_000,
        b"<feedback><record>" + b"<row/>" * 300_000,
        b"<" * 2_000_000,
        b"{" * 200_000,
        b'{"policies":' + b"[" * 200_000,
        b"PK\x03\x04" + b"PK\x01\x02" * 100_000,
    ],
)
@pytest.mark.timeout(20)
def test_nothing_takes_long(hard: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        read_reports(hard, START)


PIECES = st.sampled_from(
    [
        *(b"<feedback>", b"<record>", b"</record>", b"<", b">", b"&", b"<!--", b"<![CDATA[", b"{", b"\n"),
        *(b"PK\x03\x04", b"\x1f\x8b", b"--cut\n", b"Content-Type: message/feedback-report\n\n"),
        b"<policy_published><domain>a.fr</domain></policy_published>",
    ]
)


def read_or_refuse(raw: bytes) -> str:
    """What was said against it; anything but an UnreadableReportError fails the test."""
    try:
        read_reports(raw, START)
    except UnreadableReportError as error:
        return error.problem
    return "read"


@given(
    st.one_of(
        st.binary(max_size=400), st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=60).map(b"".join)
    )
)
@settings(max_examples=300, deadline=None)
def test_no_octets_raise_anything_else(raw: bytes) -> None:
    assert read_or_refuse(raw)
    read_mail(raw, START)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_damage_to_a_report_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(
        data.draw(
            st.sampled_from(
                [
                    TWO,
                    gzip.compress(TWO),
                    zipped(TWO),
                    mailed(),
                    a_tls_report(),
                    a_failure(fields=DKIM_FAILED),
                ]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    assert read_or_refuse(bytes(raw[: data.draw(st.integers(1, len(raw)))]))
    read_mail(bytes(raw), START)
