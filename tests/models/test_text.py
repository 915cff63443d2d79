"""Nouns that follow their counts."""

import pytest

from models.text import plural


@pytest.mark.parametrize(
    ("count", "told", "people"),
    [(0, "0 rows", "0 people"), (1, "1 row", "1 person"), (2000, "2,000 rows", "2,000 people")],
)
def test_a_noun_follows_its_count(count: int, told: str, people: str) -> None:
    assert plural(count, "row") == told
    assert plural(count, "person", "people") == people
