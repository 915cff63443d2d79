"""Changes in files, as codes and values: docs/deliverability.md explains them."""

from typing import Any

from deliverability.changes.values import Change, Changes


def changes_document(changes: Changes | None) -> dict[str, Any] | None:
    """As JSON takes it; moments in ISO 8601, shares of 1."""
    if changes is None:
        return None
    earlier = changes.earlier
    return {
        "since": changes.since.isoformat(),
        "until": changes.until.isoformat(),
        "comparable": changes.comparable,
        "compared_with": None
        if earlier is None
        else {
            "campaign_id": earlier.campaign_id,
            "name": earlier.name,
            "launched_at": earlier.launched_at.isoformat(),
            "same_segments": earlier.same_segments,
        },
        "days": changes.days or None,
        "hours_to_wait_for_people": changes.early or None,
        "list": [_change(one) for one in changes.listed],
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "code": one.code.value,
        "turn": one.turn.value,
        "provider": one.provider,
        "identity_id": one.identity_id,
        "at": one.at.isoformat() if one.at else None,
        "incident_id": int(one.reference) if one.reference else None,
        "values": dict(one.values),
        "finding": None if one.finding is None else dict(one.finding.values),
    }
