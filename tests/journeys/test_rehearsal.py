"""The demo's whole path, on both databases, judged by what the outside world counted."""

from pathlib import Path

import pytest

from models.states import CampaignState, LeftOutReason
from service.demo import Rehearsal, play, stage
from service.demo_screen import Screen

pytestmark = pytest.mark.journey


async def test_from_a_csv_file_to_a_report_that_the_outside_world_confirms(
    migrated_url: str, tmp_path: Path
) -> None:
    rehearsal = Rehearsal(tmp_path, people=500, database_url=migrated_url, speed=60)
    screen = Screen()
    async with stage(rehearsal, screen) as (world, parts):
        played = await play(rehearsal, world, parts, screen)
    assert [check for check in played.checks if not check.holds] == []
    (letters, _), (texts, _) = played.reports
    assert {letters.state, texts.state} == {CampaignState.FINISHED}
    # Not an empty success: each kind of thing that can happen has happened.
    counts = letters.total.counts
    assert counts.accepted > 100
    assert counts.refused
    assert counts.deferred
    assert counts.expired
    assert counts.bounced_hard
    assert counts.clicked
    assert counts.seeds_spam
    assert letters.total.left_out[LeftOutReason.NO_CONSENT]
    # Political, and chosen by where people live: whoever did not agree to that is left out.
    assert letters.total.left_out[LeftOutReason.NO_TARGETING_CONSENT]
    assert texts.total.left_out[LeftOutReason.NO_TARGETING_CONSENT]
    assert len(letters.by_identity) == 3
    assert texts.total.counts.delivered > 10
    assert played.tally.dkim["pass"] > 0
    assert played.tally.doubles == ()
