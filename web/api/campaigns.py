"""Campaigns: listed, made, changed and reported. What is done with one is in `campaign_actions`."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from deliverability.assessing import assess_report
from deliverability.changes import campaign_changes, changes_document
from deliverability.report import campaign_report, report_json
from models.api import KeyMode, Scope
from models.states import CampaignState, Channel
from scheduler.campaigns import create_campaign, parts_of, update_campaign
from store import campaigns
from store.campaign_pages import next_campaigns, own_campaign
from web.api.auth import Caller, may
from web.api.calls import IdempotencyKey, once
from web.api.campaign_parts import may_override, read_changes, read_new, require_identities
from web.api.campaign_schemas import (
    CampaignIn,
    CampaignOut,
    CampaignParts,
    CampaignRow,
    figures_of,
    tell_campaign,
)
from web.api.ids import Kind
from web.api.paging import Cursor, Fields, Limit, PageOut, Paging
from web.api.schemas import Line, problems

router = APIRouter(tags=["campaigns"])
ReadsCampaigns = Annotated[Caller, may(Scope.CAMPAIGNS_READ)]
WritesCampaigns = Annotated[Caller, may(Scope.CAMPAIGNS_WRITE)]
CampaignId = Annotated[str, Path(max_length=40, examples=["cmp_aeaaaaaaaaaaaaaaaaaaaaaa"])]


def is_test(caller: Caller) -> bool:
    """Whether it sees and makes campaigns of tests."""
    return caller.key.mode is KeyMode.TEST


@router.get("/campaigns", response_model=PageOut[CampaignRow], responses=problems("invalid"))
async def list_campaigns(
    caller: ReadsCampaigns,
    *,
    state: Annotated[list[CampaignState] | None, Query(description="Only these; may be repeated.")] = None,
    channel: Channel | None = None,
    name: Annotated[Line, Query(max_length=200, description="Those that are called so.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Campaigns with their figures, the newest first."""
    paging = Paging(caller, limit, cursor)
    before = None if paging.after is None else int(paging.after[0])
    async with caller.context.database.read() as session:
        found = await next_campaigns(
            session,
            test=is_test(caller),
            limit=paging.wanted,
            before=before,
            states=state or (),
            channel=channel,
            name=name,
        )
        progress = await campaigns.progress_of(session, [one.id for one in found])
    return paging.answer(
        found,
        lambda one: (one.id,),
        CampaignRow,
        lambda one: CampaignRow.fill(caller.ids, one, figures_of(one, progress.get(one.id, {}))),
        fields,
    )


@router.post(
    "/campaigns",
    status_code=201,
    response_model=CampaignOut,
    responses=problems("invalid", "not_found", "identity_not_allowed", "idempotency_key_reused"),
)
async def create(caller: WritesCampaigns, body: CampaignIn, key: IdempotencyKey = None) -> Response:
    """Make a draft. One that a test key makes can be looked at and checked, and is never sent."""

    async def deed(session: AsyncSession, now: datetime) -> tuple[int, str]:
        wanted = await read_new(caller, session, body)
        made = await create_campaign(session, wanted, now, may_exempt=may_override(caller))
        made.test = is_test(caller)
        session.add(made)
        await session.flush()
        return 201, (await tell_campaign(session, caller.ids, made)).model_dump_json()

    return await once(caller, key, body.model_dump(mode="json"), deed)


@router.get("/campaigns/{campaign_id}", responses=problems("not_found"))
async def look(caller: ReadsCampaigns, campaign_id: CampaignId) -> CampaignOut:
    """One campaign with its figures and their proof."""
    number = caller.ids.read(Kind.CAMPAIGN, campaign_id)
    async with caller.context.database.read() as session:
        campaign = await own_campaign(session, number, test=is_test(caller))
        return await tell_campaign(session, caller.ids, campaign)


@router.patch(
    "/campaigns/{campaign_id}",
    responses=problems("invalid", "not_found", "conflict", "identity_not_allowed"),
)
async def update(caller: WritesCampaigns, campaign_id: CampaignId, body: CampaignParts) -> CampaignOut:
    """Change parts of a draft, or of a blocked campaign; what is not given stays. 409 for any other."""
    number = caller.ids.read(Kind.CAMPAIGN, campaign_id)
    async with caller.context.database.write() as session:
        campaign = await own_campaign(session, number, test=is_test(caller))
        known = await parts_of(session, campaign)
        require_identities(caller, known.identity_ids)
        wanted = await read_changes(caller, session, body, known)
        now = caller.context.clock.now()
        changed = await update_campaign(session, number, wanted, now, may_exempt=may_override(caller))
        return await tell_campaign(session, caller.ids, changed)


@router.get("/campaigns/{campaign_id}/report", responses=problems("not_found"))
async def report(caller: ReadsCampaigns, campaign_id: CampaignId) -> Response:
    """What became of it: the report of the pages as JSON, with its verdicts and its sums."""
    number = caller.ids.read(Kind.CAMPAIGN, campaign_id)
    async with caller.context.database.read() as session:
        await own_campaign(session, number, test=is_test(caller))
        made = await campaign_report(session, number, caller.context.clock.now())
        assessment = await assess_report(session, made)
        changes = changes_document(await campaign_changes(session, made, assessment))
    document = json.loads(report_json(made, assessment, changes))
    document["campaign"]["id"] = campaign_id
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Response(text, media_type="application/json")
