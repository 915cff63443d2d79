"""Everything known of a campaign, or of an identity, gathered and judged: one source for pages and files.

What was counted comes from the counters, so that it costs the same after ten million events; what follows
from it is `deliverability.assessment`, which knows no store.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.answers import Answers, answers_of_report, answers_of_tallies
from deliverability.assessment.advice import advise
from deliverability.assessment.facts import ClickChange, Clicks, ProviderFacts, SeedCounts
from deliverability.assessment.gaps import gaps_of
from deliverability.assessment.placement import ListEstimate, PlacementPart, list_estimate
from deliverability.assessment.study import Mailing, StudyTable, study_table
from deliverability.assessment.verdicts import assess_provider
from deliverability.assessment.whole import (
    CampaignAssessment,
    IdentityAssessment,
    LaneAssessment,
    SenderEstimate,
    in_order,
    status_of,
)
from deliverability.background import Background, background_of, seeds_of
from deliverability.comparing import Compared, Past, compare_clicks
from deliverability.report import campaign_report, counts_of, counts_of_seed
from deliverability.report_values import CampaignReport, Counts
from models.campaign import Campaign
from models.identity import Identity
from models.providers import OTHER, OWN_EXCHANGERS, provider_name
from models.states import Channel
from store import comparisons, incidents, rates, seeds
from store.campaigns import get_campaign
from store.identities import get_identity
from store.reports import LaneCounts

NEWEST = 5
"""Campaigns of an identity in which clicks that can be compared are looked for."""
MOST_INCIDENTS = 1000
A_LITTLE = timedelta(days=1)
Lane = tuple[int, str]
"""Identity and provider."""


async def assess_campaign(
    session: AsyncSession,
    campaign_id: int,
    now: datetime,
    *,
    report: CampaignReport | None = None,
    background: Background | None = None,
) -> CampaignAssessment:
    """The verdicts on a campaign as things stand; NotFoundError when there is no such campaign.

    `report`: the campaign's, where it was made already; `background`: another than today's.
    """
    campaign = await get_campaign(session, campaign_id)
    report = report or await campaign_report(session, campaign_id, now)
    counts = {
        (row.identity_id, row.provider): row.counts
        for row in report.by_identity_and_provider
        if row.identity_id is not None and row.provider
    }
    names = {row.identity_id: row.identity_name for row in report.by_identity if row.identity_id is not None}
    background = background or await background_of(
        session, names, await incidents.concerning(session, campaign_id), now
    )
    past = Past(session)
    compared = {
        number: await compare_clicks(past, campaign, number, _clicks(counts, number), now)
        for number in sorted(names)
    }
    changes = {
        (number, provider): change
        for number, one in compared.items()
        for provider, change in one.by_provider.items()
    }
    facts = _facts(counts, changes, answers_of_report(report), background, _day(campaign))
    lanes = _lanes(facts, names)
    everywhere = {number: one.everywhere for number, one in compared.items()}
    return CampaignAssessment(
        campaign_id=campaign_id,
        made_at=now,
        status=status_of(lanes),
        lanes=lanes,
        estimate=_estimate(lanes),
        senders=tuple(_sender(number, names[number], lanes, one) for number, one in compared.items()),
        advice=advise(lanes, everywhere),
        gaps=gaps_of(lanes, everywhere.values()),
    )


async def assess_report(session: AsyncSession, report: CampaignReport) -> CampaignAssessment | None:
    """The verdicts on a campaign whose report was made; None where there is nothing to judge.

    That is before its launch, and of text messages: they have no folder to land in.
    """
    if report.channel is not Channel.EMAIL or report.launched_at is None:
        return None
    return await assess_campaign(session, report.campaign_id, report.made_at, report=report)


async def assess_identity(
    session: AsyncSession, identity_id: int, since: datetime, now: datetime
) -> IdentityAssessment:
    """The verdicts on an identity by everything it sent since then; NotFoundError when there is none."""
    identity = await get_identity(session, identity_id)
    return (await assess_identities(session, [identity], since, now))[0]


async def assess_identities(
    session: AsyncSession,
    senders: Sequence[Identity],
    since: datetime,
    now: datetime,
    *,
    background: Background | None = None,
) -> list[IdentityAssessment]:
    """The same for each of them, with one look at what they share; `background`: another than today's."""
    ids = [one.id for one in senders]
    sent = await comparisons.sent_by_each(session, ids, since, now)
    ledger = await _ledger(session, sent, since)
    if background is None:
        known = await incidents.list_incidents(session, open_only=True, limit=MOST_INCIDENTS)
        background = await background_of(session, ids, [one for one in known if one.identity_id], now)
    past = Past(session)
    found = []
    for identity in senders:
        mine = sent.get(identity.id, [])
        compared = await _newest_comparison(past, identity.id, [number for number, _ in mine], now)
        day = mine[0][1].date() if mine else None
        changes = compared.by_lane(identity.id) if compared else {}
        counts = {place: one for place, one in ledger.counts.items() if place[0] == identity.id}
        lanes = _lanes(_facts(counts, changes, ledger.answers, background, day), {identity.id: identity.name})
        everywhere = {identity.id: compared.everywhere} if compared else {}
        found.append(
            IdentityAssessment(
                identity_id=identity.id,
                identity_name=identity.name,
                since=since,
                until=now,
                status=status_of(lanes),
                campaigns=len(mine),
                lanes=lanes,
                estimate=_estimate(lanes),
                advice=advise(lanes, everywhere),
                gaps=gaps_of(lanes, everywhere.values()),
            )
        )
    return found


