"""How often an identity writes, beside what its plans allow, in files: for programs and for spreadsheets."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from deliverability.assessment.pressure import Band, Rate, Ratio, Reaction, Spread, spread_bands
from deliverability.burden import Burden
from deliverability.pressure import PressureReport
from deliverability.report_values import safe_cell
from deliverability.volume import PlanLine


def burden_document(found: Burden) -> dict[str, Any]:
    """Both, as an identity's report takes them."""
    return {"volume": volume_document(found.plans), "pressure": pressure_document(found.pressure)}


def volume_document(plans: Sequence[PlanLine]) -> list[dict[str, Any]]:
    """Each plan with its days, oldest first; `days`: how many the figures of one are of."""
    return [
        {
            "provider": plan.provider,
            "state": plan.state.value,
            "cap": plan.cap,
            "target": plan.target,
            "days": [
                {
                    "day": one.day.isoformat(),
                    "cap": one.cap,
                    "sent": one.sent,
                    "light": one.light or None,
                    "days": one.days,
                }
                for one in plan.days
            ],
        }
        for plan in plans
    ]


def pressure_document(found: PressureReport) -> dict[str, Any]:
    """The week and the curve; bands of fewer than ten people are put together with their neighbours."""
    return {
        "counted_at": found.counted_at.isoformat() if found.counted_at else None,
        "days": 7,
        "own": _spread(found.own, found),
        "all": _spread(found.all, found),
        "fatigue": {
            "campaigns": found.fatigue.campaigns,
            "lines": [
                {**_band(line.band), "messages": line.messages, **_rates(line.rates)}
                for line in found.fatigue.lines
            ],
            "clicks_of_many": _ratio(found.fatigue.clicks),
            "tired_of_many": _ratio(found.fatigue.tired),
        },
    }


def volume_csv(plans: Sequence[PlanLine]) -> str:
    """One line a provider and day; UTF-8, comma, CRLF (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["provider", "day", "days", "cap", "sent", "light"])
    for plan in plans:
        for one in plan.days:
            name = safe_cell(plan.provider_name)
            writer.writerow([name, one.day.isoformat(), one.days, one.cap, one.sent, one.light])
    return out.getvalue()


def pressure_csv(found: PressureReport) -> str:
    """One line a number of messages: first who got so many, then what those who had had so many did.

    Shares are fractions between 0 and 1. UTF-8, comma, CRLF (RFC 4180).
    """
    out = io.StringIO()
    writer = csv.writer(out)
    rates = [f"{reaction.value}{end}" for reaction in Reaction for end in ("", "_low", "_high")]
    writer.writerow(["what", "from", "to", "people_of_sender", "people_of_all", "messages", *rates])
    for band in spread_bands((found.own, found.all)):
        own = band.sum(found.own.people) if found.own.shown else ""
        cells = ["received", band.first, _end(band), own, band.sum(found.all.people)]
        writer.writerow([*cells, "", *[""] * len(rates)])
    for line in found.fatigue.lines:
        cells = ["had_before", line.band.first, _end(line.band), "", "", line.messages]
        writer.writerow([*cells, *(cell for one in Reaction for cell in _cells(line.rates.get(one)))])
    return out.getvalue()


def _spread(one: Spread, found: PressureReport) -> dict[str, Any] | None:
    """None of so few that they are not told."""
    if not one.shown:
        return None
    return {
        "reached": one.reached,
        "listed": one.whole,
        "median": one.quantile(0.5),
        "p95": one.quantile(0.95),
        "people": [
            {**_band(band), "people": band.sum(one.people)} for band in spread_bands((found.own, found.all))
        ],
    }


def _band(band: Band) -> dict[str, Any]:
    return {"from": band.first, "to": band.last}


def _end(band: Band) -> int | str:
    return "" if band.last is None else band.last


def _rates(rates: Mapping[Reaction, Rate]) -> dict[str, Any]:
    return {
        reaction.value: {"count": one.part, "rate": one.value, "low": one.low, "high": one.high}
        for reaction, one in rates.items()
    }


def _ratio(one: Ratio | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"many": one.many, "ratio": one.value, "low": one.low, "high": one.high}


def _cells(rate: Rate | None) -> list[str]:
    return [""] * 3 if rate is None else [f"{share:.6f}" for share in (rate.value, rate.low, rate.high)]
