"""A site with nobody in it, on each kind of database."""

from pathlib import Path

import pytest

from store import Database
from tests.clocks import ManualClock
from tests.web.browsers import Site


@pytest.fixture
def site(database: Database, clock: ManualClock, tmp_path: Path) -> Site:
    """The front door of an empty installation."""
    return Site(database, clock, tmp_path)
