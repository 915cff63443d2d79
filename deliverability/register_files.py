"""The register of political advertising as files: JSON with the content of each, CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from deliverability.report_values import safe_cell
from models.campaign import AudienceRole
from models.template import TemplateVersion
from store.register import RegisterRow

NoticeOf = Callable[[int], str]
"""The address of a campaign's transparency notice, by the campaign's number."""
CSV_COLUMNS: Final = (
    *("campaign", "name", "channel", "state", "sponsor", "senders", "vote", "spent", "basis"),
    *("launched_at", "finished_at", "template", "version", "subject", "identity_rule", "include", "exclude"),
    *("audience", "left_out", "messages", "accepted", "returned", "clicked", "unsubscribed", "complained"),
    "notice",
)


def register_csv(rows: Iterable[RegisterRow], notice_of: NoticeOf) -> str:
    """One line for each campaign; UTF-8, comma, CRLF (RFC 4180), moments in ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_cells(row, notice_of) for row in rows)
    return out.getvalue()


def _cells(row: RegisterRow, notice_of: NoticeOf) -> list[object]:
    counts = (row.messages, row.accepted, row.returned, row.clicked, row.unsubscribed, row.complained)
    texts = (row.name, row.channel.value, row.state.value, row.payer, _senders(row), row.vote, row.spent)
    content = (row.template, str(row.version), row.subject, row.identity_rule.value)
    return [
        row.campaign_id,
        *map(safe_cell, texts),
        row.basis.value,
        *(_moment(row.launched_at), _moment(row.finished_at)),
        *map(safe_cell, content),
        *(_rules(row, role) for role in (AudienceRole.INCLUDE, AudienceRole.EXCLUDE)),
        *(row.audience, sum(row.left_out.values()), *counts),
        notice_of(row.campaign_id),
    ]


def _senders(row: RegisterRow) -> str:
    told = (
        ", ".join(filter(None, (one.organisation or one.name, one.postal_address))) for one in row.senders
    )
    return " | ".join(dict.fromkeys(told))


def _rules(row: RegisterRow, role: AudienceRole) -> str:
    """Several segments are joined as the audience joins them."""
    return safe_cell(" | ".join(one.text for one in row.segments if one.role is role))


def register_json(
    rows: Iterable[RegisterRow], contents: Mapping[int, TemplateVersion], notice_of: NoticeOf, now: datetime
) -> str:
    """One document: each campaign with what it said, to whom, and what became of it."""
    document = {
        "version": 1,
        "made_at": now.isoformat(),
        "campaigns": [_campaign(row, contents[row.version_id], notice_of) for row in rows],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _campaign(row: RegisterRow, content: TemplateVersion, notice_of: NoticeOf) -> dict[str, Any]:
    return {
        "id": row.campaign_id,
        "name": row.name,
        "channel": row.channel.value,
        "state": row.state.value,
        "notice": notice_of(row.campaign_id),
        "sponsor": row.payer,
        "senders": [asdict(one) for one in row.senders],
        "vote": row.vote,
        "spent": row.spent,
        "basis": row.basis.value,
        "starts_at": _moment(row.starts_at) or None,
        "launched_at": _moment(row.launched_at) or None,
        "finished_at": _moment(row.finished_at) or None,
        "audience": {
            "rule": row.identity_rule.value,
            "segments": [
                {"role": one.role.value, "name": one.name, "text": one.text} for one in row.segments
            ],
            "people": row.audience,
            "left_out": {reason.value: count for reason, count in row.left_out.items()},
        },
        "content": {
            "template": row.template,
            "version": row.version,
            "subject": content.subject,
            "preheader": content.preheader,
            "body": content.body,
            "fallbacks": content.fallbacks,
        },
        "counts": {
            "messages": row.messages,
            "accepted": row.accepted,
            "returned": row.returned,
            "clicked": row.clicked,
            "unsubscribed": row.unsubscribed,
            "complained": row.complained,
        },
    }


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
