"""The measurement of a large audience, with a small one: the same file, the same people on both databases."""

from dataclasses import replace
from pathlib import Path

from benchmarks.audience import Measured, goals, lines
from benchmarks.audience_steps import freeze_step, import_step, preview_step, segment_step
from benchmarks.crowd import write_crowd
from store import Database

PEOPLE = 600
EXPECTED = {"import": 591, "segment": 28, "preview": 481, "freeze": 375}


async def test_every_step_does_what_it_measures(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "crowd.csv"
    write_crowd(file, PEOPLE)
    found = {}
    for name, step in (
        ("import", import_step),
        ("segment", segment_step),
        ("preview", preview_step),
        ("freeze", freeze_step),
    ):
        answer = await step(database, file)
        found[name] = answer["result"]
        assert answer["note"]
    assert found == EXPECTED
    assert not file.with_suffix(".report.csv").exists()


def test_the_same_seed_makes_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_crowd(tmp_path / name, 50, seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other


def test_growth_is_told_beside_and_goals_are_for_a_million() -> None:
    small = Measured("SQLite", 100_000, "freeze", 1.0, 1.0, 100, 0, 90_000)
    large = Measured("SQLite", 1_000_000, "freeze", 10.0, 10.0, 100, 0, 900_000)
    assert [row[7] for row in lines([small, large])] == ["", "× 10.0"]
    assert goals([small]) == []
    assert [row[3] for row in goals([small, large])] == ["met", "met"]
    hungry = replace(large, peak_mb=151)
    assert [row[3] for row in goals([small, hungry])] == ["met", "MISSED"]
