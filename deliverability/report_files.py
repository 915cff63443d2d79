"""The report as files: JSON for programs, CSV for spreadsheets."""

import csv
import io
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from deliverability.report_values import COLUMNS, RATES, CampaignReport, Counts, ReportRow, Share
from models.states import LeftOutReason

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def report_json(report: CampaignReport) -> str:
    """The whole report as one JSON document; moments in ISO 8601, shares with part, whole and value."""
    document = {
        "version": 1,
        "campaign": {
            "id": report.campaign_id,
            "name": report.name,
            "channel": report.channel.value,
            "state": report.state.value,
            "problem": report.problem,
            "starts_at": _moment(report.starts_at),
            "launched_at": _moment(report.launched_at),
            "finished_at": _moment(report.finished_at),
        },
        "made_at": _moment(report.made_at),
        "adds_up": not report.problems,
        "problems": list(report.problems),
        "total": _row(report.total),
        "by_identity": [_row(row) for row in report.by_identity],
        "by_provider": [_row(row) for row in report.by_provider],
        "by_identity_and_provider": [_row(row) for row in report.by_identity_and_provider],
        "refusals": [asdict(refusal) for refusal in report.refusals],
        "bucket_seconds": report.bucket_seconds,
        "over_time": [{**asdict(moment), "start": _moment(moment.start)} for moment in report.over_time],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def report_csv(report: CampaignReport) -> str:
    """One line for the total, each identity, each provider and each pair; UTF-8, comma, CRLF (RFC 4180).

    Shares are fractions between 0 and 1, empty when there is nothing to take a share of.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    reasons = list(LeftOutReason)
    writer.writerow(
        [
            *("campaign", "identity", "provider", "targeted"),
            *(f"left_out_{reason.value}" for reason in reasons),
            *("sent", *COLUMNS, *RATES),
        ]
    )
    rows = (report.total, *report.by_identity, *report.by_provider, *report.by_identity_and_provider)
    for row in rows:
        whole = row.identity_id is None and row.provider is None
        left_out = [row.left_out.get(reason, 0) if whole else "" for reason in reasons]
        writer.writerow(
            [
                safe_cell(report.name),
                safe_cell(row.identity_name),
                safe_cell(row.provider_name),
                "" if row.targeted is None else row.targeted,
                *left_out,
                row.counts.sent,
                *(getattr(row.counts, name) for name in COLUMNS),
                *(_fraction(getattr(row.counts, name)) for name in RATES),
            ]
        )
    return out.getvalue()


def safe_cell(text: str) -> str:
    """`text`, with an apostrophe before it when a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _row(row: ReportRow) -> dict[str, Any]:
    return {
        "identity_id": row.identity_id,
        "identity": row.identity_name,
        "provider": row.provider,
        "provider_name": row.provider_name,
        "targeted": row.targeted,
        "left_out": {reason.value: count for reason, count in row.left_out.items()},
        "sent": row.counts.sent,
        **{name: getattr(row.counts, name) for name in COLUMNS},
        "rates": {name: _share(getattr(row.counts, name)) for name in RATES},
        "placement_interval": _interval(row.counts),
    }


def _share(share: Share) -> dict[str, float | int | None]:
    return {"part": share.part, "whole": share.whole, "value": share.value}


def _interval(counts: Counts) -> list[float] | None:
    interval = counts.placement.interval
    return None if interval is None else [round(bound, 4) for bound in interval]


def _fraction(share: Share) -> str:
    return "" if share.value is None else f"{share.value:.5f}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
