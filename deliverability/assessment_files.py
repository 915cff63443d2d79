"""Assessments in files: codes and values for programs, a few columns for spreadsheets."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deliverability.assessment.facts import ClickChange, ProviderFacts
from deliverability.assessment.study import StudyTable
from deliverability.assessment.values import Advice, Assessment, Note, Reason
from deliverability.assessment.whole import CampaignAssessment, IdentityAssessment, LaneAssessment
from deliverability.report_values import COLUMNS, safe_cell

VERDICT_COLUMNS = (
    *("status", "verdict", "reason", "basis"),
    *("inbox_low", "inbox_high", "click_ratio", "click_p"),
)
"""Of an identity at a provider; empty in lines about more than that."""


def identity_json(
    found: IdentityAssessment,
    changes: Mapping[str, Any] | None = None,
    burden: Mapping[str, Any] | None = None,
) -> str:
    """An identity's assessment as one JSON document; `changes`: as `changes_document` writes them.

    `burden`: as `burden_document` writes it.
    """
    document = {
        "version": 1,
        "identity": {"id": found.identity_id, "name": found.identity_name},
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "campaigns": found.campaigns,
        "assessment": assessment_document(found),
        "changes": changes,
        **(burden or {}),
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def identity_csv(found: IdentityAssessment) -> str:
    """One line a provider; UTF-8, comma, CRLF (RFC 4180); shares are fractions between 0 and 1."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["identity", "provider", "list_share", "sent", *COLUMNS, *VERDICT_COLUMNS])
    for lane in found.lanes:
        counts = lane.facts.counts
        writer.writerow(
            [
                safe_cell(found.identity_name),
                safe_cell(lane.provider_name),
                f"{lane.list_share:.4f}",
                counts.sent,
                *(getattr(counts, name) for name in COLUMNS),
                *verdict_cells(lane),
            ]
        )
    return out.getvalue()


def study_csv(table: StudyTable, names: Mapping[int, str]) -> str:
    """The study's table, the line of all first; UTF-8, comma, CRLF (RFC 4180); shares of 1."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            *("identity", "identities", "mailings", "messages", "mailings_a_week", "most_mailings_a_week"),
            *("mailings_with_seeds", "mailings_with_spam", "share_with_spam", "low", "high"),
        ]
    )
    for row in (table.total, *table.rows):
        spam = row.in_spam
        writer.writerow(
            [
                safe_cell(names.get(row.identity_id or 0, "")),
                *(row.identities, row.mailings, row.messages, f"{row.a_week:.2f}", row.most_a_week),
                *(spam.whole, spam.part),
                *(_share(value) for value in (spam.value, spam.low, spam.high)),
            ]
        )
    return out.getvalue()


def assessment_document(found: CampaignAssessment | IdentityAssessment) -> dict[str, Any]:
    """The assessment as JSON takes it: codes as docs/deliverability.md explains them, shares of 1."""
    return {
        "status": found.status.value,
        "lanes": [_lane(lane) for lane in found.lanes],
        "estimate": asdict(found.estimate),
        "advice": [_advice(one) for one in found.advice],
        "gaps": [_note(one) for one in found.gaps],
    }


def verdict_cells(lane: LaneAssessment | None) -> list[object]:
    """The cells of `VERDICT_COLUMNS`."""
    if lane is None:
        return [""] * len(VERDICT_COLUMNS)
    judged, change = lane.assessment, lane.facts.clicks
    inbox = judged.figure("inbox")
    return [
        judged.status.value,
        judged.word.value,
        judged.reason_key,
        judged.basis.value,
        *(_share(value) for value in ((inbox.low, inbox.high) if inbox else (None, None))),
        *(_share(value) for value in ((change.ratio, change.p) if change else (None, None))),
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _lane(lane: LaneAssessment) -> dict[str, Any]:
    return {
        "identity_id": lane.identity_id,
        "identity": lane.identity_name,
        "provider": lane.provider,
        "list_share": round(lane.list_share, 6),
        **_judged(lane.assessment),
        "seeds": asdict(lane.facts.seeds),
        "clicks": _clicks(lane.facts.clicks),
        "declared": _declared(lane.facts),
    }


def _judged(judged: Assessment) -> dict[str, Any]:
    return {
        "status": judged.status.value,
        "verdict": judged.word.value,
        "basis": judged.basis.value,
        "reasons": [_reason(reason) for reason in judged.reasons],
        "figures": [
            {**asdict(figure), "value": figure.value, "assessable": figure.assessable}
            for figure in judged.figures
        ],
        "notes": [_note(note) for note in judged.notes],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "status": reason.status.value,
        "verdict": reason.word.value,
        "basis": reason.basis.value,
        "values": dict(reason.values),
        "evidence": [asdict(piece) for piece in reason.evidence],
    }


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "code": advice.code,
        "status": advice.status.value,
        "provider": advice.provider,
        "identity_id": advice.identity_id,
        "values": dict(advice.values),
        "evidence": [asdict(piece) for piece in advice.evidence],
    }


def _note(note: Note) -> dict[str, Any]:
    return {"code": note.code, "values": dict(note.values)}


def _clicks(change: ClickChange | None) -> dict[str, Any] | None:
    return None if change is None else asdict(change)


def _declared(facts: ProviderFacts) -> list[dict[str, Any]]:
    return [{**asdict(one), "day": one.day.isoformat()} for one in facts.declared]
