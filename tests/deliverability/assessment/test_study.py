"""The table of the 2022 study: senders, mailings a week, and the share of them that met spam."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.assessment.study import Mailing, study_table
from deliverability.assessment.values import Basis

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 3, 2, tzinfo=PARIS)
NEXT = timedelta(weeks=1)


def test_mailings_are_counted_by_sender_and_by_the_fullest_week() -> None:
    mailings = [
        *(Mailing(number, 1, MONDAY + timedelta(days=number), messages=100) for number in range(7)),
        Mailing(8, 1, MONDAY + NEXT),
        Mailing(9, 2, MONDAY + 3 * NEXT),
    ]
    table = study_table(mailings, MONDAY, MONDAY + 4 * NEXT, PARIS)
    assert [(row.identity_id, row.mailings, row.a_week, row.most_a_week) for row in table.rows] == [
        (1, 8, 2.0, 7),
        (2, 1, 0.25, 1),
    ]
    total = table.total
    assert (total.identities, total.mailings, total.a_week, total.most_a_week) == (2, 9, 2.25, 7)
    assert (table.rows[0].messages, total.messages) == (700, 700)


def test_a_week_begins_on_monday_where_the_sender_is() -> None:
    # Sunday 23:30 in Paris is Sunday still; half an hour later it is another week, in UTC it is not.
    late = datetime(2026, 3, 8, 22, 30, tzinfo=UTC)
    mailings = [Mailing(1, 1, late), Mailing(2, 1, late + timedelta(minutes=45))]
    assert study_table(mailings, MONDAY, MONDAY + 2 * NEXT, PARIS).total.most_a_week == 1
    assert study_table(mailings, MONDAY, MONDAY + 2 * NEXT, ZoneInfo("UTC")).total.most_a_week == 2


def test_spam_is_a_share_of_the_mailings_that_had_seeds() -> None:
    mailings = [
        *(Mailing(number, 1, MONDAY, tested=4, in_spam=number % 2) for number in range(6)),
        *(Mailing(10 + number, 2, MONDAY) for number in range(4)),
        *(Mailing(20 + number, 3, MONDAY, tested=2) for number in range(5)),
    ]
    table = study_table(mailings, MONDAY, MONDAY + NEXT, PARIS)
    first, untested, clean = (row.in_spam for row in table.rows)
    assert (first.part, first.whole, first.basis, first.assessable) == (3, 6, Basis.MEASURED, True)
    assert first.low == pytest.approx(0.19, abs=0.01)
    assert (untested.whole, untested.value, untested.basis, untested.assessable) == (
        0,
        None,
        Basis.UNKNOWN,
        False,
    )
    assert clean.part == 0
    assert clean.high == pytest.approx(0.43, abs=0.01)
    senders = table.total.senders_in_spam
    assert senders is not None
    assert (senders.part, senders.whole, senders.assessable) == (1, 2, False)


def test_a_few_mailings_with_seeds_say_nothing() -> None:
    figure = study_table(
        [Mailing(1, 1, MONDAY, tested=9, in_spam=9)], MONDAY, MONDAY + NEXT, PARIS
    ).total.in_spam
    assert (figure.part, figure.whole, figure.assessable, figure.fewest) == (1, 1, False, 5)


def test_what_was_sent_before_or_after_does_not_count() -> None:
    mailings = [
        Mailing(1, 1, MONDAY - timedelta(seconds=1)),
        Mailing(2, 1, MONDAY),
        Mailing(3, 1, MONDAY + NEXT),
    ]
    assert study_table(mailings, MONDAY, MONDAY + NEXT, PARIS).total.mailings == 1


def test_a_period_shorter_than_a_week_is_not_blown_up_to_one() -> None:
    table = study_table([Mailing(1, 1, MONDAY)], MONDAY, MONDAY + timedelta(hours=1), PARIS)
    assert table.total.a_week == 1


@given(
    st.lists(
        st.builds(
            Mailing,
            st.integers(1, 50),
            st.integers(1, 5),
            st.integers(0, 60).map(lambda days: MONDAY + timedelta(days=days)),
            st.integers(0, 1000),
            st.integers(0, 5),
        )
    )
)
def test_the_lines_add_up_to_the_total(mailings: list[Mailing]) -> None:
    table = study_table(mailings, MONDAY, MONDAY + 8 * NEXT, PARIS)
    assert sum(row.mailings for row in table.rows) == table.total.mailings
    assert sum(row.in_spam.whole for row in table.rows) == table.total.in_spam.whole
    assert table.total.identities == len(table.rows)
    assert table.total.most_a_week <= sum(row.most_a_week for row in table.rows) or not table.rows
