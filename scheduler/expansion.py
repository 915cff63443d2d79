"""A segment becomes deliveries: checked first, then frozen in batches, safe to repeat at any point.

Each batch is one transaction in the order of contact numbers, so an interrupted launch goes on after
the last contact it wrote and nobody is judged twice. Batches are plain rows from end to end: a million
people are frozen in the memory of one batch.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.canary import CanaryStage
from models.clock import Clock, SystemClock
from models.errors import StoreError, TocsinError
from models.identity import Identity
from models.providers import PROVIDERS
from models.seed import SeedMailbox
from models.states import CampaignState, Channel
from scheduler.choosing import choose_for
from scheduler.completeness import Lacking, fields_to_look_at, who_lacks
from scheduler.content import ANY_TIME, Content, content_of
from scheduler.destinations import providers_for
from scheduler.judging import SLICE_SPAN, Batch, Judge, hold_back, warming
from scheduler.rhythm import Rhythm
from scheduler.senders import Chooser, can_send
from scheduler.silence import Votes
from scheduler.sowing import WIDEST_SPAN, Grain, draw_grains, put_grain, sow
from scheduler.waivers import votes_near
from store import (
    Database,
    audiences,
    campaigns,
    canaries,
    elections,
    erasure,
    freezing,
    register,
    seeds,
    templates,
    touches,
)
from store.audiences import Selection
from store.freezing import Frozen, FrozenRows
from store.loading import room_for_many

BATCH = 20_000
SYSTEM_CLOCK = SystemClock()
WELL_KNOWN: Final = {domain: provider.key for provider in PROVIDERS for domain in provider.domains}
"""Domains whose provider nobody needs to ask for: nearly everybody's."""
AT_ANY_RHYTHM = Rhythm(windows=ANY_TIME)


@dataclass(slots=True)
class Launch:
    """One launch under way: what it needs at every batch. `lookout` are the fields that may not be blank.

    `waiting` are the seeds that have no place yet, the first to travel last; `judged` counts the people
    of the `targeted` who had their turn.
    `first_share` of the people get the canary's first slice; None: there is no canary. `first_due`: when the
    first of them may be written to.
    """

    campaign: Campaign
    selection: Selection
    identities: Sequence[Identity]
    content: Content
    seeds: Sequence[SeedMailbox]
    at: datetime
    judge: Judge
    lookout: frozenset[str] | None
    waiting: list[Grain]
    targeted: int
    judged: int = 0
    first_share: float | None = None
    first_due: datetime | None = None
    draw: random.Random = field(default_factory=random.Random)


