"""What a campaign's lanes have used up: a warm-up's day, a limit an hour or a day; until when, in words.

Read from the rows the pacer reads, when somebody looks: it is no problem of the campaign's, only the reason
for which nothing leaves for a while, and it ends by itself.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.identity import Identity
from models.pace import Measure, PaceLimit
from models.providers import provider_name
from models.states import CampaignState
from scheduler.pacing import SPANS, Pace, Scopes, Share, day_share, key_of, scopes_of, share_key
from scheduler.rests import wall_time
from store import identities, limits, throttles, warmups
from store.deliveries import Lane


async def tell_used_up(
    session: AsyncSession, campaign: Campaign, pace: Pace, now: datetime, zone: str
) -> Sequence[str]:
    """A sentence for each share that keeps messages of the campaign back; `zone`: of days and times told.

    Two looks at small tables while no plan and no such limit is there.
    """
    if campaign.state is not CampaignState.SENDING:
        return ()
    plans = [plan for plan in await warmups.list_plans(session) if plan.state in warmups.CAPPING]
    caps = {Lane(plan.identity_id, plan.provider): plan.cap for plan in plans}
    rows = [row for row in await limits.list_limits(session) if row.measure in SPANS]
    if not caps and not rows:
        return ()
    place = ZoneInfo(zone)
    shares: dict[str, tuple[Share, str, str]] = {}
    for _, lane in await throttles.lanes_waiting(session, [campaign.id]):
        sender = await identities.get_identity(session, lane.identity_id)
        way = pace.way(campaign.channel, lane.provider).key
        scopes = scopes_of(campaign.channel, lane.identity_id, lane.provider, sender.dkim_domain or "", way)
        if lane in caps:
            share = day_share(scopes, caps[lane], now, place)
            shares[share.key] = (share, *_about_warmup(share, lane, sender))
        for row, key in _concerned(rows, scopes, campaign):
            share = Share(share_key(key, row.measure), int(row.amount), SPANS[row.measure])
            shares[share.key] = (share, *_about_limit(row, lane, sender))
    used = await limits.used(session, list(shares))
    told = []
    for share, one, many in shares.values():
        since, count = used.get(share.key, (now, 0))
        ends_at = share.ends_at or since + share.span
        if now < ends_at and count >= share.most:
            sentence = one if share.most == 1 else many
            told.append(f"{sentence} {wall_time(ends_at, now, place)}.")
    return told


def _concerned(
    rows: Iterable[PaceLimit], scopes: Scopes, campaign: Campaign
) -> Iterable[tuple[PaceLimit, str]]:
    for row in rows:
        key = key_of(row.scope, row.subject, campaign.channel)
        if key in scopes.all:
            yield row, key


def _about_warmup(share: Share, lane: Lane, sender: Identity) -> tuple[str, str]:
    """The beginning of the sentence, for a day of one message and of more."""
    who, at, most = sender.name, provider_name(lane.provider), f"{share.most:,}"
    return (
        f"{who} is getting known at {at}: the 1 message of today is used up, the next may leave from",
        f"{who} is getting known at {at}: the {most} messages of today are used up, the next may leave from",
    )


def _about_limit(row: PaceLimit, lane: Lane, sender: Identity) -> tuple[str, str]:
    whom, most = _whom(row, lane, sender), int(row.amount)
    if row.measure is Measure.PER_HOUR:
        return (
            f"The limit of 1 message an hour ({whom}) is used up, the next may leave from",
            f"The limit of {most:,} messages an hour ({whom}) is used up, the next may leave from",
        )
    return (
        f"The limit of 1 message a day ({whom}) is used up, the next may leave from",
        f"The limit of {most:,} messages a day ({whom}) is used up, the next may leave from",
    )


def _whom(row: PaceLimit, lane: Lane, sender: Identity) -> str:
    """Whom a limit is about, as seen from one lane."""
    match row.scope.value:
        case "provider":
            return provider_name(lane.provider)
        case "lane":
            return f"{sender.name}, {provider_name(lane.provider)}"
        case "domain":
            return f"{sender.dkim_domain}, {provider_name(lane.provider)}"
        case "identity":
            return sender.name
        case _:
            return "everything together"
