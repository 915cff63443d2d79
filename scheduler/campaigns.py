"""What people do with a campaign: make it, schedule it, pause, resume, cancel it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign, CampaignIdentity, CampaignSegment
from models.canary import CanaryPlan, CanaryStage
from models.errors import BadInputError, ConflictError
from models.event import event_about
from models.states import (
    CampaignState,
    Channel,
    DeliveryState,
    EventKind,
    IdentityRule,
    LatePolicy,
    LegalBasis,
    Nature,
    Purpose,
    campaign_may_become,
)
from scheduler.calendar import AS_INSTALLED, SendingWindows, windows_from_rows, windows_to_rows
from scheduler.lifecycle import tell_state
from scheduler.senders import can_send, has_address
from store import campaigns, canaries, deliveries, events, identities, segments, templates

C = CampaignState
EDITABLE = frozenset({C.DRAFT, C.BLOCKED})
MOST_LATE_MINUTES = 30 * 24 * 60
MOST_FIRST = 100_000
LONGEST = {"sponsor": 300, "vote": 200, "spent": 300}
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """Everything a campaign needs, by the numbers of its parts. The channel is the template's.

    `not_after`: from then on nothing of it leaves. `urgent`: before other campaigns in every lane.
    `late_policy`: what happens when it cannot start within `late_minutes` of its moment. `windows`: when
    messages may arrive, on the recipients' clocks; without openings, the installation's. `canary`: whether
    a first slice goes ahead of the rest. `nature`, `sponsor`, `vote`, `spent`: as `Campaign` has them.
    """

    name: str
    template_version_id: int
    include: Sequence[int]
    identity_ids: Sequence[int]
    exclude: Sequence[int] = ()
    identity_rule: IdentityRule = IdentityRule.ONE
    basis: LegalBasis = LegalBasis.CONSENT
    with_seeds: bool = True
    zone: str = "Europe/Paris"
    purpose: Purpose = Purpose.CAMPAIGN
    urgent: bool = False
    not_after: datetime | None = None
    late_policy: LatePolicy = LatePolicy.SEND
    late_minutes: int = 60
    windows: SendingWindows = AS_INSTALLED
    canary: CanaryPlan | None = None
    nature: Nature = Nature.UNSAID
    sponsor: str = ""
    vote: str = ""
    spent: str = ""


async def create_campaign(
    session: AsyncSession, wanted: NewCampaign, now: datetime, *, may_exempt: bool = False
) -> Campaign:
    """A new draft; BadInputError or NotFoundError when a part is missing or does not fit.

    `may_exempt`: whoever makes it may write past the limits on how often a person is written to.
    """
    channel = await _channel_of(session, wanted, now, may_exempt=may_exempt)
    campaign = Campaign(created_at=now, updated_at=now, **_columns(wanted, channel))
    session.add(campaign)
    await session.flush()
    _tie(session, campaign.id, wanted)
    await canaries.put(session, campaign.id, wanted.canary)
    return campaign


async def update_campaign(
    session: AsyncSession, campaign_id: int, wanted: NewCampaign, now: datetime, *, may_exempt: bool = False
) -> Campaign:
    """Change a draft, or a blocked campaign, into `wanted`; errors as `create_campaign`.

    ConflictError for any other: what is under way is never changed.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    # A move to where it stands keeps others from scheduling it meanwhile.
    if campaign.state not in EDITABLE or not await campaigns.move(
        session, campaign_id, origin=campaign.state, to=campaign.state, now=now
    ):
        raise ConflictError(
            f"The campaign {campaign.name!r} is {campaign.state}: it cannot be changed any more.",
            "Take its schedule away first."
            if campaign.state is C.SCHEDULED
            else "Make a new one from the same parts.",
        )
    # Who may not exempt may still change another part of a campaign that somebody else exempted.
    may_exempt = may_exempt or campaign.purpose is Purpose.TRANSACTIONAL
    channel = await _channel_of(session, wanted, now, may_exempt=may_exempt)
    campaign.sqlmodel_update(_columns(wanted, channel))
    session.add(campaign)
    await campaigns.untie(session, campaign_id)
    _tie(session, campaign_id, wanted)
    await canaries.put(session, campaign_id, wanted.canary)
    await session.refresh(campaign)
    return campaign


