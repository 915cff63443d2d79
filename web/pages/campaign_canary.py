"""A campaign's canary: where its first messages landed, what was decided, and the rest let go by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from models.campaign import Campaign
from models.canary import CLOSED, Canary, CanaryDeed, CanaryStage
from models.providers import provider_name
from models.states import CampaignState
from scheduler import canary as gates
from store import canaries
from web.access import Editor
from web.i18n import N_, Tongue
from web.view import go

router = APIRouter()
STAGES: dict[CanaryStage, str] = {
    CanaryStage.READY: N_("A few people and the seeds will get it first; the rest waits for what they show."),
    CanaryStage.SENDING: N_("The first messages are leaving."),
    CanaryStage.WAITING: N_("The first messages have left. The seed mailboxes are read."),
    CanaryStage.PASSED: N_("The rest follows."),
    CanaryStage.HELD: N_("The rest is held: it waits for you."),
    CanaryStage.RELEASED: N_("%(who)s let the rest go."),
}
CANCELLED = N_("The campaign was cancelled before the rest left.")
FOUND: dict[str, str] = {
    "placement": N_("At these providers most seeds were found in spam or refused: %(providers)s."),
    "hard": N_("%(hard)s of %(sent)s first messages were refused for good: these addresses are old."),
    "unseen": N_("There is no seed mailbox that could tell where the message lands."),
    "unread": N_("Too few of the seeds were found to tell."),
    "fine": N_("The seeds were found where they should be."),
}
"""What the first messages showed, by the code of the finding."""
WARNED = N_("The rest was sent all the same, as asked.")


@dataclass(frozen=True, slots=True)
class Seeds:
    """One provider's seeds."""

    provider: str
    inbox: int
    spam: int
    rejected: int
    unseen: int


@dataclass(frozen=True, slots=True)
class GateView:
    """What the page shows of a gate. `shut`: the rest waits. `until`: how long it waits at most."""

    stage: str
    shut: bool
    held: int
    found: str
    warned: str
    until: datetime | None
    decided_at: datetime | None
    seeds: tuple[Seeds, ...]
    may_release: bool
    people: int


async def gate_of(session: AsyncSession, campaign: Campaign, tongue: Tongue) -> GateView | None:
    """The gate of a campaign; None where it has none."""
    gate = await canaries.find(session, campaign.id)
    if gate is None:
        return None
    shut = gate.stage in CLOSED and campaign.state is not CampaignState.CANCELLED
    stage = CANCELLED if gate.stage in CLOSED and not shut else STAGES[gate.stage]
    held = await canaries.count_held(session, campaign.id) if shut else 0
    finding: dict[str, Any] = gate.seen
    until = gate.sent_at + timedelta(seconds=gate.wait_seconds) if gate.sent_at else None
    return GateView(
        stage=tongue.say(stage, who=gate.decided_by or tongue.say("A person")),
        shut=shut,
        held=held,
        found=_found(finding, tongue),
        warned=tongue.say(WARNED) if _went_on_warned(gate) else "",
        until=until if gate.stage is CanaryStage.WAITING else None,
        decided_at=gate.decided_at,
        seeds=tuple(_seeds(seen, tongue) for seen in finding.get("seeds", [])),
        may_release=held > 0 and gate.stage in {CanaryStage.SENDING, CanaryStage.WAITING},
        people=gate.people,
    )


def _went_on_warned(gate: Canary) -> bool:
    deed = {"bad": gate.when_bad, "unknown": gate.when_unknown}.get(gate.seen.get("sign", ""))
    return gate.stage is CanaryStage.PASSED and deed is CanaryDeed.ALERT


def _found(finding: dict[str, Any], tongue: Tongue) -> str:
    """What was found, in the reader's words; empty before it was looked at."""
    if not finding:
        return ""
    spoiled = [
        seen
        for seen in finding["seeds"]
        if 2 * (seen["spam"] + seen["rejected"]) > seen["inbox"] + seen["spam"] + seen["rejected"]
    ]
    told = FOUND[finding["code"]]
    return tongue.say(
        told,
        providers=", ".join(tongue.say(provider_name(seen["provider"])) for seen in spoiled),
        hard=tongue.number(finding["hard"]),
        sent=tongue.number(finding["sent"]),
    )


def _seeds(seen: dict[str, Any], tongue: Tongue) -> Seeds:
    return Seeds(
        tongue.say(provider_name(seen["provider"])),
        seen["inbox"],
        seen["spam"],
        seen["rejected"],
        seen["missing"] + seen["awaited"],
    )


@router.post("/campaigns/{campaign_id}/canary/release")
async def release(visit: Editor, campaign_id: int) -> Response:
    """Let the rest go now."""
    async with visit.context.database.write() as session:
        await gates.release(
            session, campaign_id, visit.context.clock.now(), by=visit.user.email if visit.user else ""
        )
    await visit.context.wake()
    return go(f"/campaigns/{campaign_id}", "canary-released")
