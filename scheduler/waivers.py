"""Leaving in spite of election silence: one person asks, another one agrees, and both are written down.

There are reasons (a correction that a court orders, a vote that was called off), and they are nobody's alone:
whoever asks cannot agree, here and not only on the pages. A waiver is for the campaign as it was; changed, it
is asked for again. For the pages and the command line: `ask_waiver`, `agree_to_waiver`, `refuse_waiver`.
"""

from collections.abc import Collection
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.election import SilenceWaiver
from models.errors import BadInputError, ConflictError
from models.states import Nature, Purpose
from scheduler.likeness import fingerprint_now
from scheduler.rhythm import Rhythm
from scheduler.silence import NEAR, NOBODY_VOTES, Votes, binds
from store import campaigns, elections

__all__ = ["agree_to_waiver", "ask_waiver", "lifted_among", "refuse_waiver", "votes_near"]

MOST_REASON = 500
MOST_NAME = 254


async def ask_waiver(
    session: AsyncSession, campaign_id: int, by: str, reason: str, now: datetime
) -> SilenceWaiver:
    """Ask that a campaign leave in spite of silence; nothing changes before somebody else agrees.

    BadInputError without a reason or a name, and for a campaign that silence does not bind; ConflictError
    while the campaign, as it is, has been asked for and nobody has answered, or is let already.
    """
    by, reason = _named(by), _reasoned(reason)
    campaign = await campaigns.get_campaign(session, campaign_id)
    if not binds(campaign.nature, campaign.purpose):
        raise BadInputError(
            f"Election silence does not bind the campaign {campaign.name!r}.", "Nobody need agree."
        )
    fingerprint = await fingerprint_now(session, campaign)
    for known in await elections.waivers_of(session, campaign_id):
        if known.refused_at is None and known.fingerprint == fingerprint:
            raise ConflictError(
                f"{known.asked_by} has asked already.",
                "Somebody else answers." if known.agreed_at is None else f"{known.agreed_by} agreed.",
            )
    asked = SilenceWaiver(
        campaign_id=campaign_id, fingerprint=fingerprint, reason=reason, asked_by=by, asked_at=now
    )
    return await elections.add_waiver(session, asked)


async def agree_to_waiver(session: AsyncSession, waiver_id: int, by: str, now: datetime) -> SilenceWaiver:
    """Agree, as somebody else than who asked: from now on silence does not hold the campaign.

    What is queued gets the campaign's own deadline back; who was left out at the launch stays so.
    BadInputError when the same person agrees; ConflictError when it was answered, or the campaign changed.
    """
    by = _named(by)
    waiver = await elections.get_waiver(session, waiver_id)
    if _same(by, waiver.asked_by):
        raise BadInputError("Who asks cannot agree.", "A second person does.")
    campaign = await campaigns.get_campaign(session, waiver.campaign_id)
    if waiver.fingerprint != await fingerprint_now(session, campaign):
        raise ConflictError("The campaign was changed since that was asked.", "Ask again for it as it is.")
    if not await elections.settle_waiver(session, waiver_id, agreed_by=by, at=now):
        raise ConflictError("That was answered already.", "Look at the campaign.")
    await elections.loosen(session, campaign.id)
    await session.refresh(waiver)
    return waiver


async def refuse_waiver(session: AsyncSession, waiver_id: int, by: str, now: datetime) -> SilenceWaiver:
    """Say no, or take it back, be it agreed to or not: silence holds the campaign again, at once.

    ConflictError when somebody did already.
    """
    by = _named(by)
    waiver = await elections.get_waiver(session, waiver_id)
    if not await elections.settle_waiver(session, waiver_id, refused_by=by, at=now):
        raise ConflictError("That was refused already.", "Look at the campaign.")
    await session.refresh(waiver)
    return waiver


async def lifted_among(session: AsyncSession, campaign_ids: Collection[int]) -> set[int]:
    """Those of the campaigns that two people let leave in silence, as they are now."""
    lifted: set[int] = set()
    for waiver in await elections.agreed_waivers(session, campaign_ids):
        if waiver.campaign_id not in lifted:
            campaign = await campaigns.get_campaign(session, waiver.campaign_id)
            if waiver.fingerprint == await fingerprint_now(session, campaign):
                lifted.add(campaign.id)
    return lifted


async def votes_near(
    session: AsyncSession,
    nature: Nature,
    purpose: Purpose,
    *,
    campaign_id: int,
    at: datetime,
    rhythm: Rhythm,
) -> Votes:
    """The votes that bind a launch at that moment; `campaign_id` 0: of a campaign that is not there yet."""
    if not binds(nature, purpose):
        return NOBODY_VOTES
    days = await elections.days_between(session, at, at + NEAR + rhythm.silence_margin)
    if not days or (campaign_id and await lifted_among(session, [campaign_id])):
        return NOBODY_VOTES
    return Votes(days, rhythm.zone, rhythm.silence_margin)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _named(by: str) -> str:
    if not by.strip():
        raise BadInputError("Somebody must answer for it.", "Say who.")
    return by.strip()[:MOST_NAME]


def _reasoned(reason: str) -> str:
    if not reason.strip():
        raise BadInputError("Leaving in spite of election silence needs a reason.", "Say why in a line.")
    return reason.strip()[:MOST_REASON]