async def parts_of(session: AsyncSession, campaign: Campaign) -> NewCampaign:
    """A campaign as it was asked for: what to change some of, or to make another one from."""
    roles: dict[AudienceRole, list[int]] = {role: [] for role in AudienceRole}
    for segment, role in await campaigns.segments_of(session, campaign.id):
        roles[role].append(segment.id)
    senders = await campaigns.identities_of(session, campaign.id)
    gate = await canaries.find(session, campaign.id)
    return NewCampaign(
        name=campaign.name,
        template_version_id=campaign.template_version_id,
        include=roles[AudienceRole.INCLUDE],
        exclude=roles[AudienceRole.EXCLUDE],
        identity_ids=[identity.id for identity in senders],
        identity_rule=campaign.identity_rule,
        basis=campaign.basis,
        with_seeds=campaign.with_seeds,
        zone=campaign.zone,
        purpose=campaign.purpose,
        urgent=campaign.urgent,
        not_after=campaign.not_after,
        late_policy=campaign.late_policy,
        late_minutes=campaign.late_minutes,
        windows=windows_from_rows(campaign.windows),
        canary=gate.plan if gate else None,
        nature=campaign.nature,
        sponsor=campaign.sponsor,
        vote=campaign.vote,
        spent=campaign.spent,
    )


def _columns(wanted: NewCampaign, channel: Channel) -> dict[str, Any]:
    return {
        "name": wanted.name.strip(),
        "channel": channel,
        "template_version_id": wanted.template_version_id,
        "identity_rule": wanted.identity_rule,
        "basis": wanted.basis,
        "with_seeds": wanted.with_seeds,
        "zone": wanted.zone,
        "purpose": wanted.purpose,
        "urgent": wanted.urgent,
        "not_after": wanted.not_after,
        "late_policy": wanted.late_policy,
        "late_minutes": wanted.late_minutes,
        "windows": windows_to_rows(wanted.windows),
        "nature": wanted.nature,
        "sponsor": wanted.sponsor.strip(),
        "vote": wanted.vote.strip(),
        "spent": wanted.spent.strip(),
    }


async def _channel_of(
    session: AsyncSession, wanted: NewCampaign, now: datetime, *, may_exempt: bool
) -> Channel:
    """The channel of a campaign whose parts are all there and fit; BadInputError or NotFoundError."""
    _require_whole(wanted, now, may_exempt=may_exempt)
    version = await templates.get_version(session, wanted.template_version_id)
    channel = (await templates.template_of(session, version)).channel
    for segment_id in (*wanted.include, *wanted.exclude):
        await segments.get_segment(session, segment_id)
    for identity_id in wanted.identity_ids:
        identity = await identities.get_identity(session, identity_id)
        if not has_address(identity, channel):
            raise BadInputError(
                f"The identity {identity.key!r} cannot send {channel}: it is retired or lacks an address.",
                "Complete it, or choose another.",
            )
    return channel


def _require_whole(wanted: NewCampaign, now: datetime, *, may_exempt: bool) -> None:
    if not wanted.name.strip():
        raise BadInputError("A campaign needs a name.", "Give it one that the report can be found by.")
    if any(len(getattr(wanted, part).strip()) > most for part, most in LONGEST.items()):
        raise BadInputError(
            "Who pays, the vote or what was spent is told at too great a length.", "Shorten it."
        )
    if not wanted.include:
        raise BadInputError("A campaign needs a segment to write to.", "Choose at least one.")
    if not wanted.identity_ids:
        raise BadInputError("A campaign needs a sender identity.", "Choose at least one.")
    if wanted.purpose is Purpose.TRANSACTIONAL and not may_exempt:
        raise BadInputError(
            "Only an administrator may send past the limits on how often a person is written to.",
            "Make it an ordinary campaign.",
        )
    if wanted.not_after is not None and wanted.not_after <= now:
        raise BadInputError("The deadline has passed already.", "Choose a later one, or none.")
    if not 0 <= wanted.late_minutes <= MOST_LATE_MINUTES:
        raise BadInputError(
            f"{wanted.late_minutes} is no number of minutes a start may be late.",
            f"Choose 0 to {MOST_LATE_MINUTES}.",
        )
    if wanted.canary is not None and not (
        1 <= wanted.canary.people <= MOST_FIRST and SHORTEST_WAIT <= wanted.canary.wait <= LONGEST_WAIT
    ):
        raise BadInputError(
            "The first messages cannot go to so many people, or the rest cannot wait so long or so short.",
            f"Choose 1 to {MOST_FIRST:,} people, and 5 minutes to 24 hours.",
        )