async def launch(
    database: Database,
    campaign_id: int,
    now: datetime,
    *,
    language: str,
    rhythm: Rhythm = AT_ANY_RHYTHM,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Check a campaign whose moment has come and freeze its audience: it sends, or is blocked and says why.

    Also goes on with a launch that was interrupted. Does nothing for a campaign in any other state, or
    one put off past `now`. StoreError when the database is away: the launch goes on at the next call.
    """
    async with database.write() as session:
        begun = await campaigns.begin_launch(session, campaign_id, now)
        campaign = await campaigns.get_campaign(session, campaign_id)
        if begun:
            for segment, tie in await campaigns.audience_of(session, campaign_id):
                tie.frozen_text = segment.text
            await register.remember_senders(session, campaign_id)
    if campaign.state is not CampaignState.LAUNCHING:
        return
    try:
        plan = await _prepare(database, campaign_id, language, rhythm)
        if not any(can_send(each, campaign.channel) for each in plan.identities):
            return  # suspended since the sweep asked for this: it waits (`scheduler.waiting`)
        frozen_already = await _frozen_up_to(database, campaign_id)
        # Once the first batch is written the check has been passed: a repeat must not undo it.
        lacking = Lacking() if frozen_already else await _check(database, plan)
        if not lacking:
            plan.judge.providers = await _providers(database, plan, clock)
    except StoreError:
        raise  # nothing is wrong with the campaign: the sweep asks again
    except TocsinError as error:
        await _block(database, campaign_id, str(error), [], now)
        return
    if lacking:
        await _block(database, campaign_id, lacking.in_words(), list(lacking.people), now)
        return
    async with room_for_many(database):
        whole = await _freeze_all(database, plan, frozen_already)
    # Erased between the look at them and the writing; cancelled, too, the campaign must not keep them.
    await erasure.forget(database, campaign_id)
    if whole:
        await _begin_sending(database, plan, now)


async def _prepare(database: Database, campaign_id: int, language: str, rhythm: Rhythm) -> Launch:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        at = campaign.launched_at or campaign.updated_at
        chosen = await choose_for(session, campaign, at, place_is_free=rhythm.place_is_free)
        selection = chosen.selection
        targeted = await audiences.count_targeted(session, selection)
        identities = await campaigns.identities_of(session, campaign_id)
        chooser = Chooser(campaign.identity_rule, identities, campaign.channel)
        content = await content_of(session, campaign_id, language=language, windows=rhythm.windows)
        version = await templates.get_version(session, campaign.template_version_id)
        able = [identity for identity in identities if can_send(identity, campaign.channel)]
        wants_seeds = campaign.with_seeds and campaign.channel is Channel.EMAIL
        found = await seeds.list_active_seeds(session) if wants_seeds else []
        votes = await _votes(session, campaign, at, rhythm)
        return Launch(
            campaign=campaign,
            selection=selection,
            identities=identities,
            content=content,
            seeds=found,
            at=at,
            judge=Judge(campaign, chooser, rhythm, content.windows, {}, at, votes),
            lookout=fields_to_look_at(content, version, able),
            waiting=draw_grains(campaign_id, able, found),
            targeted=targeted,
            judged=sum(await audiences.count_frozen(session, campaign_id)),
            first_share=await _first_share(session, campaign_id, selection, at),
        )


async def _votes(session: AsyncSession, campaign: Campaign, at: datetime, rhythm: Rhythm) -> Votes:
    return await votes_near(
        session, campaign.nature, campaign.purpose, campaign_id=campaign.id, at=at, rhythm=rhythm
    )


async def _first_share(
    session: AsyncSession, campaign_id: int, selection: Selection, at: datetime
) -> float | None:
    """The canary's share of those who are written to, who may be few of the targeted. None: no canary."""
    canary = await canaries.find(session, campaign_id)
    if canary is None:
        return None
    written_to = (await audiences.count_by_reason(session, selection, at)).get(None, 0)
    return canary.people / max(1, canary.people, written_to)


async def _frozen_up_to(database: Database, campaign_id: int) -> int:
    async with database.read() as session:
        return await audiences.frozen_up_to(session, campaign_id)


async def _check(database: Database, plan: Launch) -> Lacking:
    """What the message would lack for whom."""
    return await who_lacks(
        database,
        plan.selection,
        chooser=plan.judge.chooser,
        content=plan.content,
        fields=plan.lookout,
        at=plan.at,
    )


async def _providers(database: Database, plan: Launch, clock: Clock) -> dict[str, str]:
    """Where the mail of everybody and of every seed goes, by domain."""
    if plan.campaign.channel is not Channel.EMAIL:
        return {}
    async with database.read() as session:
        asked = await freezing.domains_reached(session, plan.selection, plan.at, besides=WELL_KNOWN)
    domains = set(asked) | {_domain_of(seed.address) for seed in plan.seeds}
    return WELL_KNOWN | await providers_for(database, domains, clock)


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]


async def _read(database: Database, plan: Launch, after_id: int) -> Batch:
    """The next people, and what must be known of them."""
    campaign = plan.campaign
    async with database.read() as session:
        targets = await freezing.read_targets(
            session,
            plan.selection,
            plan.at,
            after_id=after_id,
            limit=BATCH,
            details=plan.judge.details,
        )
        if not targets:
            return Batch((), {}, {})
        caps = plan.judge.rhythm.caps(campaign.channel, campaign.purpose, plan.at)
        numbers = [target.id for target in targets]
        known = await touches.of_the_busy(session, caps, numbers, campaign_id=campaign.id, now=plan.at)
        engaged_at = (
            await freezing.last_engaged(session, after_id=after_id, up_to_id=targets[-1].id)
            if warming(plan.identities)
            else {}
        )
    return Batch(targets, known, engaged_at)


