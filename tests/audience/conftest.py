"""The desk of the tests of imports."""

from pathlib import Path

import pytest

from store import Database
from tests.audience.desk import Desk
from tests.clocks import ManualClock


@pytest.fixture
def desk(database: Database, clock: ManualClock, tmp_path: Path) -> Desk:
    return Desk(database, clock, tmp_path)
