"""Lanes at rest as campaigns tell of them: who takes nothing until when, and after which answer.

Only for campaigns of which something waits there: whoever is done with a provider has no problem with it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.identity import Identity
from models.pace import BreakerState
from models.providers import provider_name
from scheduler import brakes, throttle
from scheduler.pacing import Pace, scopes_of
from scheduler.throttle import Brake
from store import identities, throttles
from store.deliveries import Lane


async def tell_rests(
    session: AsyncSession, sending: Collection[Campaign], pace: Pace, now: datetime, zone: str
) -> dict[int, Sequence[str]]:
    """What rests, by campaign, in words for people; `zone`: of the times told.

    One look at a small table while nothing rests.
    """
    place = ZoneInfo(zone)
    seen = {row.key: throttle.at(brakes.brake_of(row), now) for row in await throttles.list_all(session)}
    resting = {key: brake for key, brake in seen.items() if brake.state is BreakerState.OPEN}
    campaigns = {campaign.id: campaign for campaign in sending}
    told = await _halts(session, campaigns, now)
    if not resting:
        return {campaign_id: list(sentences.values()) for campaign_id, sentences in told.items()}
    for campaign_id, lane in await throttles.lanes_waiting(session, campaigns):
        channel = campaigns[campaign_id].channel
        sender = await identities.get_identity(session, lane.identity_id)
        way = pace.way(channel, lane.provider)
        scopes = scopes_of(channel, lane.identity_id, lane.provider, sender.dkim_domain or "", way.key)
        for key in scopes.all:
            if key in resting:
                sentence = _sentence(_whom(key, lane, sender), resting[key], now, place)
                told.setdefault(campaign_id, {})[key] = sentence
    return {campaign_id: list(sentences.values()) for campaign_id, sentences in told.items()}


async def _halts(
    session: AsyncSession, campaign_ids: Collection[int], now: datetime
) -> dict[int, dict[str, str]]:
    """Where nothing more of a campaign leaves, by campaign and provider."""
    told: dict[int, dict[str, str]] = {}
    for lane in await throttles.halted_lanes(session, campaign_ids, now):
        sentence = f"{provider_name(lane.provider)} gets no more of it for now: its incident says why."
        told.setdefault(lane.campaign_id, {})[f"halt:{lane.provider}"] = sentence
    return told


def wall_time(until: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment on the clock of `zone`, with its day unless that is today: `18:30`, `02/12 00:00`."""
    local = until.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local:%d/%m %H:%M}"


def _sentence(whom: str, brake: Brake, now: datetime, zone: ZoneInfo) -> str:
    again = wall_time(brake.opens_at or now, now, zone)
    return f"{whom} {again}" + (f" after this answer: {brake.reason}" if brake.reason else ".")


def _whom(key: str, lane: Lane, sender: Identity) -> str:
    """The beginning of the sentence: who rests, as seen from one lane."""
    provider = provider_name(lane.provider)
    match key.partition(":")[0]:
        case "provider":
            return f"{provider} rests until"
        case "lane":
            return f"{provider} rests for {sender.name} until"
        case "domain":
            return f"{provider} rests for {sender.dkim_domain} until"
        case "identity":
            return f"The sender {sender.name} rests until"
        case _:
            own = key.count(":") > 1
            return f"Our own way out to {provider} rests until" if own else "Our own way out rests until"
