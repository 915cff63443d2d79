"""What lies behind a campaign's figures: when it ends, who is uncertain, who had enough messages."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.campaign import Campaign, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.errors import BadInputError
from models.states import CampaignState, DeliveryState, LeftOutReason
from scheduler.forecast import Forecast, forecast
from scheduler.pacing import from_microseconds, to_microseconds
from scheduler.uncertain import Decision, resolve_uncertain
from scheduler.upkeep import reconcile
from store import campaigns, contacts, deliveries, identities, standing
from web.access import Editor, Reader, Visit
from web.i18n import N_
from web.pages.sketch import describe
from web.view import go, page

router = APIRouter()
A_PAGE = 50
MOST_COUNTED = 10_000
NO_DECISION = N_("Choose one of the three.")
NOTHING_SHOWN = N_("Look at the list before you decide.")
DECISIONS: Final = (
    (
        Decision.SENT,
        N_("Count them as sent"),
        N_("The usual choice: most of them have arrived. Nobody gets the message twice."),
    ),
    (
        Decision.NOT_SENT,
        N_("Count them as not sent"),
        N_("They are left alone. Some of them may have it all the same."),
    ),
    (
        Decision.SEND_AGAIN,
        N_("Send to them once more"),
        N_("Everybody gets it; those who had it already get it twice."),
    ),
)
"""What can be decided, how it is called, what it means."""
FORESEEN = frozenset(
    {
        CampaignState.DRAFT,
        CampaignState.SCHEDULED,
        CampaignState.BLOCKED,
        CampaignState.LAUNCHING,
        CampaignState.SENDING,
        CampaignState.PAUSED,
    }
)
"""States in which there is an end to foresee."""


@router.get("/campaigns/{campaign_id}/forecast")
async def forecast_page(visit: Reader, campaign_id: int) -> Response:
    """When the campaign will be over; the campaign's page shows a part of this one, by script."""
    now = visit.context.clock.now()
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        found: Forecast | None = None
        if campaign.state in FORESEEN:
            found = await forecast(session, campaign_id, now, visit.context.outlook)
        names = {one.key: one.name for one in await identities.list_identities(session)}
        later = await standing.waiting_for_later(session, campaign_id, now, most=MOST_COUNTED)
    return page(
        visit,
        "campaign_forecast.html",
        campaign=campaign,
        forecast=found,
        names=names,
        later=later,
        more=later.count >= MOST_COUNTED,
    )


@router.get("/campaigns/{campaign_id}/uncertain")
async def uncertain_page(visit: Reader, campaign_id: int) -> Response:
    """Whose message may or may not have left, and what may be decided about it."""
    return await _uncertain(visit, campaign_id)


@router.post("/campaigns/{campaign_id}/uncertain")
async def decide(visit: Editor, campaign_id: int) -> Response:
    """Settle them as somebody decided."""
    chosen = next((one for one in Decision if one.value == visit.form.text("decision")), None)
    if chosen is None:
        return await _uncertain(visit, campaign_id, BadInputError(NO_DECISION))
    shown = visit.form.number("shown")
    if shown is None:
        return await _uncertain(visit, campaign_id, BadInputError(NOTHING_SHOWN))
    by = visit.user.email if visit.user else ""
    async with visit.context.database.write() as session:
        await campaigns.get_campaign(session, campaign_id)
        now = visit.context.clock.now()
        looked_at = from_microseconds(min(shown, to_microseconds(now)))
        await resolve_uncertain(session, campaign_id, chosen, by, now, shown=looked_at)
        left = await deliveries.newest_uncertain(session, campaign_id)
    if chosen is Decision.SEND_AGAIN:
        await visit.context.wake()
    if left is not None:
        return go(f"/campaigns/{campaign_id}/uncertain", "uncertain-left")
    return go(f"/campaigns/{campaign_id}", "uncertain-decided")


async def _uncertain(visit: Visit, campaign_id: int, error: BadInputError | None = None) -> Response:
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        count = (await campaigns.progress(session, campaign_id)).get(DeliveryState.UNCERTAIN, 0)
        rows = await standing.people_in(session, campaign_id, DeliveryState.UNCERTAIN, limit=A_PAGE)
        people = await _named(session, campaign, [row.contact_id or 0 for row in rows])
        decided = await standing.decisions(session, campaign_id)
        newest = await deliveries.newest_uncertain(session, campaign_id)
    calls = {decision.value: text for decision, text, _ in DECISIONS}
    return page(
        visit,
        "campaign_uncertain.html",
        400 if error else 200,
        campaign=campaign,
        count=count,
        shown=to_microseconds(newest) if newest else 0,
        rows=[(row, people.get(row.contact_id or 0, row.address)) for row in rows],
        choices=DECISIONS,
        decided=[(one, calls.get(one.decision, one.decision)) for one in decided],
        problem=error.problem if error else "",
    )


@router.get("/campaigns/{campaign_id}/capped")
async def capped_page(visit: Reader, campaign_id: int) -> Response:
    """Who was written to often enough, and from when on they may be written to again.

    First those whom the gate kept back, by delivery (`since`), then those left out at the launch, by their
    own number (`after`).
    """
    after, last = visit.query.number("after"), visit.query.number("since") or 0
    async with visit.context.database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        states = await campaigns.progress(session, campaign_id)
        reasons = await campaigns.left_out(session, campaign_id)
        since: Sequence[Delivery] = ()
        if after is None:
            since = await standing.people_in(
                session, campaign_id, DeliveryState.CAPPED, after_id=last, limit=A_PAGE + 1
            )
        room = A_PAGE - len(since[:A_PAGE])
        before = await standing.people_left_out(
            session, campaign_id, LeftOutReason.CAPPED, after_id=after or 0, limit=room + 1
        )
        numbers = [row.contact_id for row in before] + [row.contact_id or 0 for row in since]
        people = await _named(session, campaign, numbers)
    return page(
        visit,
        "campaign_capped.html",
        campaign=campaign,
        total=states.get(DeliveryState.CAPPED, 0) + reasons.get(LeftOutReason.CAPPED, 0),
        before=[(row, people.get(row.contact_id, "")) for row in before[:room]],
        since=[
            (row, people.get(row.contact_id or 0, row.address), next_of(row.reason)) for row in since[:A_PAGE]
        ],
        more=_rest(since, before, room),
    )


def _rest(since: Sequence[Delivery], before: Sequence[LeftOut], room: int) -> str:
    """The query of the page after this one, empty on the last."""
    if len(since) > A_PAGE:
        return f"since={since[A_PAGE - 1].id}"
    if len(before) <= room:
        return ""
    return f"after={before[room - 1].contact_id if room else 0}"


def next_of(reason: str) -> str:
    """The moment that the gate wrote into a reason, on the installation's clock; else the reason itself."""
    return reason.rpartition("may leave from ")[2] or reason


@router.post("/campaigns/{campaign_id}/prove")
async def prove_again(visit: Editor, campaign_id: int) -> Response:
    """Count every message of an ended campaign again."""
    async with visit.context.database.read() as session:
        await campaigns.get_campaign(session, campaign_id)
    proof = await reconcile(visit.context.database, campaign_id, visit.context.clock)
    return go(f"/campaigns/{campaign_id}", "proof-equal" if proof.equal else "proof-unequal")


async def _named(session: AsyncSession, campaign: Campaign, numbers: Sequence[int]) -> dict[int, str]:
    found: list[Contact] = await contacts.get_contacts(session, numbers)
    return {one.id: describe(one, campaign.channel) for one in found}
