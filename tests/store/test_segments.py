"""Segments as rows."""

from datetime import timedelta

import pytest

from audience.segments import parse_segment
from models.errors import NotFoundError
from store import Database, segments
from tests.clocks import START


async def test_a_segment_saved_again_under_its_name_changes_its_rule(database: Database) -> None:
    later = START + timedelta(hours=1)
    async with database.write() as session:
        first = await segments.save_segment(
            session,
            name="Marseille",
            text="ville:Marseille",
            tree=parse_segment("ville:Marseille"),
            now=START,
        )
        again = await segments.save_segment(
            session, name="Marseille", text="cp:13*", tree=parse_segment("cp:13*"), now=later
        )
        assert again.id == first.id
    async with database.read() as session:
        found = await segments.find_segment(session, "Marseille")
        assert found is not None
        assert (found.text, found.created_at, found.updated_at) == ("cp:13*", START, later)
        assert segments.tree_of(found) == parse_segment("cp:13*")
        assert await segments.find_segment(session, "marseille?") is None
        assert (await segments.get_segment(session, found.id)).name == "Marseille"
        assert [one.name for one in await segments.list_segments(session)] == ["Marseille"]
        with pytest.raises(NotFoundError):
            await segments.get_segment(session, found.id + 1)