async def study(session: AsyncSession, since: datetime, until: datetime, zone: ZoneInfo) -> StudyTable:
    """The table of the 2022 study over a period: mailings a week by sender, and how many met spam."""
    sent = await comparisons.mailings(session, since, until)
    return study_table(
        (
            Mailing(one.campaign_id, one.identity_id, one.launched_at, one.messages, one.tested, one.in_spam)
            for one in sent
        ),
        since,
        until,
        zone,
    )


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What came of everything some identities sent, by identity and provider, and what they were told."""

    counts: Mapping[Lane, Counts]
    answers: Answers


async def _ledger(
    session: AsyncSession, sent: Mapping[int, Sequence[tuple[int, datetime]]], since: datetime
) -> _Ledger:
    """`sent`: their campaigns by identity; seeds are in their columns."""
    mine = {(number, identity_id) for identity_id, one in sent.items() for number, _ in one}
    campaigns = sorted({number for number, _ in mine})
    tallies = await rates.tallies(session, campaigns)
    states = await comparisons.states(session, campaigns)
    counts: dict[Lane, Counts] = {}
    for lane in tallies.lanes:
        if (lane.campaign_id, lane.identity_id) not in mine or not lane.provider:
            continue
        place = (lane.identity_id, lane.provider)
        stood = states.get((lane.campaign_id, *place), {})
        one = counts_of(LaneCounts(*place, stood, lane.news, lane.hard, lane.tried))
        counts[place] = counts.get(place, Counts()) + one
    sender = next(iter(sent)) if len(sent) == 1 else None
    # What was due a little before its campaign was launched belongs to it all the same.
    found = await seeds.outcomes(session, identity_id=sender, since=since - A_LITTLE) if sent else []
    read = Counter(
        (seed.identity_id, bucket_of(seed.provider), seed.outcome)
        for seed in found
        if (seed.campaign_id, seed.identity_id) in mine
    )
    for (identity_id, provider, outcome), number in read.items():
        place = (identity_id, provider)
        counts[place] = counts.get(place, Counts()) + counts_of_seed(outcome, number)
    return _Ledger(counts, answers_of_tallies(tallies))


async def _newest_comparison(
    past: Past, identity_id: int, campaigns: Sequence[int], now: datetime
) -> Compared | None:
    """Of the newest campaign whose clicks can be compared, else of the newest; None before the first."""
    first: Compared | None = None
    newest = campaigns[:NEWEST]
    for number, clicks in zip(newest, await past.clicks(newest, identity_id), strict=True):
        compared = await compare_clicks(past, await past.campaign(number), identity_id, clicks, now)
        if compared.assessable:
            return compared
        first = first or compared
    return first


def _facts(
    counts: Mapping[Lane, Counts],
    changes: Mapping[Lane, ClickChange],
    answers: Answers,
    background: Background,
    day: date | None,
) -> dict[Lane, ProviderFacts]:
    return {
        (identity_id, provider): ProviderFacts(
            provider=provider,
            counts=lane,
            seeds=seeds_of(lane),
            clicks=changes.get((identity_id, provider)),
            declared=background.declared_at(identity_id, provider),
            incidents=background.incidents_at(identity_id, provider),
            said=answers.at(identity_id, provider),
            authentication=background.authentication.get(identity_id),
            health=background.health_of(identity_id),
            day=day,
        )
        for (identity_id, provider), lane in counts.items()
    }


def _lanes(facts: Mapping[Lane, ProviderFacts], names: Mapping[int, str]) -> tuple[LaneAssessment, ...]:
    whole = sum(lane.counts.deliveries for lane in facts.values())
    return in_order(
        LaneAssessment(
            identity_id=identity_id,
            identity_name=names.get(identity_id, ""),
            provider=provider,
            provider_name=provider_name(provider),
            list_share=lane.counts.deliveries / whole if whole else 0.0,
            facts=lane,
            assessment=assess_provider(lane),
        )
        for (identity_id, provider), lane in facts.items()
    )


def _estimate(lanes: Iterable[LaneAssessment]) -> ListEstimate:
    """Of the whole list: identities that share a provider's seeds share its error."""
    return list_estimate([_part(lane.list_share, lane.provider, lane.facts.seeds) for lane in lanes])


def _part(share: float, provider: str, found: SeedCounts) -> PlacementPart:
    return PlacementPart(share, found.arrived, found.tested, provider)


def _sender(number: int, name: str, lanes: Iterable[LaneAssessment], compared: Compared) -> SenderEstimate:
    return SenderEstimate(
        identity_id=number,
        identity_name=name,
        estimate=_estimate(lane for lane in lanes if lane.identity_id == number),
        clicks=compared.everywhere,
        base=compared.base,
        same_segments=compared.same_segments,
    )


def _clicks(counts: Mapping[Lane, Counts], number: int) -> dict[str, Clicks]:
    return {
        provider: Clicks(lane.clicked, lane.arrived)
        for (identity_id, provider), lane in counts.items()
        if identity_id == number
    }


def bucket_of(provider: str) -> str:
    """As the counters name it: small domains with exchangers of their own are one provider."""
    return OTHER if provider.startswith(OWN_EXCHANGERS) else provider


def _day(campaign: Campaign) -> date | None:
    return campaign.launched_at.date() if campaign.launched_at else None
