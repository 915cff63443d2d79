"""`tocsin compliance`, and what changed since the last campaign, as they are typed."""

import asyncio
import json
from datetime import timedelta

import pytest

from models.clock import SystemClock
from models.preflight import PreflightOverride
from store import Database
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign
from tests.service.conftest import Tocsin, Typed

DAY = timedelta(days=1)


async def two_campaigns(database: Database) -> None:
    """People clicked less in the second one, and somebody went past a check."""
    now = SystemClock().now()
    async with database.write() as session:
        identity = await an_identity(session)
        identity.key = "national"
        session.add(identity)
        await a_sent_campaign(session, identity, {"gmail": (10_000, 400)}, launched_at=now - 9 * DAY)
        campaign = await a_sent_campaign(
            session, identity, {"gmail": (10_000, 100)}, launched_at=now - 4 * DAY
        )
        session.add(
            PreflightOverride(
                campaign_id=campaign.id, at=now - 5 * DAY, by="ana (command line)", reason="urgent"
            )
        )
    await database.close()


@pytest.fixture
def typed_here(ready: Tocsin, typed: Typed) -> Typed:
    """The command, where two campaigns were sent."""
    asyncio.run(two_campaigns(Database(f"sqlite:///{ready.folder / 'tocsin-data' / 'tocsin.db'}")))
    return typed


def test_compliance_is_told_question_by_question(typed_here: Typed) -> None:
    told = typed_here.must("compliance")
    for title in (
        "Who agreed, and whether it can be shown",
        "Register of political advertising",
        "article L49",
    ):
        assert title in told
    assert "! Of 2 campaigns nobody has said whether they are political" in told
    assert "ana (command line)" in told
    assert "Nobody went past a check" in typed_here.must("compliance", "--days", "1")


def test_compliance_as_a_file(typed_here: Typed) -> None:
    found = json.loads(typed_here.must("compliance", "--json"))
    assert [one["sent"] for one in found["campaigns"]] == [10_000, 10_000]
    assert found["overrides"][0]["reason"] == "urgent"


def test_a_report_tells_what_its_campaign_kept_to(typed_here: Typed) -> None:
    told = typed_here.must("report", "2")
    assert "Whether the law was kept to" in told
    assert "✓ It went only to people who agreed to be written to." in told
    assert "ana (command line) went past" in told
    assert "went past" not in typed_here.must("report", "1")


def test_what_changed_since_the_campaign_before_is_told_at_the_terminal(typed_here: Typed) -> None:
    words = "! People who clicked: 1.0%, before 4.0%."
    assert words in typed_here.must("report", "2")
    told = typed_here.must("deliverability", "national", "--days", "7")
    assert "The last 7 days compared with the 7 days before." in told
    assert words in told
    for command in (("report", "2"), ("deliverability", "national", "--days", "7")):
        changes = json.loads(typed_here.must(*command, "--json"))["changes"]
        assert [one["values"]["key"] for one in changes["list"]] == ["click"]
    assert "What changed" not in typed_here.must("report", "1")
