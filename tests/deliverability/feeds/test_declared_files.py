"""Files of figures that providers declare: columns by their names, whatever order and language."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.feeds.declared_files import read_declared, read_snds
from deliverability.feeds.figures import Figure, UnreadableFiguresError, number, share
from models.declared import DeclaredSource as Source

SNDS = (
    b"192.0.2.10,11/29/2026 12:00 AM,11/30/2026 12:00 AM,1240,1200,1180,GREEN,< 0.1%,,,0,"
    b"mail.parti.example,b@b.parti.example,\n"
    b"192.0.2.10,11/30/2026 12:00 AM,12/1/2026 12:00 AM,900,880,870,YELLOW,0.3%,11/30/2026 2:00 AM,"
    b"11/30/2026 3:00 AM,2,mail,b@b,hm\n"
)


def by_metric(figures: tuple[Figure, ...], on: date) -> dict[str, tuple[float | None, str]]:
    return {one.metric: (one.value, one.words) for one in figures if one.day == on}


def test_the_table_of_snds_is_read_without_headings() -> None:
    found = read_snds(SNDS)
    first, second = (by_metric(found.figures, date(2026, 11, day)) for day in (29, 30))
    assert first["filter_result"] == (None, "green")
    assert first["complaint_rate"] == (0.001, "< 0.1%")
    assert (first["recipients"][0], first["trap_hits"][0]) == (1180, 0)
    assert second["filter_result"] == (None, "yellow")
    assert second["complaint_rate"][0] == pytest.approx(0.003)
    assert second["trap_hits"][0] == 2
    assert {(one.subject, one.provider) for one in found.figures} == {("192.0.2.10", "outlook")}
    kept = next(one.details for one in found.figures if one.metric == "filter_result")
    assert kept["helo"] == "mail.parti.example"


def test_the_table_of_snds_is_read_by_its_headings_and_keeps_what_nobody_knows() -> None:
    raw = (
        "Filter Result;IP Address;Activity Start;Complaint Rate;Colour of the sky\n"
        "RED;192.0.2.11;2026-11-30;1,5 %;blue\n"
    ).encode("utf-16")
    found = read_snds(raw).figures
    assert [(one.metric, one.value, one.words) for one in found] == [
        ("filter_result", None, "red"),
        ("complaint_rate", 0.015, "1,5 %"),
    ]
    assert found[0].details == {"Colour of the sky": "blue"}


def test_days_that_fit_only_the_european_order_are_taken_for_that() -> None:
    raw = b"192.0.2.1,25/11/2026,,1,1,1,GREEN,0%\n192.0.2.1,03/12/2026,,1,1,1,GREEN,0%\n"
    assert {one.day for one in read_snds(raw).figures} == {date(2026, 11, 25), date(2026, 12, 3)}
    american = b"192.0.2.1,03/12/2026,,1,1,1,GREEN,0%\n"
    assert {one.day for one in read_snds(american).figures} == {date(2026, 3, 12)}


def test_rows_of_snds_that_cannot_be_read_are_told() -> None:
    found = read_snds(
        b"192.0.2.1,11/30/2026,,1,1,1,GREEN,0%\nnot an address,11/30/2026,,1\n192.0.2.1,soon,,1\n"
    )
    assert len(found.problems) == 2


def test_signal_spam_is_read_in_french_by_address_day_and_provider() -> None:
    raw = "Jour;Adresse IP;FAI;Nombre de plaintes;Région\n30/11/2026;192.0.2.10;Orange;12;Sud\n".encode(
        "cp1252"
    )
    (figure,) = read_declared(Source.SIGNAL_SPAM, raw).figures
    assert (figure.subject, figure.provider, figure.metric, figure.value) == (
        "192.0.2.10",
        "orange",
        "complaints",
        12,
    )
    assert (figure.day, figure.details) == (date(2026, 11, 30), {"Région": "Sud"})


def test_where_each_row_is_one_complaint_they_are_counted() -> None:
    days = ("2026-11-30", "2026-11-30", "2026-12-01")
    raw = "date,domain\n" + "".join(f"{day},News.Parti.example\n" for day in days)
    found = read_declared(Source.YAHOO_CFL, raw.encode()).figures
    assert [(one.subject, one.day.day, one.value, one.provider) for one in found] == [
        ("news.parti.example", 30, 2.0, "yahoo"),
        ("news.parti.example", 1, 1.0, "yahoo"),
    ]


def test_a_file_that_names_no_subject_is_given_one() -> None:
    raw = b"date,complaints\n2026-11-30,4\n"
    with pytest.raises(UnreadableFiguresError, match="no headings that are known"):
        read_declared(Source.YAHOO_CFL, raw)
    (figure,) = read_declared(Source.YAHOO_CFL, raw, subject="Parti.example").figures
    assert (figure.subject, figure.value) == ("parti.example", 4)


def test_postmaster_tools_is_read_from_a_table_and_from_answers_of_its_api() -> None:
    table = b"Date,Domain,User-reported spam rate,DKIM\n2026-11-30,parti.example,0.12%,100%\n"
    found = read_declared(Source.GMAIL_POSTMASTER, table).figures
    assert [(one.metric, one.value) for one in found] == [
        ("spam_rate", pytest.approx(0.0012)),
        ("dkim_rate", 1.0),
    ]
    answer = {
        "domainStats": [
            {
                "name": "domains/parti.example/domainStats/x",
                "metric": "spam_rate",
                "date": {"year": 2026, "month": 11, "day": 30},
                "value": {"doubleValue": 0.0012},
            },
            {
                "metric": "spam_rate",
                "date": {"year": 2026, "month": 13, "day": 30},
                "value": {"doubleValue": 1},
            },
            "nonsense",
        ]
    }
    (figure,) = read_declared(Source.GMAIL_POSTMASTER, json.dumps(answer).encode()).figures
    assert (figure.subject, figure.metric, figure.value) == ("parti.example", "spam_rate", 0.0012)


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("raw", [b"", b"hello", b"{", b"a,b\n1,2\n", b"\x00\x01\x02", b"date,domain\n"])
def test_what_holds_no_figure_is_told_in_one_line(source: Source, raw: bytes) -> None:
    with pytest.raises(UnreadableFiguresError) as told:
        read_declared(source, raw)
    assert "\n" not in told.value.problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 240", 1240),
        ("1,240", 1240),
        ("0,3", 0.3),
        ("< 0.1%", 0.001),
        ("12%", 0.12),
        ("", None),
        ("GREEN", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float | None) -> None:
    assert number(text) == (pytest.approx(value) if value is not None else None)


def test_a_rate_above_one_is_none() -> None:
    assert share("12") is None
    assert share("120%") is None


@given(
    st.sampled_from(list(Source)), st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode))
)
def test_no_octets_raise_anything_else(source: Source, raw: bytes) -> None:
    try:
        found = read_declared(source, raw, subject="parti.example")
    except UnreadableFiguresError:
        return
    assert found.figures