def _tie(session: AsyncSession, campaign_id: int, wanted: NewCampaign) -> None:
    included = dict.fromkeys(wanted.include, AudienceRole.INCLUDE)
    # Excluding what is also included wins: nobody who should be spared is written to.
    for segment_id, role in {**included, **dict.fromkeys(wanted.exclude, AudienceRole.EXCLUDE)}.items():
        session.add(CampaignSegment(campaign_id=campaign_id, segment_id=segment_id, role=role))
    for position, identity_id in enumerate(dict.fromkeys(wanted.identity_ids)):
        session.add(CampaignIdentity(campaign_id=campaign_id, identity_id=identity_id, position=position))


def instant(local_time: datetime, zone: str) -> datetime:
    """The UTC instant of a wall-clock time in a named zone.

    A time that the clocks skip in spring is read as the same span after midnight, an hour later on the
    wall; one that comes twice in autumn is the first of the two (PEP 495, fold 0). BadInputError for an
    unknown zone or a time that already carries an offset.
    """
    if local_time.tzinfo is not None:
        raise BadInputError("The local time carries an offset.", "Give a wall-clock time and a zone name.")
    try:
        named = ZoneInfo(zone)
    # OSError: the name of a folder of zones ("Europe"), or one no file could have.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"There is no time zone {zone!r}.", "Write a name such as Europe/Paris or America/Cayenne."
        ) from error
    try:
        return local_time.replace(tzinfo=named).astimezone(UTC)
    except OverflowError as error:
        raise BadInputError("This moment is beyond the calendar.", "Choose one nearer to now.") from error


async def schedule(
    session: AsyncSession, campaign_id: int, local_time: datetime, zone: str, now: datetime
) -> Campaign:
    """Set when a draft (or a blocked campaign) starts; a moment gone by means at once."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    if campaign.test:
        raise ConflictError("A campaign of a test key is looked at, and never sent.", "Use a live key.")
    starts_at = instant(local_time, zone)
    if campaign.not_after is not None and campaign.not_after <= max(starts_at, now):
        raise BadInputError(
            "The campaign would be over before it begins: its deadline comes first.",
            "Choose an earlier start or a later deadline.",
        )
    await _require_senders(session, campaign)
    await _move(session, campaign, C.SCHEDULED, now)
    campaign.local_time = local_time.isoformat(timespec="seconds")
    campaign.zone = zone
    campaign.starts_at = starts_at
    campaign.problem, campaign.problem_contacts = "", []
    session.add(campaign)
    await session.flush()
    return campaign


async def _require_senders(session: AsyncSession, campaign: Campaign) -> None:
    """ConflictError that names the identity that may not send now, when one of them may not."""
    for identity in await campaigns.identities_of(session, campaign.id):
        if not can_send(identity, campaign.channel):
            raise ConflictError(
                tell_state(identity),
                "Put that right, or choose another identity; then schedule the campaign.",
            )


async def unschedule(session: AsyncSession, campaign_id: int, now: datetime) -> Campaign:
    """Take the schedule away, to edit; only before the launch."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    await _move(session, campaign, C.DRAFT, now)
    campaign.starts_at = campaign.local_time = None
    session.add(campaign)
    await session.flush()
    return campaign


