"""Whether the counters say what counting row by row says."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from models.providers import FEEDLESS
from models.states import EventKind
from store import reports, tallies
from store.tally_ledger import Ledger
from store.territory_counts import uncounted, whole_of
from store.territory_fold import COUNTED


async def differences(session: AsyncSession, campaign_id: int) -> list[str]:
    """Every counter of a campaign that is wrong, in words; empty when all are right.

    Slow: reads every delivery and event of the campaign. Nobody may change them meanwhile, or what is
    under way is taken for a difference.
    """
    ledger = await tallies.ledger(session, campaign_id)
    counted = await reports.campaign_counts(session, campaign_id)
    said = await reports.refusal_texts(session, campaign_id)
    told = _flat(ledger) | {("said", each.provider, *_said(each)): each.deliveries for each in ledger.said}
    true = _lanes(counted) | {("said", each.provider, *_said(each)): each.deliveries for each in said}
    true |= {("example", each.provider, *_said(each)): each.example for each in said}
    told |= {("example", each.provider, *_said(each)): each.example for each in ledger.said}
    if ledger.timeline is not None:
        steps = await reports.outcomes_over_time(session, campaign_id, ledger.timeline.step)
        true |= {("moment", int(each.start.timestamp()), each.kind): each.answers for each in steps}
        span = await reports.outcome_span(session, campaign_id)
        true |= {("span", "first"): span and span[0], ("span", "last"): span and span[1]}
    if not await uncounted(session):
        told |= {
            ("places", name): count for name, count in asdict(await whole_of(session, campaign_id)).items()
        }
        true |= _places(counted)
    return [
        f"{' '.join(str(word) for word in place)}: {told.get(place, 0)}, and should be {true.get(place, 0)}"
        for place in sorted(told.keys() | true.keys(), key=str)
        if told.get(place, 0) != true.get(place, 0)
    ]


def _places(counts: reports.CampaignCounts) -> dict[tuple[Any, ...], int]:
    """What the places of a campaign come to, wherever people live."""
    true = {("places", kind.value): sum(lane.news.get(kind, 0) for lane in counts.lanes) for kind in COUNTED}
    telling = (lane for lane in counts.lanes if lane.provider not in FEEDLESS)
    return true | {("places", "heard"): sum(lane.news.get(EventKind.ACCEPTED, 0) for lane in telling)}


def _flat(ledger: Ledger) -> dict[tuple[Any, ...], Any]:
    told = _lanes(ledger.counts)
    line = ledger.timeline
    if line is not None:
        told |= {("moment", start, kind): count for (start, kind), count in line.moments.items()}
        told |= {("span", "first"): line.began, ("span", "last"): line.ended}
    return told


def _lanes(counts: reports.CampaignCounts) -> dict[tuple[Any, ...], Any]:
    return dict(
        chain(
            [(("targeted",), counts.targeted), (("frozen",), counts.frozen)],
            ((("left out", reason), count) for reason, count in counts.left_out.items()),
            *(_lane(lane) for lane in counts.lanes),
        )
    )


def _lane(lane: reports.LaneCounts) -> Iterator[tuple[tuple[Any, ...], int]]:
    place = (lane.identity_id, lane.provider)
    parts: tuple[tuple[str, Mapping[Any, int]], ...] = (
        ("state", lane.states),
        ("news", lane.news),
        ("hard", lane.hard),
        ("tried", {"": lane.attempted}),
    )
    for name, counts in parts:
        for word, count in counts.items():
            yield (name, *place, word), count


def _said(text: reports.RefusalText) -> tuple[Any, ...]:
    return (text.kind, text.bounce_class, text.fault, text.code, text.enhanced)
