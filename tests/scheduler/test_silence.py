"""From when until when propaganda must not reach a person, on the clock of where they live."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience.territory import DEPARTEMENTS
from models.election import DAY_BEFORE, ElectionDay
from models.errors import BadInputError
from models.identity import TerritoryKind
from models.states import Nature, Purpose
from scheduler.silence import Home, Silence, Votes, binds, closes_at, concerns, silence_of, table_of

PARIS = "Europe/Paris"
SUNDAY = date(2026, 3, 15)
CLOSED = datetime(2026, 3, 15, 19, tzinfo=UTC)
MARGIN = timedelta(hours=2)


def a_day(**changes: Any) -> ElectionDay:
    known: dict[str, Any] = {"id": 1, "name": "Municipales", "day": SUNDAY, "day_before": list(DAY_BEFORE)}
    return ElectionDay(**(known | changes))


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def silence(home: Home, day: ElectionDay | None = None, zone: str = PARIS) -> Silence:
    found = silence_of(day or a_day(), home, zone=zone)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("home", "begins", "zone"),
    [
        (Home(departement="75"), "2026-03-14", PARIS),
        (Home(postcode="13001"), "2026-03-14", PARIS),
        (Home(), "2026-03-14", PARIS),
        (Home(phone="+336123"), "2026-03-14", PARIS),
        (Home(departement="972"), "2026-03-13", "America/Martinique"),
        (Home(postcode="97200"), "2026-03-13", "America/Martinique"),
        (Home(phone="+596696"), "2026-03-13", "America/Martinique"),
        (Home(circonscription="972-01"), "2026-03-13", "America/Martinique"),
        (Home(departement="974"), "2026-03-14", "Indian/Reunion"),
        (Home(phone="+262639"), "2026-03-14", "Indian/Mayotte"),
        (Home(departement="975"), "2026-03-13", "America/Miquelon"),
        (Home(departement="987"), "2026-03-13", "Pacific/Tahiti"),
        (Home(departement="987", postcode="98741"), "2026-03-13", "Pacific/Marquesas"),
        (Home(departement="988"), "2026-03-14", "Pacific/Noumea"),
        (Home(circonscription="ZZ-01"), "2026-03-13", PARIS),
        (Home(circonscription="ZZ-02", postcode="10001"), "2026-03-13", PARIS),
        (Home(circonscription="ZZ-04"), "2026-03-14", PARIS),
        (Home(circonscription="ZZ-11"), "2026-03-14", "Pacific/Auckland"),
    ],
)
def test_silence_begins_at_midnight_of_the_eve_of_their_own_day(home: Home, begins: str, zone: str) -> None:
    found = silence(home)
    assert found.starts_at == at(f"{begins} 00:00", zone)
    assert found.ends_at == CLOSED
    assert found.since() == f"{begins} 00:00"


def test_of_whom_nothing_is_known_the_clock_is_the_installations() -> None:
    assert silence(Home(), zone="America/Cayenne").starts_at == at("2026-03-14 00:00", "America/Cayenne")


@pytest.mark.parametrize(
    ("day", "begins", "ends"),
    [
        # Clocks go forward in the night to Sunday 29 March, back in the night to Sunday 25 October.
        (date(2026, 3, 29), "2026-03-27T23:00+00:00", "2026-03-29T18:00+00:00"),
        (date(2026, 3, 30), "2026-03-28T23:00+00:00", "2026-03-30T18:00+00:00"),
        (date(2026, 10, 25), "2026-10-23T22:00+00:00", "2026-10-25T19:00+00:00"),
        (date(2026, 10, 26), "2026-10-24T22:00+00:00", "2026-10-26T19:00+00:00"),
    ],
)
def test_silence_keeps_to_the_wall_when_the_clocks_change(day: date, begins: str, ends: str) -> None:
    found = silence(Home(departement="75"), a_day(day=day))
    assert found.starts_at == datetime.fromisoformat(begins)
    assert found.ends_at == datetime.fromisoformat(ends)


def test_a_midnight_that_the_clocks_skip_is_the_instant_they_do() -> None:
    # In Beirut the clocks go from 00:00 to 01:00 on 29 March 2026.
    found = silence(Home(), a_day(day=date(2026, 3, 30)), zone="Asia/Beirut")
    assert found.starts_at == datetime(2026, 3, 28, 22, tzinfo=UTC)


def test_of_a_midnight_that_comes_twice_the_first_counts() -> None:
    # In Havana 01:00 becomes 00:00 on 1 November 2026.
    found = silence(Home(), a_day(day=date(2026, 11, 2)), zone="America/Havana")
    assert found.starts_at == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_the_end_is_when_the_last_polling_stations_close_in_their_zone() -> None:
    day = a_day(closes_at="18:00", zone="Pacific/Tahiti")
    assert closes_at(day) == datetime(2026, 3, 16, 4, tzinfo=UTC)
    assert closes_at(a_day(closes_at="24:00")) == datetime(2026, 3, 15, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "20", "20:75", "half past", "20:00:00", "-1:00"])
def test_what_is_no_time_of_the_day_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        closes_at(a_day(closes_at=text))


LYON = Home(departement="69", commune_key="lyon")
COMMUNE = {"territory": TerritoryKind.COMMUNE, "territory_value": "saint denis", "departement": "93"}


@pytest.mark.parametrize(
    ("vote", "home", "theirs"),
    [
        ({"territory": TerritoryKind.NATIONAL}, Home(), True),
        ({"territory": TerritoryKind.DEPARTEMENT, "territory_value": "69"}, LYON, True),
        ({"territory": TerritoryKind.DEPARTEMENT, "territory_value": "69"}, Home(postcode="69001"), True),
        ({"territory": TerritoryKind.DEPARTEMENT, "territory_value": "69"}, Home(), False),
        ({"territory": TerritoryKind.DEPARTEMENT, "territory_value": "972"}, Home(phone="+596696"), True),
        ({"territory": TerritoryKind.REGION, "territory_value": "84"}, LYON, True),
        ({"territory": TerritoryKind.REGION, "territory_value": "84"}, Home(region="84"), True),
        ({"territory": TerritoryKind.REGION, "territory_value": "84"}, Home(), False),
        (COMMUNE, Home(departement="93", commune_key="saint denis"), True),
        (COMMUNE, Home(commune_key="saint denis"), True),
        # There is another one, in Réunion.
        (COMMUNE, Home(departement="974", commune_key="saint denis"), False),
        (COMMUNE, Home(departement="93", commune_key="bobigny"), False),
        (COMMUNE, Home(departement="93"), True),
        (COMMUNE, Home(postcode="93200"), True),
        (COMMUNE, Home(departement="75"), False),
        (COMMUNE, Home(), False),
        ({**COMMUNE, "departement": None}, Home(departement="93"), False),
        (
            {"territory": TerritoryKind.CANTON, "territory_value": "bron", "departement": "69"},
            Home(departement="69"),
            True,
        ),
        (
            {"territory": TerritoryKind.CANTON, "territory_value": "bron", "departement": "69"},
            Home(departement="69", canton_key="villefranche"),
            False,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"},
            Home(circonscription="13-04"),
            True,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"},
            Home(departement="13"),
            True,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"},
            Home(circonscription="13-05"),
            False,
        ),
        ({"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"}, Home(), False),
        # People vote where they are on the roll, wherever their letters go.
        (
            {"territory": TerritoryKind.DEPARTEMENT, "territory_value": "13"},
            Home(departement="75", circonscription="13-04"),
            True,
        ),
        (
            {"territory": TerritoryKind.REGION, "territory_value": "93"},
            Home(departement="75", region="11", circonscription="13-04"),
            True,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"},
            Home(departement="75", circonscription="13-04"),
            True,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "ZZ-04"},
            Home(departement="75", circonscription="ZZ-04"),
            True,
        ),
        (
            {"territory": TerritoryKind.CIRCONSCRIPTION, "territory_value": "13-04"},
            Home(departement="13", circonscription="13-05"),
            False,
        ),
    ],
)
def test_a_vote_concerns_who_lives_there_or_may(vote: dict[str, object], home: Home, theirs: bool) -> None:
    day = a_day(**vote)
    assert concerns(day, home) is theirs
    assert (silence_of(day, home, zone=PARIS) is not None) is theirs


def test_who_is_on_a_roll_overseas_votes_on_its_day_wherever_they_live() -> None:
    found = silence(Home(departement="75", circonscription="972-02"), a_day(day_before=list(DAY_BEFORE)))
    assert found.votes_on == a_day().day - timedelta(days=1)
    assert found.zone == PARIS


def test_civic_campaigns_and_receipts_are_not_bound() -> None:
    assert binds(Nature.POLITICAL, Purpose.CAMPAIGN)
    assert binds(Nature.UNSAID, Purpose.CAMPAIGN)
    assert not binds(Nature.CIVIC, Purpose.CAMPAIGN)
    assert not binds(Nature.CIVIC, Purpose.TRANSACTIONAL)
    assert not binds(Nature.UNSAID, Purpose.TRANSACTIONAL)


def test_a_political_message_called_a_receipt_is_bound_all_the_same() -> None:
    assert binds(Nature.POLITICAL, Purpose.TRANSACTIONAL)


def test_nothing_leaves_within_the_margin_and_again_once_the_polls_have_closed() -> None:
    votes, home = Votes([a_day()], PARIS, MARGIN), Home(departement="75")
    cut = at("2026-03-13 22:00", PARIS)
    second = timedelta(seconds=1)
    assert votes.cut_off(home, cut - second) == cut
    assert votes.holding(home, cut - second) is None
    for inside in (cut, at("2026-03-14 00:00", PARIS), CLOSED - second):
        assert votes.cut_off(home, inside) == cut
        assert votes.holding(home, inside) is not None
    assert votes.cut_off(home, CLOSED) is None
    assert votes.holding(home, CLOSED) is None


def test_of_two_rounds_the_second_counts_once_the_first_is_over() -> None:
    rounds = [a_day(), a_day(id=2, day=SUNDAY + timedelta(days=7))]
    votes, home = Votes(rounds, PARIS, MARGIN), Home(departement="75")
    assert votes.cut_off(home, CLOSED) == at("2026-03-20 22:00", PARIS)


def test_what_a_vote_stopped_is_known_after_it() -> None:
    votes, home = Votes([a_day()], PARIS, MARGIN), Home(departement="75")
    monday = CLOSED + timedelta(hours=12)
    assert votes.stopping(home, at("2026-03-13 22:00", PARIS), monday) is not None
    assert votes.stopping(home, at("2026-03-13 21:00", PARIS), monday) is None
    assert votes.stopping(home, None, monday) is None


def test_the_table_of_a_national_vote_names_the_mainland_each_place_overseas_and_who_votes_before() -> None:
    told = dict(table_of(a_day()))
    overseas = {code for code in DEPARTEMENTS if len(code) == 3}
    assert set(told) == {"", *overseas, "ZZ-01", "ZZ-02"}
    assert {code for code, one in told.items() if one.votes_on < SUNDAY} == set(DAY_BEFORE)


def test_the_table_of_a_local_vote_has_its_one_place() -> None:
    day = a_day(territory=TerritoryKind.COMMUNE, territory_value="fort de france", departement="972")
    [(code, found)] = table_of(day)
    assert code == "972"
    assert found.zone == "America/Martinique"
    [(code, found)] = table_of(a_day(territory=TerritoryKind.REGION, territory_value="03"))
    assert (code, found.zone) == ("973", "America/Cayenne")


CODES = st.sampled_from([None, "75", "972", "973", "974", "975", "976", "977", "986", "987", "988"])
HOMES = st.builds(
    Home,
    departement=CODES,
    postcode=st.sampled_from([None, "75001", "97200", "98741"]),
    phone=st.sampled_from([None, "+336123", "+262692", "+689870"]),
    circonscription=st.sampled_from([None, "75-01", "972-02", "ZZ-01", "ZZ-11"]),
)


@given(HOMES, st.dates(date(2024, 1, 1), date(2030, 1, 1)), st.booleans())
def test_everybodys_silence_begins_on_the_eve_of_a_national_vote_at_the_latest(
    home: Home, day: date, early: bool
) -> None:
    found = silence(home, a_day(day=day, day_before=list(DAY_BEFORE) if early else []))
    local = found.starts_at.astimezone(ZoneInfo(found.zone))
    assert (local.hour, local.minute) == (0, 0)
    assert local.date() == found.votes_on - timedelta(days=1)
    assert day - found.votes_on in (timedelta(0), timedelta(days=1))
    assert timedelta(hours=30) < found.ends_at - found.starts_at < timedelta(hours=82)


@given(HOMES, st.lists(st.dates(date(2026, 1, 1), date(2026, 3, 1)), max_size=3), st.integers(0, 24 * 80))
def test_what_may_leave_now_is_before_the_cut_off_and_what_may_not_is_in_a_silence(
    home: Home, days: list[date], hours: int
) -> None:
    votes = Votes([a_day(id=number, day=day) for number, day in enumerate(days)], PARIS, MARGIN)
    now = datetime(2025, 12, 25, tzinfo=UTC) + timedelta(hours=hours)
    cut, held = votes.cut_off(home, now), votes.holding(home, now)
    inside = any(one.starts_at - MARGIN <= now < one.ends_at for one in votes.silences(home))
    assert (held is not None) is inside
    assert (cut is not None and cut <= now) is inside
