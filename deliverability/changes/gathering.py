"""What changed, gathered: the same sources as the report, once for now and once for the time before.

The campaign before is judged by what was known when this one was launched: its incidents, its DNS, its
declared figures of then, or today's trouble would stand on both sides and be no change.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessing import assess_campaign, assess_identities
from deliverability.assessment.limits import limits
from deliverability.assessment.whole import CampaignAssessment, IdentityAssessment
from deliverability.background import Background, background_of
from deliverability.changes.feeds import silent_feeds
from deliverability.changes.shares import DEEDS, RATES, ByProvider, share_changes
from deliverability.changes.values import Change, ChangeCode, Changes, Earlier, Turn, in_order
from deliverability.changes.verdicts import finding_changes, verdict_changes
from deliverability.comparing import ENDED
from deliverability.report import campaign_report
from deliverability.report_values import FEEDLESS, CampaignReport, Counts
from models.incident import Incident
from models.states import SuppressionReason
from store import comparisons, health, incidents, new_suppressions
from store.comparisons import Reactions
from store.feed_news import last_words
from store.identities import with_ids

LOOK_BACK = timedelta(days=30)
"""A feed that said nothing for so long before is none."""
AFTERMATH = timedelta(days=7)
"""So long after its end what happens still belongs to a campaign."""


async def campaign_changes(
    session: AsyncSession, report: CampaignReport, assessment: CampaignAssessment | None
) -> Changes | None:
    """Against the campaign like it before, from the same sender; None before the launch.

    `assessment`: as the report shows it. Of several senders the one with most messages counts.
    """
    if report.launched_at is None:
        return None
    senders = sorted(
        (row for row in report.by_identity if row.identity_id and row.counts.deliveries),
        key=lambda row: -row.counts.deliveries,
    )
    main = senders[0].identity_id if senders else None
    found: list[int] = []
    same = False
    if main is not None:
        found, same = await comparisons.comparable(session, report.campaign_id, main, most=1, fewest=1)
    if not found:
        return Changes(report.launched_at, report.made_at, comparable=False)
    before = await campaign_report(session, found[0], report.made_at)
    shared = {row.identity_id for row in senders} & {row.identity_id for row in before.by_identity}
    since = min(before.finished_at or before.launched_at or report.launched_at, report.launched_at)
    until = min(report.made_at, (report.finished_at or report.made_at) + AFTERMATH)
    early = _hours_needed(report)
    listed = [*share_changes(_lanes(before, shared), _lanes(report, shared), _keys(early=bool(early)))]
    if assessment is not None:
        then = await _background_then(session, shared, report.launched_at)
        old = await assess_campaign(
            session, before.campaign_id, report.made_at, report=before, background=then
        )
        listed += verdict_changes(old, assessment)
        listed += await _around(session, shared, since, until, sent_at=report.launched_at, now=report.made_at)
    counted = await new_suppressions.count_of_campaign(session, report.campaign_id, report.launched_at)
    return Changes(
        since,
        until,
        comparable=True,
        listed=in_order([*listed, *_suppressed(counted)]),
        earlier=Earlier(before.campaign_id, before.name, before.launched_at or since, same),
        early=early,
    )


async def identity_changes(session: AsyncSession, found: IdentityAssessment) -> Changes:
    """A sender over a period against the period of the same length before it."""
    span = found.until - found.since
    (identity,) = await with_ids(session, [found.identity_id])
    then = await _background_then(session, [identity.id], found.since)
    (before,) = await assess_identities(session, [identity], found.since - span, found.since, background=then)
    around = await _around(
        session,
        [identity.id],
        found.since,
        found.until,
        sent_at=await _last_sent(session, identity.id, found.until),
        now=found.until,
    )
    counted = await new_suppressions.count_of_identities(session, [identity.id], found.since, found.until)
    listed = [*around, *_suppressed(counted)]
    if before.campaigns and found.campaigns:
        listed += verdict_changes(before, found)
        listed += share_changes(_of(before), _of(found), _keys(early=True))
        deeds = [
            await _reactions(session, identity.id, start, end, found.until)
            for start, end in ((before.since, before.until), (found.since, found.until))
        ]
        listed += share_changes(deeds[0], deeds[1], DEEDS)
    return Changes(
        found.since,
        found.until,
        comparable=bool(before.campaigns),
        listed=in_order(listed),
        days=round(span / timedelta(days=1)),
    )


def _hours_needed(report: CampaignReport) -> int:
    """How many hours people are still given; 0 once they had them."""
    hours = limits().clicks.settled_hours
    ended_at = report.finished_at or report.launched_at
    settled = report.state in ENDED and ended_at is not None
    return 0 if settled and ended_at and report.made_at - ended_at >= timedelta(hours=hours) else hours


def _keys(*, early: bool) -> Collection[str]:
    return [key for key in RATES if not (early and key in DEEDS)]


def _lanes(report: CampaignReport, identity_ids: Collection[int | None]) -> ByProvider:
    lanes: dict[str, Counts] = {}
    for row in report.by_identity_and_provider:
        if row.identity_id in identity_ids and row.provider:
            lanes[row.provider] = lanes.get(row.provider, Counts()) + row.counts
    return lanes


def _of(found: IdentityAssessment) -> ByProvider:
    return {lane.provider: lane.facts.counts for lane in found.lanes}


async def _reactions(
    session: AsyncSession, identity_id: int, since: datetime, until: datetime, now: datetime
) -> ByProvider:
    """What people did with campaigns that they have had the time for."""
    settled = now - timedelta(hours=limits().clicks.settled_hours)
    sent = await comparisons.sent_by(session, identity_id, since, min(until, settled))
    lanes: dict[str, Counts] = {}
    for one in await comparisons.reactions(session, [number for number, _ in sent]):
        if one.identity_id == identity_id:
            lanes[one.provider] = lanes.get(one.provider, Counts()) + _reacted(one)
    return lanes


def _reacted(one: Reactions) -> Counts:
    told = one.complained or one.provider not in FEEDLESS
    return Counts(
        accepted=one.accepted,
        clicked=one.clicked,
        complained=one.complained,
        accepted_with_feed=one.accepted if told else 0,
        unsubscribed=one.unsubscribed,
    )


async def _last_sent(session: AsyncSession, identity_id: int, now: datetime) -> datetime | None:
    sent = await comparisons.sent_by(session, identity_id, now - LOOK_BACK, now)
    return sent[0][1] if sent else None


async def _background_then(
    session: AsyncSession, identity_ids: Iterable[int | None], then: datetime
) -> Background:
    """What was known of these senders at a moment."""
    numbers = sorted(number for number in identity_ids if number)
    known = [one for one in await incidents.open_at(session, then) if one.identity_id in {None, *numbers}]
    background = await background_of(session, numbers, known, then)
    looks = [await health.look_before(session, number, then) for number in numbers]
    return replace(background, health={look.identity_id: look.level for look in looks if look is not None})


async def _around(
    session: AsyncSession,
    identity_ids: Iterable[int | None],
    since: datetime,
    until: datetime,
    *,
    sent_at: datetime | None,
    now: datetime,
) -> list[Change]:
    """What happened to these senders beside their messages: incidents, their DNS, feeds that went silent."""
    numbers = sorted(number for number in identity_ids if number)
    listed: list[Change] = []
    for one in await incidents.lately(session, since):
        if one.identity_id in {None, *numbers}:
            listed += _incident(one, since, until)
    for number in numbers:
        looks = [await health.look_before(session, number, moment) for moment in (since, until)]
        listed += finding_changes(number, *looks)
    if now - until > AFTERMATH:
        return listed
    senders = await with_ids(session, numbers)
    domains = {(one.from_email or "").rpartition("@")[2].lower() for one in senders} - {""}
    patience = timedelta(days=1)
    words = await last_words(session, domains, now - LOOK_BACK, now - patience)
    return [*listed, *silent_feeds(words, sent_at, now)]


def _incident(one: Incident, since: datetime, until: datetime) -> Iterator[Change]:
    """That it began, or that it ended; one that did both is over."""
    if one.ended_at is not None and since < one.ended_at <= until:
        code, at = ChangeCode.INCIDENT_ENDED, one.ended_at
        turn = Turn.NEWS if one.began_at > since else Turn.BETTER
    elif since < one.began_at <= until:
        code, at, turn = ChangeCode.INCIDENT_BEGAN, one.began_at, Turn.WORSE
    else:
        return
    values = {"key": one.kind.value, "level": one.level.value, "deed": one.deed.value}
    yield Change(code, turn, values, one.provider, one.identity_id, at, str(one.id))


def _suppressed(counted: dict[SuppressionReason, int]) -> Sequence[Change]:
    return [
        Change(ChangeCode.SUPPRESSED, Turn.NEWS, {"key": reason.value, "number": number})
        for reason, number in counted.items()
        if number
    ]
