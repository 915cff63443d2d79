"""The scene of a failure: a campaign under way, on either database."""

from collections.abc import Callable
from pathlib import Path

import pytest

from store import Database
from tests.crash.scene import Scene
from tests.servers.workers import CountingSink, Nursery

SceneMaker = Callable[..., Scene]


@pytest.fixture
def a_scene(
    database: Database, migrated_url: str, tmp_path: Path, counting_sink: CountingSink, nursery: Nursery
) -> SceneMaker:
    """Makes the scene, of so many people and at such a pace."""

    def make(people: int, *, emails_per_second: float = 1_000_000, lease_s: float = 60) -> Scene:
        return Scene(
            database,
            migrated_url,
            tmp_path,
            counting_sink,
            nursery,
            people=people,
            emails_per_second=emails_per_second,
            lease_s=lease_s,
        )

    return make
