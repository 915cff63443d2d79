"""The report of a campaign: what became of every targeted person, by identity and by mailbox provider.

Outcomes are counted from the events; what is still under way, from the states. `CampaignReport.problems`
holds one against the other.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.assessment.intervals import wilson_interval
from deliverability.report_files import report_csv, report_json
from deliverability.report_values import (
    FEEDLESS,
    CampaignReport,
    Counts,
    Moment,
    Refusal,
    ReportRow,
    Share,
)
from models.providers import provider_name
from models.states import Channel, DeliveryState, EventKind, Fault
from store import messages, reports, tallies
from store.campaigns import get_campaign
from store.reports import CampaignCounts, LaneCounts, RefusalText, SeedPlacement
from store.seeds import Outcome
from store.tally_keys import Timeline

__all__ = [
    "CampaignReport",
    "Counts",
    "ReportRow",
    "Share",
    "campaign_report",
    "report_csv",
    "report_json",
    "wilson_interval",
]
UNDER_WAY = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.DEFERRED)
REFUSALS_A_PROVIDER = 5
LONGEST_EXAMPLE = 300
OURS = {Channel.EMAIL: "our mail server", Channel.SMS: "our SMS account"}
"""Who said it when nobody did: the provider was never asked."""
_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_NUMBER = re.compile(r"\+?\d(?:[ .-]?\d){8,14}")
"""A telephone number, as operators repeat it; in answers of mail servers such figures are their own."""
Lane = tuple[int, str]


async def campaign_report(session: AsyncSession, campaign_id: int, now: datetime) -> CampaignReport:
    """The report as the ledger stands; NotFoundError when there is no such campaign."""
    campaign = await get_campaign(session, campaign_id)
    ledger = await tallies.ledger(session, campaign_id)
    counts = ledger.counts
    # Nobody was targeted by a stream, and nothing frozen: programs name its people one by one.
    carried = await messages.carried(session, campaign_id) if campaign.stream_key else None
    placements = await reports.seed_placements(session, campaign_id)
    lanes = _lanes(counts, placements)
    names = await reports.identity_names(session, {identity_id for identity_id, _ in lanes})
    rows = tuple(
        ReportRow(
            identity_id,
            names.get(identity_id, ""),
            provider,
            provider_name(provider),
            lanes[identity_id, provider],
        )
        for identity_id, provider in sorted(lanes, key=lambda lane: (names.get(lane[0], ""), *lane))
    )
    return CampaignReport(
        campaign_id=campaign_id,
        name=campaign.name,
        channel=campaign.channel,
        state=campaign.state,
        problem=campaign.problem,
        starts_at=campaign.starts_at,
        launched_at=campaign.launched_at,
        finished_at=campaign.finished_at,
        made_at=now,
        expanded=campaign.expanded,
        frozen=counts.frozen if carried is None else carried,
        total=ReportRow(
            None,
            "",
            None,
            "",
            _sum(rows),
            targeted=counts.targeted if carried is None else carried,
            left_out=dict(sorted(counts.left_out.items())),
        ),
        by_identity=_grouped(rows, lambda row: (row.identity_id, row.identity_name, None, "")),
        by_provider=_grouped(rows, lambda row: (None, "", row.provider, row.provider_name)),
        by_identity_and_provider=rows,
        refusals=_refusals(ledger.said, campaign.channel),
        bucket_seconds=ledger.timeline.step if ledger.timeline else 1,
        over_time=_over_time(ledger.timeline),
    )


def _lanes(counts: CampaignCounts, placements: Iterable[SeedPlacement]) -> dict[Lane, Counts]:
    lanes = {(lane.identity_id, lane.provider): counts_of(lane) for lane in counts.lanes}
    for placement in placements:
        key = (placement.identity_id, placement.provider)
        lanes[key] = lanes.get(key, Counts()) + counts_of_seed(placement.outcome)
    return lanes


def counts_of(lane: LaneCounts) -> Counts:
    news, states = lane.news, lane.states
    bounced, bounced_hard = news.get(EventKind.BOUNCED, 0), lane.hard.get(EventKind.BOUNCED, 0)
    complained = news.get(EventKind.COMPLAINED, 0)
    accepted = news.get(EventKind.ACCEPTED, 0)
    told = complained or lane.provider not in FEEDLESS
    return Counts(
        accepted=accepted,
        refused=news.get(EventKind.REFUSED, 0),
        # The event stays when evidence settles a delivery later: only the state knows what is open.
        uncertain=states.get(DeliveryState.UNCERTAIN, 0),
        expired=news.get(EventKind.EXPIRED, 0),
        cancelled=news.get(EventKind.CANCELLED, 0),
        suppressed_since=news.get(EventKind.SUPPRESSED, 0),
        capped=news.get(EventKind.CAPPED, 0),
        held=states.get(DeliveryState.HELD, 0),
        waiting=sum(states.get(state, 0) for state in UNDER_WAY),
        deliveries=sum(states.values()),
        deferred_waiting=states.get(DeliveryState.DEFERRED, 0),
        attempted=lane.attempted,
        deferred=news.get(EventKind.DEFERRED, 0),
        refused_hard=lane.hard.get(EventKind.REFUSED, 0),
        bounced_hard=bounced_hard,
        bounced_soft=bounced - bounced_hard,
        delivered=news.get(EventKind.DELIVERED, 0),
        complained=complained,
        accepted_with_feed=max(complained, accepted) if told else 0,
        unsubscribed=news.get(EventKind.UNSUBSCRIBED, 0),
        clicked=news.get(EventKind.CLICKED, 0),
    )


def counts_of_seed(outcome: Outcome, number: int = 1) -> Counts:
    """A number of seeds in one column: where they were seen last; providers and users move mails."""
    match outcome:
        case Outcome.INBOX:
            return Counts(seeds_inbox=number)
        case Outcome.TAB:
            return Counts(seeds_tab=number)
        case Outcome.SPAM:
            return Counts(seeds_spam=number)
        case Outcome.MISSING:
            return Counts(seeds_missing=number)
        case Outcome.REJECTED:
            return Counts(seeds_refused=number)
        case Outcome.AWAITED:
            return Counts(seeds_awaited=number)
        case _:
            assert_never(outcome)


def _sum(rows: Iterable[ReportRow]) -> Counts:
    return sum((row.counts for row in rows), Counts())


def _grouped(
    rows: Iterable[ReportRow], about: Callable[[ReportRow], tuple[int | None, str, str | None, str]]
) -> tuple[ReportRow, ...]:
    groups: dict[tuple[int | None, str, str | None, str], Counts] = {}
    for row in rows:
        groups[about(row)] = groups.get(about(row), Counts()) + row.counts
    largest_first = sorted(groups.items(), key=lambda group: (-group[1].deliveries, group[0][1], group[0][3]))
    return tuple(ReportRow(*key, counts) for key, counts in largest_first)


def _refusals(texts: Iterable[RefusalText], channel: Channel) -> tuple[Refusal, ...]:
    """The most frequent answers of each provider, addresses hidden: a report is passed on."""
    kept: list[Refusal] = []
    shown: dict[str, int] = {}
    for refusal in _ours_together(_refusal(said, channel) for said in texts):
        shown[refusal.provider] = shown.get(refusal.provider, 0) + 1
        if shown[refusal.provider] <= REFUSALS_A_PROVIDER:
            kept.append(refusal)
    return tuple(kept)


def _refusal(said: RefusalText, channel: Channel) -> Refusal:
    ours = said.fault is Fault.RELAY
    return Refusal(
        provider="" if ours else said.provider,
        provider_name=OURS[channel] if ours else provider_name(said.provider),
        kind=said.kind,
        bounce_class=said.bounce_class,
        code=said.code,
        enhanced=said.enhanced,
        example=shorten(_masked(said.example, channel)),
        deliveries=said.deliveries,
        ours=ours,
    )


def _masked(text: str, channel: Channel) -> str:
    """Without the addresses and numbers of people."""
    text = _ADDRESS.sub("…@…", text)
    return _NUMBER.sub("+…", text) if channel is Channel.SMS else text


def _ours_together(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Where the messages were bound for does not matter when our own way out is shut: one line of it."""
    together: list[Refusal] = []
    for refusal in refusals:
        same = next((each for each in together if each.ours and refusal.ours), None)
        if same is None:
            together.append(refusal)
        else:
            place = together.index(same)
            together[place] = replace(same, deliveries=same.deliveries + refusal.deliveries)
    return together


def shorten(text: str, most: int = LONGEST_EXAMPLE) -> str:
    """At most `most` characters; an ellipsis says that there was more."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _over_time(line: Timeline | None) -> tuple[Moment, ...]:
    """The steps of the chart, oldest first; empty ones are left out."""
    found: dict[int, dict[EventKind, int]] = {}
    for (start, kind), count in line.moments.items() if line else ():
        found.setdefault(start, {})[kind] = count
    return tuple(
        Moment(
            datetime.fromtimestamp(start, UTC),
            kinds.get(EventKind.ACCEPTED, 0),
            kinds.get(EventKind.DEFERRED, 0),
            kinds.get(EventKind.REFUSED, 0),
        )
        for start, kinds in sorted(found.items())
    )
