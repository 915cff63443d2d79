"""A segment becomes deliveries: checked first, then frozen in batches, safe to repeat at any point.

Each batch is one transaction in the order of contact numbers, so an interrupted launch goes on after
the last contact it wrote and nobody is judged twice.
"""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from audience.segments import parse_segment
from models.campaign import AudienceRole, Campaign, LeftOut
from models.contact import Contact
from models.delivery import Delivery
from models.errors import StoreError, TocsinError
from models.identity import Identity
from models.providers import SMS, provider_of
from models.seed import SeedMailbox
from models.segment_tree import Node
from models.states import CampaignState, Channel, DeliveryState, LeftOutReason
from scheduler.content import Content, content_of, values_for
from scheduler.senders import choose_identity
from store import Database, audiences, campaigns, contacts, seeds
from store.audiences import Selection

BATCH = 1000
NAMED_AT_MOST = 5
LISTED_AT_MOST = 200


@dataclass(slots=True)
class Launch:
    """One launch under way: what it needs at every batch."""

    campaign: Campaign
    selection: Selection
    identities: Sequence[Identity]
    content: Content
    seeds: Sequence[SeedMailbox]
    targeted: int
    at: datetime
    draw: random.Random = field(default_factory=random.Random)


async def launch(database: Database, campaign_id: int, now: datetime, *, language: str) -> None:
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
    if campaign.state is not CampaignState.LAUNCHING:
        return
    try:
        plan = await _prepare(database, campaign_id, language)
        frozen_already = await _frozen_up_to(database, campaign_id)
        # Once the first batch is written the check has been passed: a repeat must not undo it.
        problem = None if frozen_already else await _missing_values(database, plan)
    except StoreError:
        raise  # nothing is wrong with the campaign: the sweep asks again
    except TocsinError as error:
        await _block(database, campaign_id, str(error), [], now)
        return
    if problem is not None:
        await _block(database, campaign_id, *problem, now)
        return
    if await _freeze_all(database, plan, frozen_already):
        await _begin_sending(database, plan, now)


async def _prepare(database: Database, campaign_id: int, language: str) -> Launch:
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        at = campaign.launched_at or campaign.updated_at
        trees: dict[AudienceRole, list[Node]] = {role: [] for role in AudienceRole}
        for segment, tie in await campaigns.audience_of(session, campaign_id):
            trees[tie.role].append(parse_segment(tie.frozen_text or segment.text))
        selection = audiences.select_people(
            include=trees[AudienceRole.INCLUDE],
            exclude=trees[AudienceRole.EXCLUDE],
            channel=campaign.channel,
            basis=campaign.basis,
            now=at,
        )
        counts = await audiences.count_by_reason(session, selection, at)
        wants_seeds = campaign.with_seeds and campaign.channel is Channel.EMAIL
        return Launch(
            campaign=campaign,
            selection=selection,
            identities=await campaigns.identities_of(session, campaign_id),
            content=await content_of(session, campaign_id, language=language),
            seeds=await seeds.list_active_seeds(session) if wants_seeds else [],
            targeted=sum(counts.values()),
            at=at,
        )


async def _frozen_up_to(database: Database, campaign_id: int) -> int:
    async with database.read() as session:
        return await audiences.frozen_up_to(session, campaign_id)


async def _batches(
    database: Database, plan: Launch, after_id: int
) -> AsyncIterator[list[tuple[Contact, LeftOutReason | None]]]:
    while True:
        async with database.read() as session:
            batch = await audiences.audience_batch(
                session, plan.selection, plan.at, after_id=after_id, limit=BATCH
            )
        if not batch:
            return
        yield batch
        after_id = batch[-1][0].id


async def _missing_values(database: Database, plan: Launch) -> tuple[str, list[int]] | None:
    """What the message would lack for whom, in words and contact numbers; None when everybody's is whole."""
    lacking: dict[int, str] = {}
    fields: set[str] = set()
    count = 0
    async for batch in _batches(database, plan, 0):
        receiving = [contact for contact, reason in batch if reason is None]
        async with database.read() as session:
            tags = await contacts.tags_of(session, [contact.id for contact in receiving])
        for contact in receiving:
            missing = _lacks(plan, contact, tags.get(contact.id, []))
            if not missing:
                continue
            count += 1
            fields.update(missing)
            if len(lacking) < LISTED_AT_MOST:
                lacking[contact.id] = f"{contact.email or contact.phone} ({', '.join(missing)})"
    if not lacking:
        return None
    more = f" and {count - NAMED_AT_MOST} more" if count > NAMED_AT_MOST else ""
    problem = (
        f"{count} {'person lacks' if count == 1 else 'people lack'} a value the message needs: "
        f"{', '.join(sorted(fields))}. Nothing was queued. Give the template a fallback, complete the "
        f"contacts or exclude them. Concerned: {'; '.join(list(lacking.values())[:NAMED_AT_MOST])}{more}."
    )
    return problem, list(lacking)