async def _freeze_all(database: Database, plan: Launch, after_id: int) -> bool:
    """Write every batch; False when the campaign was paused or cancelled meanwhile."""
    async with aclosing(_judged(database, plan, after_id)) as batches:
        async for rows in batches:
            async with database.write() as session:
                if not await freezing.freeze(session, plan.campaign, rows):
                    return False
    last = Frozen()
    # Nobody is written to in their lanes: they go alone.
    for grain in reversed(plan.waiting):
        provider = plan.judge.provider_of(_domain_of(grain.address))
        put_grain(last, len(last.due_at), replace(grain, provider=provider), plan.at)
    async with database.write() as session:
        rows = freezing.on_its_way(plan.campaign, last, embedded=database.is_sqlite)
        return await freezing.freeze(session, plan.campaign, rows)


async def _judged(database: Database, plan: Launch, after_id: int) -> AsyncGenerator[FrozenRows]:
    """The people, batch after batch; the next ones are read and judged while these are written."""
    following = asyncio.create_task(_judge_next(database, plan, after_id))
    try:
        while found := await following:
            rows, after_id = found
            following = asyncio.create_task(_judge_next(database, plan, after_id))
            yield rows
    finally:
        # It must be done with the database before the database is closed.
        await asyncio.wait({following})
        following.cancelled() or following.exception()  # seen: raised above, or something worse is on its way


async def _judge_next(database: Database, plan: Launch, after_id: int) -> tuple[FrozenRows, int] | None:
    """The next batch on its way and its last contact; None when nobody is left."""
    batch = await _read(database, plan, after_id)
    if not batch.targets:
        return None
    rows = await asyncio.to_thread(_judge, plan, batch, embedded=database.is_sqlite)
    return rows, batch.targets[-1].id


def _judge(plan: Launch, batch: Batch, *, embedded: bool) -> FrozenRows:
    frozen = plan.judge.judge(batch)
    plan.judged += len(batch.targets)
    _sow(plan, frozen)
    if plan.first_share is not None:
        people = [due for due, seed in zip(frozen.due_at, frozen.seed_ids, strict=True) if seed is None]
        plan.first_due = min([*people, *filter(None, [plan.first_due])], default=None)
        hold_back(frozen, plan.first_share, plan.first_due, plan.draw)
    return freezing.on_its_way(plan.campaign, frozen, embedded=embedded)


def _sow(plan: Launch, frozen: Frozen) -> None:
    """The seeds whose turn has come, among the people of their lanes; where nobody is yet, they wait."""
    ripe = []
    while plan.waiting and plan.waiting[-1].when * plan.targeted < plan.judged:
        grain = plan.waiting.pop()
        ripe.append(replace(grain, provider=plan.judge.provider_of(_domain_of(grain.address))))
    if ripe:
        span = WIDEST_SPAN if plan.first_share is None else SLICE_SPAN
        plan.waiting.extend(reversed(sow(frozen, ripe, span=span)))


async def _begin_sending(database: Database, plan: Launch, now: datetime) -> None:
    campaign_id = plan.campaign.id
    async with database.write() as session:
        await campaigns.save_links(session, campaign_id, plan.content.links)
        campaign = await campaigns.get_campaign(session, campaign_id)
        frozen, left_out = await audiences.count_frozen(session, campaign_id)
        campaign.frozen, campaign.targeted, campaign.expanded = frozen, frozen + left_out, True
        session.add(campaign)
        await session.flush()
        if plan.judge.votes and not await _votes(session, campaign, plan.judge.at, plan.judge.rhythm):
            await elections.loosen(session, campaign_id)  # it was let leave meanwhile
        await canaries.move(session, campaign_id, origin=CanaryStage.READY, to=CanaryStage.SENDING)
        await campaigns.move(
            session, campaign_id, origin=CampaignState.LAUNCHING, to=CampaignState.SENDING, now=now
        )


async def _block(
    database: Database, campaign_id: int, problem: str, people: list[int], now: datetime
) -> None:
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        campaign.problem, campaign.problem_contacts = problem, people
        # Whoever is written down already was chosen by the campaign as it is: it waits, and is not edited.
        begun = await audiences.frozen_up_to(session, campaign_id) > 0
        if not begun:
            campaign.launched_at = None
        session.add(campaign)
        await session.flush()
        following = CampaignState.PAUSED if begun else CampaignState.BLOCKED
        await campaigns.move(session, campaign_id, origin=CampaignState.LAUNCHING, to=following, now=now)
