"""Days of voting as people type them, and those known beforehand."""

from dataclasses import replace
from datetime import date

import pytest

from audience.elections import VoteWish, compose_day, known_days, name_of_place, read_closing, unentered
from models.election import DAY_BEFORE
from models.errors import BadInputError
from models.identity import TerritoryKind

WISH = VoteWish("Élections municipales", date(2026, 3, 15))
K = TerritoryKind


def test_a_vote_everywhere_needs_a_name_and_a_day() -> None:
    day = compose_day(replace(WISH, name="  Élections   municipales "))
    assert (day.name, day.day, day.round) == ("Élections municipales", date(2026, 3, 15), 1)
    assert (day.territory, day.territory_value, day.departement) == (K.NATIONAL, "", None)
    assert (day.closes_at, day.zone) == ("20:00", "Europe/Paris")
    # Nobody said who votes the day before: silence begins early rather than late.
    assert day.day_before == list(DAY_BEFORE)


@pytest.mark.parametrize(
    ("kind", "value", "departement", "expected"),
    [
        (K.DEPARTEMENT, "La Réunion", "", ("974", None, "Indian/Reunion")),
        (K.REGION, "PACA", "", ("93", None, "Europe/Paris")),
        (K.CIRCONSCRIPTION, "972-1", "", ("972-01", None, "America/Martinique")),
        (K.CIRCONSCRIPTION, "ZZ-02", "", ("ZZ-02", None, "Europe/Paris")),
        (K.COMMUNE, "Saint-Denis", "974", ("saint denis", "974", "Indian/Reunion")),
        (K.COMMUNE, "Saint-Denis", "93", ("saint denis", "93", "Europe/Paris")),
        (K.CANTON, "Bourg-en-Bresse-1", "Ain", ("bourg en bresse 1", "01", "Europe/Paris")),
    ],
)
def test_a_vote_in_one_place_is_kept_as_contacts_have_it(
    kind: K, value: str, departement: str, expected: tuple[str, str | None, str]
) -> None:
    day = compose_day(replace(WISH, territory=kind, value=value, departement=departement))
    assert (day.territory_value, day.departement, day.zone) == expected
    assert day.place == (value if kind in {K.COMMUNE, K.CANTON} else "")


def test_who_votes_the_day_before_can_be_chosen() -> None:
    assert compose_day(replace(WISH, day_before=())).day_before == []
    chosen = compose_day(replace(WISH, day_before=("972", "zz-1", "Guyane", "972", " ")))
    assert chosen.day_before == ["972", "ZZ-01", "973"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "x" * 201}, "needs a name"),
        ({"round": 0}, "no round 0"),
        ({"day": date(2206, 3, 15)}, "Nobody votes in 2206"),
        ({"territory": K.COMMUNE, "value": "Nîmes"}, "in which département"),
        ({"territory": K.DEPARTEMENT, "value": " "}, "where people vote"),
        ({"territory": K.DEPARTEMENT, "value": "Atlantide"}, "no département"),
        ({"territory": K.POLLING_STATION, "value": "12"}, "polling station"),
        ({"day_before": ("1000",)}, "no département"),
        ({"closes_at": "25:00"}, "no time of day"),
        ({"zone": "Europe/Nowhere"}, "no time zone"),
    ],
)
def test_what_cannot_be_a_vote_is_told_in_one_line(change: dict[str, object], told: str) -> None:
    with pytest.raises(BadInputError, match=told) as caught:
        compose_day(replace(WISH, **change))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "read"), [("20:00", "20:00"), ("19h30", "19:30"), ("8h", "08:00"), ("20", "20:00")]
)
def test_a_closing_time_is_read_as_people_write_it(typed: str, read: str) -> None:
    assert read_closing(typed) == read


def test_known_days_are_sundays_that_can_be_added_as_they_are() -> None:
    known = known_days()
    assert [one.wish.day for one in known] == sorted(one.wish.day for one in known)
    assert len({one.key for one in known}) == len(known)
    for one in known:
        assert (one.wish.day.isoweekday(), bool(one.source)) == (7, True)
        assert compose_day(one.wish).name == one.wish.name


def test_days_that_nobody_entered_are_found() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    assert [one.wish.round for one in unentered([], first, last)] == [1, 2]
    assert [one.wish.round for one in unentered([], date(2026, 3, 16), last)] == [2]
    local = compose_day(replace(WISH, territory=K.DEPARTEMENT, value="972"))
    everywhere = compose_day(replace(WISH, name="Municipales"))
    assert [one.wish.round for one in unentered([local], first, last)] == [1, 2]
    assert [one.wish.round for one in unentered([everywhere], first, last)] == [2]
    assert len(unentered([everywhere], first)) == len(known_days()) - 1


def test_overseas_votes_the_day_before_for_the_president_and_not_for_the_mayors() -> None:
    early = {one.wish.name: compose_day(one.wish).day_before for one in known_days()}
    assert early["Élection présidentielle 2027"] == list(DAY_BEFORE)
    assert early["Élections municipales 2026"] == []
    assert name_of_place("972") == "Martinique"
    assert name_of_place("ZZ-01") == "French of the United States and Canada"
    assert name_of_place("ZZ-03") == "ZZ-03"
