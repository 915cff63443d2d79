"""What a campaign, or a period, did in each département: shares, and which of them are no accident.

A map invites to see meaning in every dark spot, and the smallest places have the wildest shares. What
stands out is therefore told by a bound on chance that holds for few people too, shared out over all
places looked at, rather than by an interval for each alone, of which a hundred always hold some surprise.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import log
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.report_values import Share, safe_cell
from models.states import Channel
from store import territory_counts
from store.campaigns import get_campaign
from store.territory_counts import FEWEST, Figures, Places

__all__ = ["FEWEST", "Measure", "PlaceReport", "Standing", "campaign_places", "period_places"]

ACCIDENT = 0.05
"""How often chance alone may make any place at all of a map stand out."""


class Measure(StrEnum):
    """What is mapped; the first as a number of messages, the others as shares."""

    ARRIVED = "arrived"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"


MEASURES: Mapping[Channel, tuple[Measure, ...]] = {
    Channel.EMAIL: tuple(Measure),
    Channel.SMS: (Measure.ARRIVED, Measure.UNSUBSCRIBED),
}


class Standing(StrEnum):
    """How a place compares with the whole: beyond what chance does, or as it may well be."""

    ABOVE = "above"
    BELOW = "below"
    USUAL = "usual"


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """The places of a campaign, or of a period; `uncounted`: events that are not in it yet."""

    places: Places
    channel: Channel
    made_at: datetime
    uncounted: int

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What can be told of this channel."""
        return MEASURES[self.channel]

    @property
    def tells(self) -> bool:
        """Whether there is a département to tell of."""
        return any(self.places.shown)

    def standing(self, place: str, measure: Measure) -> Standing:
        """How the place compares with the whole; as usual where the share is one of too few people."""
        whole, share = share_of(self.places.whole, measure), share_of(self.places.shown[place], measure)
        return stands(share, whole, among=len(self.places.shown)) if share.whole >= FEWEST else Standing.USUAL


async def campaign_places(session: AsyncSession, campaign_id: int, now: datetime) -> PlaceReport:
    """The places of one campaign; NotFoundError when there is none of that number."""
    campaign = await get_campaign(session, campaign_id)
    places = await territory_counts.of_campaign(session, campaign_id)
    return PlaceReport(places, campaign.channel, now, await territory_counts.uncounted(session))


async def period_places(
    session: AsyncSession, since: datetime, until: datetime, channel: Channel = Channel.EMAIL
) -> PlaceReport:
    """The places of all campaigns of a channel launched in a period."""
    places = await territory_counts.of_period(session, since, until, channel=channel)
    return PlaceReport(places, channel, until, await territory_counts.uncounted(session))


def count_of(figures: Figures, measure: Measure) -> int:
    """How many messages, or people who did it."""
    return int(getattr(figures, measure.value))


def share_of(figures: Figures, measure: Measure) -> Share:
    """What the count is a share of is the report's: those accepted, for complaints where they are told."""
    match measure:
        case Measure.ARRIVED:
            return Share(figures.arrived, figures.accepted)
        case Measure.COMPLAINED:
            return Share.at_least(figures.complained, figures.heard)
        case Measure.CLICKED | Measure.UNSUBSCRIBED:
            return Share.at_least(count_of(figures, measure), figures.accepted)


def stands(share: Share, whole: Share, *, among: int) -> Standing:
    """Whether `share`, one of `among`, differs from that of the `whole` beyond chance.

    By the bound of Chernoff and Hoeffding: so many or more (or fewer) of n at the rate p have a probability
    of at most exp(-n KL(share, p)). It holds for every n, where the normal curve does not.
    """
    if share.value is None or whole.value is None or not 0 < whole.value < 1:
        return Standing.USUAL
    if share.whole * divergence(share.value, whole.value) <= log(2 * max(among, 1) / ACCIDENT):
        return Standing.USUAL
    return Standing.ABOVE if share.value > whole.value else Standing.BELOW


def divergence(share: float, rate: float) -> float:
    """Kullback and Leibler's, of two coins; `rate` strictly between 0 and 1."""
    told = share * log(share / rate) if share else 0.0
    return told + ((1 - share) * log((1 - share) / (1 - rate)) if share < 1 else 0.0)


def places_json(report: PlaceReport, names: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """The places as one JSON document; `names` by INSEE code, `about` what is said at its head."""
    places = report.places
    document = {
        "version": 1,
        **about,
        "made_at": report.made_at.isoformat(),
        "fewest": FEWEST,
        "campaigns": places.campaigns,
        "events_not_counted": report.uncounted,
        "departements": [
            {"departement": place, "name": names.get(place, ""), **_told(report, figures, place)}
            for place, figures in places.shown.items()
            if place
        ],
        "unknown": _told(report, places.shown[""], "") if "" in places.shown else None,
        "together": None if places.together is None else _told(report, places.together),
        "hidden": sorted(place for place in places.hidden if place),
        "whole": _told(report, places.whole),
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _told(report: PlaceReport, figures: Figures, place: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for measure in report.measures:
        told[measure.value] = count_of(figures, measure)
        if measure is not Measure.ARRIVED:
            told[f"{measure.value}_rate"] = rate_of(figures, measure)
            if place is not None:
                told[f"{measure.value}_standing"] = report.standing(place, measure).value
    return told


def rate_of(figures: Figures, measure: Measure) -> float | None:
    """The share, rounded; None of fewer people than may be told of."""
    share = share_of(figures, measure)
    return None if share.value is None or share.whole < FEWEST else round(share.value, 5)


def places_csv(report: PlaceReport, names: Mapping[str, str]) -> str:
    """One line a département, the unknown and the hidden ones together at the end; RFC 4180, CRLF.

    `place` is the INSEE code, `unknown` or `together`; shares are fractions between 0 and 1.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    rates = [measure for measure in report.measures if measure is not Measure.ARRIVED]
    writer.writerow(
        ["place", "name", *(one.value for one in report.measures), *(f"{one.value}_rate" for one in rates)]
    )
    places = report.places
    lines = [(place, names.get(place, ""), figures) for place, figures in places.shown.items() if place]
    lines += [("unknown", "", places.shown[""])] if "" in places.shown else []
    lines += [("together", "", places.together)] if places.together is not None else []
    for place, name, figures in lines:
        shares = [rate_of(figures, measure) for measure in rates]
        writer.writerow(
            [
                safe_cell(place),
                safe_cell(name),
                *(count_of(figures, measure) for measure in report.measures),
                *("" if share is None else share for share in shares),
            ]
        )
    return out.getvalue()
