"""A campaign before a vote: when silence holds it, and two people who let it leave all the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.access import Role
from models.campaign import Campaign
from models.election import SilenceWaiver
from models.errors import NotFoundError
from models.identity import TerritoryKind
from models.states import CampaignState
from scheduler.likeness import fingerprint_now
from scheduler.silence import binds
from scheduler.waivers import agree_to_waiver, ask_waiver, refuse_waiver
from store import elections, users
from web.access import Admin, Visit
from web.view import go
from web.votes_view import NearVotes, Vote, near_votes

router = APIRouter()
OPEN = frozenset(CampaignState) - {
    CampaignState.FINISHED,
    CampaignState.INCOMPLETE,
    CampaignState.CANCELLED,
}
"""States in which something of it may still leave."""


@dataclass(frozen=True, slots=True)
class SilenceView:
    """What the page shows. `asked` waits for an answer, `agreed` holds; `past` was refused or is outdated.

    `missing`: votes known to come that nobody entered. `stopped`: how many messages a vote has stopped.
    `mine`: the reader is who asked. `alone`: nobody else could agree, there is no second administrator.
    """

    votes: Sequence[Vote]
    missing: Sequence[tuple[str, str]] = ()
    asked: SilenceWaiver | None = None
    agreed: SilenceWaiver | None = None
    past: Sequence[SilenceWaiver] = ()
    stopped: int = 0
    mine: bool = False
    alone: bool = False
    may_ask: bool = False

    @property
    def running(self) -> bool:
        """Whether the silence of a vote everywhere is on."""
        return any(vote.running and vote.row.territory is TerritoryKind.NATIONAL for vote in self.votes)


async def silence_of(session: AsyncSession, visit: Visit, campaign: Campaign) -> SilenceView | None:
    """What elections mean for a campaign; None when no vote is near and nothing was ever asked or stopped."""
    context = visit.context
    waivers = await elections.waivers_of(session, campaign.id)
    stopped = await elections.stopped_in_silence(session, campaign.id) if campaign.launched_at else 0
    bound = campaign.state in OPEN and binds(campaign.nature, campaign.purpose)
    near = NearVotes()
    if bound:
        near = await near_votes(session, visit.tongue, context.zone, context.clock.now())
    if not (near or waivers or stopped):
        return None
    present = await fingerprint_now(session, campaign) if waivers else ""
    alive = [one for one in waivers if bound and one.refused_at is None and one.fingerprint == present]
    asked = next((one for one in alive if one.agreed_at is None), None)
    agreed = next((one for one in alive if one.agreed_at is not None), None)
    reader = visit.user.email if visit.user else ""
    deciding = [one for one in await users.list_users(session) if one.role is Role.ADMIN]
    return SilenceView(
        votes=near.votes,
        missing=near.missing,
        asked=asked,
        agreed=agreed,
        past=[one for one in waivers if one not in alive],
        stopped=stopped,
        mine=asked is not None and asked.asked_by == reader,
        alone=all(one.email == reader for one in deciding),
        may_ask=bool(near.votes) and not alive and visit.may(Role.ADMIN),
    )


@router.post("/campaigns/{campaign_id}/waivers")
async def ask(visit: Admin, campaign_id: int) -> Response:
    """Ask that it leave in spite of silence; somebody else has to agree."""
    async with visit.context.database.write() as session:
        await ask_waiver(
            session, campaign_id, _name(visit), visit.form.text("reason", 500), visit.context.clock.now()
        )
    return go(f"/campaigns/{campaign_id}", "waiver-asked")


@router.post("/campaigns/{campaign_id}/waivers/{waiver_id}/agree")
async def agree(visit: Admin, campaign_id: int, waiver_id: int) -> Response:
    """Agree, as a second person; what is queued goes on."""
    async with visit.context.database.write() as session:
        await _require(session, campaign_id, waiver_id)
        await agree_to_waiver(session, waiver_id, _name(visit), visit.context.clock.now())
    await visit.context.wake()
    return go(f"/campaigns/{campaign_id}", "waiver-agreed")


@router.post("/campaigns/{campaign_id}/waivers/{waiver_id}/refuse")
async def refuse(visit: Admin, campaign_id: int, waiver_id: int) -> Response:
    """Say no, or take it back: silence holds it again."""
    async with visit.context.database.write() as session:
        await _require(session, campaign_id, waiver_id)
        await refuse_waiver(session, waiver_id, _name(visit), visit.context.clock.now())
    return go(f"/campaigns/{campaign_id}", "waiver-refused")


async def _require(session: AsyncSession, campaign_id: int, waiver_id: int) -> None:
    waiver = await elections.get_waiver(session, waiver_id)
    if waiver.campaign_id != campaign_id:
        raise NotFoundError(f"There is no waiver {waiver_id}.")


def _name(visit: Visit) -> str:
    return visit.user.email if visit.user else ""
