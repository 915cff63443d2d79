"""What whoever answers for the mail is told, on paper and in a file."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from models.campaign import Campaign
from models.election import SilenceWaiver
from models.preflight import PreflightOverride
from scheduler.compliance import Compliance
from store.compliance import Consents, Coverage
from store.compliance_log import Kept
from web.compliance_view import Section
from web.i18n import Tongue
from web.paper import Block, Document, Grid, Heading, Title, Words, print_document


async def compliance_pdf(sections: Sequence[Section], span: str, counted_at: str, tongue: Tongue) -> bytes:
    """The sections as a PDF; `span`: the period, `counted_at`: when people were counted."""
    name = tongue.say("Compliance")
    counted = tongue.say("People counted: %(moment)s", moment=counted_at)
    blocks = [Title(name, f"{span} · {counted}"), *blocks_of(sections)]
    document = Document(name, tongue.language, f"{name} · {span}", blocks)
    return await asyncio.to_thread(print_document, document)


def blocks_of(sections: Sequence[Section]) -> Iterator[Block]:
    """Headings, sentences and tables, in the order of the page."""
    for section in sections:
        yield Heading(section.title)
        for line in section.lines:
            yield Words(line.on_paper, line.tone)
        for table in section.tables:
            yield Words(table.caption, small=True)
            widths = [1.0 if place in table.numbers else 1.8 for place, _ in enumerate(table.heads)]
            yield Grid(table.heads, table.rows, table.numbers, widths)


def compliance_json(found: Compliance, covered: Coverage, counted_at: datetime) -> str:
    """The figures behind the page; moments in ISO 8601."""
    document = {
        "version": 1,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "consent": {
            "counted_at": counted_at.isoformat(),
            "people": covered.people,
            "origin_known": covered.origin,
            "email": _consents(covered.email),
            "sms": _consents(covered.sms),
            "targeting": _consents(covered.targeting),
        },
        "campaigns": [_campaign(one, found) for one in found.campaigns],
        "votes": [
            {"name": one.name, "round": one.round, "day": one.day.isoformat(), "entered_by": one.created_by}
            for one in found.votes
        ],
        "votes_taken_away": [
            {"name": one.name, "by": one.removed_by, "reason": one.removed_reason} for one in found.taken_away
        ],
        "waivers": [_waiver(one) for one, _ in found.waivers],
        "overrides": [_override(row) for row, _ in found.overrides],
        "suppressions_looked_at": found.honoured.looked_at,
        "sent_in_spite_of_suppression": [one.delivery_id for one in found.honoured.breaches],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _consents(one: Consents) -> dict[str, int]:
    return {**asdict(one), "unknown": one.unknown}


def _campaign(one: Campaign, found: Compliance) -> dict[str, object]:
    kept = found.kept.get(one.id, Kept())
    return {
        "id": one.id,
        "name": one.name,
        "nature": one.nature.value,
        "basis": one.basis.value,
        "launched_at": _moment(one.launched_at),
        "sent": kept.sent,
        "left_out": {reason.value: count for reason, count in kept.left_out.items()},
        "suppressed_since": kept.stopped,
        "stopped_by_vote": found.stopped.get(one.id, 0),
    }


def _waiver(one: SilenceWaiver) -> dict[str, object]:
    return {
        "campaign_id": one.campaign_id,
        "reason": one.reason,
        "asked_by": one.asked_by,
        "asked_at": _moment(one.asked_at),
        "agreed_by": one.agreed_by,
        "agreed_at": _moment(one.agreed_at),
        "refused_by": one.refused_by,
        "refused_at": _moment(one.refused_at),
    }


def _override(row: PreflightOverride) -> dict[str, object]:
    return {
        "campaign_id": row.campaign_id,
        "at": _moment(row.at),
        "by": row.by,
        "reason": row.reason,
        "codes": row.codes,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
