"""A launch that cannot go on: what is written down stays its campaign's, and no check is passed by."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.errors import ConflictError
from models.states import CampaignState
from models.template import TemplateVersion
from scheduler import expansion
from scheduler.campaigns import parts_of, resume, schedule, update_campaign
from scheduler.expansion import launch
from store import Database, campaigns, freezing
from tests.clocks import START
from tests.factories import a_campaign, a_contact
from tests.scheduler.test_expansion import deliveries_of


async def test_a_launch_that_fails_midway_waits_and_cannot_be_edited(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expansion, "BATCH", 4)
    async with database.write() as session:
        for _ in range(10):
            await a_contact(session)
        campaign_id = (await a_campaign(session)).id
        await schedule(session, campaign_id, START.replace(tzinfo=None), "UTC", START)
    real = freezing.freeze

    written = 0

    async def killed_after_one(*args: Any) -> bool:
        nonlocal written
        written += 1
        if written > 1:
            raise KeyboardInterrupt
        return bool(await real(*args))

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", killed_after_one)
        with pytest.raises(KeyboardInterrupt):
            await launch(database, campaign_id, START, language="fr")
    async with database.write() as session:
        whole = (await session.exec(select(TemplateVersion.body))).one()
        await session.exec(sa.update(TemplateVersion).values(body="<mjml><mj-body>"))
    await launch(database, campaign_id, START, language="fr")
    begun = len(await deliveries_of(database, campaign_id))
    assert 0 < begun < 10
    async with database.write() as session:
        found = await campaigns.get_campaign(session, campaign_id)
        assert found.state is CampaignState.PAUSED
        assert found.problem
        with pytest.raises(ConflictError, match="cannot be changed any more"):
            await update_campaign(session, campaign_id, await parts_of(session, found), START)
    async with database.write() as session:
        await session.exec(sa.update(TemplateVersion).values(body=whole))
        resumed = await resume(session, campaign_id, START)
        assert (resumed.state, resumed.problem) == (CampaignState.LAUNCHING, "")
    await launch(database, campaign_id, START, language="fr")
    assert len({row.contact_id for row in await deliveries_of(database, campaign_id)}) == 10


async def test_a_blocked_campaign_is_scheduled_again_not_resumed(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, first_name=None)
        campaign_id = (await a_campaign(session)).id
        await schedule(session, campaign_id, START.replace(tzinfo=None), "UTC", START)
    await launch(database, campaign_id, START, language="fr")
    async with database.write() as session:
        with pytest.raises(ConflictError, match="blocked"):
            await resume(session, campaign_id, START)
        assert (await campaigns.get_campaign(session, campaign_id)).state is CampaignState.BLOCKED