async def pause(session: AsyncSession, campaign_id: int, now: datetime) -> Campaign:
    """Let nothing more leave; what is on the wire at this moment is recorded as usual."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    await _move(session, campaign, C.PAUSED, now)
    return campaign


async def resume(session: AsyncSession, campaign_id: int, now: datetime, *, by: str = "") -> Campaign:
    """Go on where the pause came: before the launch, in its midst, or while sending.

    One whose moment passed before the launch starts at once, and one whose canary holds the rest back lets
    it go: somebody, `by`, has just said so.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    if campaign.state is not C.PAUSED:
        # Only scheduling asks the checks that stand before a launch.
        advice = {C.BLOCKED: "Mend what blocked it, then schedule it again.", C.DRAFT: "Schedule it."}
        raise ConflictError(
            f"The campaign {campaign.name!r} is {campaign.state}, not paused: nothing to go on with.",
            advice.get(campaign.state, "Look at its page for what it allows now."),
        )
    following = C.SENDING if campaign.expanded else C.LAUNCHING
    if campaign.launched_at is None:
        following = C.SCHEDULED
    if following is not C.SENDING:
        campaign.problem = ""
    await canaries.move(
        *(session, campaign_id),
        origin=CanaryStage.HELD,
        to=CanaryStage.RELEASED,
        decided_at=now,
        decided_by=by[:254],
    )
    await _move(session, campaign, following, now)
    return campaign


async def cancel(session: AsyncSession, campaign_id: int, now: datetime) -> Campaign:
    """Stop for good: what has not left never will. Each such delivery is marked so, in time by the sweep."""
    campaign = await campaigns.get_campaign(session, campaign_id)
    await _move(session, campaign, C.CANCELLED, now)
    campaign.finished_at = now
    session.add(campaign)
    await session.flush()
    await _close_some(session, campaign_id, now)
    return campaign


async def release(session: AsyncSession, campaign_id: int, now: datetime) -> int:
    """Try what was held back again, once its reason is mended; how many.

    ConflictError for a campaign that is neither sending nor paused.
    """
    campaign = await campaigns.get_campaign(session, campaign_id)
    if campaign.state not in {C.SENDING, C.PAUSED}:
        raise ConflictError(
            f"The campaign {campaign.name!r} is {campaign.state}: nothing of it can be released.",
            "Look at its page for what it allows now.",
        )
    return await deliveries.release_held(session, campaign_id, now)


async def close_cancelled(session: AsyncSession, now: datetime) -> bool:
    """End some of what cancelled campaigns left: the rest of many, or what a worker has handed back since.

    True when there may be more, for another transaction: a million rows in one would keep everybody waiting.
    """
    leftovers = await campaigns.cancelled_with_leftovers(session)
    return any([await _close_some(session, campaign_id, now) for campaign_id in leftovers])


async def _close_some(session: AsyncSession, campaign_id: int, now: datetime) -> bool:
    closed = await deliveries.close_waiting(
        session,
        to=DeliveryState.CANCELLED,
        now=now,
        reason="campaign cancelled",
        campaign_id=campaign_id,
    )
    told = [
        event_about(
            row, EventKind.CANCELLED, source="campaign", source_id=f"{row.id}/cancelled", at=now, now=now
        )
        for row in closed
    ]
    await events.append_many(session, told)
    return len(closed) == deliveries.BITE


async def _move(session: AsyncSession, campaign: Campaign, following: CampaignState, now: datetime) -> None:
    origin = campaign.state
    if origin is following:
        raise ConflictError(f"The campaign {campaign.name!r} is {origin} already.")
    allowed = campaign_may_become(origin, following)
    # Compare and swap: another person, or the launch itself, may have been faster.
    moved = allowed and await campaigns.move(session, campaign.id, origin=origin, to=following, now=now)
    await session.refresh(campaign)
    if not moved:
        raise ConflictError(
            f"The campaign {campaign.name!r} is {campaign.state} and cannot become {following}."
            if campaign.state is not following
            else f"The campaign {campaign.name!r} is {following} already.",
            "Look at its page for what it allows now.",
        )
