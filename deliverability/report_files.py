"""The report as files: JSON for programs, CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from deliverability.assessment.merging import by_provider
from deliverability.assessment.whole import CampaignAssessment, LaneAssessment
from deliverability.assessment_files import VERDICT_COLUMNS, assessment_document, verdict_cells
from deliverability.report_values import COLUMNS, RATES, CampaignReport, Counts, ReportRow, Share, safe_cell
from models.states import LeftOutReason


def report_json(
    report: CampaignReport,
    assessment: CampaignAssessment | None = None,
    changes: Mapping[str, Any] | None = None,
) -> str:
    """The whole report as one JSON document; moments in ISO 8601, shares with part, whole and value.

    `assessment`: the verdicts on it, as codes and values; `changes`: as `changes_document` writes them.
    """
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
        "assessment": None if assessment is None else assessment_document(assessment),
        "changes": changes,
        "refusals": [asdict(refusal) for refusal in report.refusals],
        "bucket_seconds": report.bucket_seconds,
        "over_time": [{**asdict(moment), "start": _moment(moment.start)} for moment in report.over_time],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def report_csv(report: CampaignReport, assessment: CampaignAssessment | None = None) -> str:
    """One line for the total, each identity, each provider and each pair; UTF-8, comma, CRLF (RFC 4180).

    Shares are fractions between 0 and 1, empty when there is nothing to take a share of. The verdicts of
    the `assessment` stand in the lines of pairs and of providers, its status in the line of the whole.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    reasons = list(LeftOutReason)
    writer.writerow(
        [
            *("campaign", "identity", "provider", "targeted"),
            *(f"left_out_{reason.value}" for reason in reasons),
            *("sent", *COLUMNS, *RATES, *VERDICT_COLUMNS),
        ]
    )
    together = {lane.provider: lane for lane in by_provider(assessment.lanes)} if assessment else {}
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
                *_verdict(row, assessment, together),
            ]
        )
    return out.getvalue()


def _verdict(
    row: ReportRow, assessment: CampaignAssessment | None, together: Mapping[str, LaneAssessment]
) -> list[object]:
    """The cells of the verdict: of a lane, of a provider, of the whole its status alone."""
    if assessment is None:
        return verdict_cells(None)
    match row.identity_id, row.provider:
        case None, None:
            return [assessment.status.value, *verdict_cells(None)[1:]]
        case None, provider:
            return verdict_cells(together.get(provider or ""))
        case identity_id, None:
            return verdict_cells(None)
        case identity_id, provider:
            return verdict_cells(assessment.lane(identity_id, provider))


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
        # Of several providers together the assessment's estimate tells it, weighed by the list.
        "placement_interval": _interval(row.counts) if row.provider else None,
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