def _lacks(plan: Launch, contact: Contact, tags: Sequence[str]) -> tuple[str, ...]:
    campaign = plan.campaign
    identity = choose_identity(campaign.identity_rule, plan.identities, contact, campaign.channel)
    if identity is None:
        return ()
    return plan.content.compiled.missing(values_for(contact, tags, identity, plan.content))


async def _freeze_all(database: Database, plan: Launch, after_id: int) -> bool:
    """Write every batch; False when the campaign was paused or cancelled meanwhile."""
    campaign_id = plan.campaign.id
    seed_rows = [_seed_delivery(plan, seed, identity) for identity in plan.identities for seed in plan.seeds]
    remaining = max(1, -(-plan.targeted // BATCH))
    async for batch in _batches(database, plan, after_id):
        rows, left_out = _judge(plan, batch)
        # Seeds travel at random places among the people, as one of them.
        for _ in range(sum(plan.draw.random() * remaining < 1 for _ in seed_rows)):
            rows.insert(plan.draw.randint(0, len(rows)), seed_rows.pop())
        remaining = max(1, remaining - 1)
        async with database.write() as session:
            if (await campaigns.get_campaign(session, campaign_id)).state is not CampaignState.LAUNCHING:
                return False
            await audiences.freeze(session, rows, left_out)
    async with database.write() as session:
        await audiences.freeze(session, seed_rows, [])
    return True


def _judge(
    plan: Launch, batch: Sequence[tuple[Contact, LeftOutReason | None]]
) -> tuple[list[Delivery], list[LeftOut]]:
    rows: list[Delivery] = []
    left_out: list[LeftOut] = []
    campaign = plan.campaign
    for contact, known_reason in batch:
        identity = None
        reason = known_reason
        if reason is None:
            identity = choose_identity(campaign.identity_rule, plan.identities, contact, campaign.channel)
            reason = LeftOutReason.NO_IDENTITY if identity is None else None
        if identity is None:
            left_out.append(
                LeftOut(
                    campaign_id=campaign.id, contact_id=contact.id, reason=reason or LeftOutReason.NO_IDENTITY
                )
            )
            continue
        address = (contact.email if campaign.channel is Channel.EMAIL else contact.phone) or ""
        rows.append(_delivery(plan, identity, address, contact_id=contact.id))
    return rows, left_out


def _delivery(
    plan: Launch,
    identity: Identity,
    address: str,
    *,
    contact_id: int | None = None,
    seed_id: int | None = None,
) -> Delivery:
    email = plan.campaign.channel is Channel.EMAIL
    return Delivery(
        campaign_id=plan.campaign.id,
        contact_id=contact_id,
        seed_id=seed_id,
        channel=plan.campaign.channel,
        identity_id=identity.id,
        provider=provider_of(address) if email else SMS,
        address=address,
        state=DeliveryState.QUEUED,
        due_at=plan.at,
        not_after=plan.campaign.not_after,
    )


def _seed_delivery(plan: Launch, seed: SeedMailbox, identity: Identity) -> Delivery:
    return _delivery(plan, identity, seed.address, seed_id=seed.id)


async def _begin_sending(database: Database, plan: Launch, now: datetime) -> None:
    campaign_id = plan.campaign.id
    async with database.write() as session:
        await campaigns.save_links(session, campaign_id, plan.content.links)
        campaign = await campaigns.get_campaign(session, campaign_id)
        frozen, left_out = await audiences.count_frozen(session, campaign_id)
        campaign.frozen, campaign.targeted, campaign.expanded = frozen, frozen + left_out, True
        session.add(campaign)
        await session.flush()
        await campaigns.move(
            session, campaign_id, origin=CampaignState.LAUNCHING, to=CampaignState.SENDING, now=now
        )


async def _block(
    database: Database, campaign_id: int, problem: str, people: list[int], now: datetime
) -> None:
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        campaign.problem, campaign.problem_contacts = problem, people
        campaign.launched_at = None
        session.add(campaign)
        await session.flush()
        await campaigns.move(
            session, campaign_id, origin=CampaignState.LAUNCHING, to=CampaignState.BLOCKED, now=now
        )
