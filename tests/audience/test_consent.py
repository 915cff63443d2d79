"""Which of two statements about a channel stands, and how cells of consent are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience.consent import Statement, read_consent, stands
from audience.dates import read_day, read_moment
from models.errors import BadInputError
from models.states import ConsentStatus

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN


@pytest.mark.parametrize(
    ("written", "status"),
    [("Oui", GRANTED), ("YES", GRANTED), ("x", GRANTED), ("Non", WITHDRAWN), ("Désinscrit", WITHDRAWN),
     ("opt-out", WITHDRAWN), ("?", UNKNOWN)],
)  # fmt: skip
def test_consent_is_read_in_both_languages(written: str, status: ConsentStatus) -> None:
    assert read_consent(written) == Statement(status)


def test_a_date_is_an_agreement_given_on_that_day() -> None:
    assert read_consent("15/03/2025") == Statement(GRANTED, datetime(2025, 3, 15, tzinfo=UTC))
    with pytest.raises(BadInputError):
        read_consent("peut-être")


@pytest.mark.parametrize(
    ("new", "on_record", "given_at", "expected"),
    [
        (Statement(GRANTED), UNKNOWN, None, True),
        (Statement(GRANTED), WITHDRAWN, NOON, False),
        (Statement(GRANTED), WITHDRAWN, None, False),
        (Statement(GRANTED, NOON - timedelta(days=1)), WITHDRAWN, NOON, False),
        (Statement(GRANTED, NOON), WITHDRAWN, NOON, False),
        (Statement(GRANTED, NOON + timedelta(seconds=1)), WITHDRAWN, NOON, True),
        (Statement(GRANTED, NOON), WITHDRAWN, None, False),
        (Statement(WITHDRAWN), GRANTED, NOON, True),
        (Statement(WITHDRAWN, NOON), GRANTED, NOON, True),
        (Statement(WITHDRAWN, NOON - timedelta(days=1)), GRANTED, NOON, False),
        (Statement(GRANTED, NOON), GRANTED, NOON, False),
        (Statement(UNKNOWN), GRANTED, NOON, False),
    ],
)
def test_the_latest_statement_stands_and_a_refusal_wins_a_tie(
    new: Statement, on_record: ConsentStatus, given_at: datetime | None, expected: bool
) -> None:
    assert stands(new, on_record, given_at) is expected


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(st.tuples(st.sampled_from([GRANTED, WITHDRAWN]), MOMENTS), min_size=1, max_size=6))
def test_dated_statements_in_any_order_lead_to_the_same_end(
    said: list[tuple[ConsentStatus, datetime]],
) -> None:
    ends = set()
    for order in (said, said[::-1], sorted(said, key=lambda one: one[1])):
        status: ConsentStatus = UNKNOWN
        given_at: datetime | None = None
        for word, at in order:
            if stands(Statement(word, at), status, given_at):
                status, given_at = word, at
            elif word is status and given_at is not None:
                given_at = max(given_at, at)
        ends.add(status)
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("written", "day"),
    [("2026-03-15", "2026-03-15"), ("15/03/2026", "2026-03-15"), ("5.3.2026", "2026-03-05"),
     ("15-03-2026 14:30", "2026-03-15"), ("2026-03-15T23:30:00+00:00", "2026-03-15"),
     ("15/03/2026 à 9h05", "2026-03-15")],
)  # fmt: skip
def test_days_are_read_day_first_or_as_iso(written: str, day: str) -> None:
    assert read_day(written).isoformat() == day


@given(st.text(max_size=25))
def test_a_moment_is_aware_or_refused(text: str) -> None:
    try:
        moment = read_moment(text)
    except BadInputError:
        return
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "written",
    ["", "03/2026", "31/02/2026", "15/03/26", "15/03-2026", "demain", "2026-02-31", "15/03/2026 vers midi",
     "15/03/2026 25:00", "0001-01-01T00:00:00+05:00"],
)  # fmt: skip
def test_what_is_no_day_is_refused(written: str) -> None:
    with pytest.raises(BadInputError):
        read_day(written)
