"""Each département has its place on the map, and lies where whoever knows the country looks for it."""

import itertools

import pytest

from audience.territory import DEPARTEMENTS
from web.departement_tiles import HEIGHT, TILES, WIDTH

MIDDLES = {
    # Longitude and latitude, in degrees.
    "29": (-4.1, 48.3),
    "50": (-1.3, 49.1),
    "62": (2.3, 50.5),
    "59": (3.2, 50.4),
    "08": (4.6, 49.6),
    "67": (7.5, 48.7),
    "35": (-1.7, 48.2),
    "44": (-1.7, 47.4),
    "75": (2.3, 48.9),
    "45": (2.3, 47.9),
    "21": (4.8, 47.4),
    "25": (6.4, 47.2),
    "33": (-0.6, 44.8),
    "87": (1.3, 45.9),
    "63": (3.1, 45.7),
    "69": (4.6, 45.9),
    "74": (6.4, 46.0),
    "64": (-0.8, 43.3),
    "31": (1.2, 43.4),
    "34": (3.4, 43.6),
    "13": (5.1, 43.5),
    "06": (7.1, 43.9),
    "66": (2.5, 42.6),
    "2B": (9.2, 42.4),
    "2A": (9.0, 41.9),
}
CLEARLY = 1.5
"""Degrees by which one must lie beyond the other before the map has to say so."""
BORDERS = """
    29-22 29-56 22-35 35-53 50-14 14-27 14-61 76-80 80-62 80-60 80-02 62-59 59-02 02-51 02-08
    51-10 51-55 55-54 54-57 54-88 57-67 67-68 68-90 90-25 25-39 39-71 39-01 71-69 69-01 01-74
    74-73 73-38 73-05 38-26 26-84 84-13 84-30 13-83 83-06 06-04 04-05 30-34 34-11 11-66 66-09
    09-31 31-65 65-64 64-40 40-33 33-17 17-85 85-44 44-49 49-37 37-41 41-45 45-89 89-21 21-70
    70-90 70-88 88-52 52-10 58-18 58-71 18-36 36-86 86-79 16-87 87-23 23-03 03-63 63-42 63-15
    15-12 12-48 48-43 43-07 07-26 19-46 46-82 82-32 82-81 81-12 47-24 24-19 33-24 40-47 32-65
    75-92 75-93 75-94 92-78 91-94 77-94 95-92 95-78 95-60 28-91 28-72 72-53 61-72 61-53 2A-2B
    09-11 11-34 34-12 84-26 48-30
"""


def test_every_departement_has_one_place_of_its_own() -> None:
    assert TILES.keys() == DEPARTEMENTS.keys()
    assert all(_distance(one, other) >= 1 for one, other in itertools.combinations(TILES, 2))
    assert all(0 <= tile.x <= WIDTH - 1 and 0 <= tile.y <= HEIGHT - 1 for tile in TILES.values())


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(MIDDLES, 2)))
def test_whoever_lies_west_or_north_of_another_does_so_on_the_map(one: str, other: str) -> None:
    (east, north), (east_2, north_2) = MIDDLES[one], MIDDLES[other]
    here, there = TILES[one], TILES[other]
    if abs(east - east_2) > CLEARLY:
        assert (here.x < there.x) == (east < east_2), "west to east"
    if abs(north - north_2) > CLEARLY:
        assert (here.y > there.y) == (north < north_2), "north to south"


def test_neighbours_touch_at_a_side_or_a_corner() -> None:
    apart = [border for border in BORDERS.split() if _distance(*border.split("-")) > 1]
    assert apart == []


def test_overseas_is_a_column_of_its_own_beside_the_mainland() -> None:
    overseas = {code: tile for code, tile in TILES.items() if len(code) == 3}
    assert {tile.x for tile in overseas.values()} == {0}
    assert min(tile.x for code, tile in TILES.items() if code not in overseas) > 1
    north_to_south = ["975", "978", "977", "971", "972", "973", "976", "974", "986", "987", "988"]
    assert sorted(overseas, key=lambda code: overseas[code].y) == north_to_south


def _distance(one: str, other: str) -> float:
    here, there = TILES[one], TILES[other]
    return round(max(abs(here.x - there.x), abs(here.y - there.y)), 6)
