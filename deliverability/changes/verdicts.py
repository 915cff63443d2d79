"""Verdicts that are others than the last time, and what looks at the DNS found since. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from deliverability.assessment.merging import by_provider
from deliverability.assessment.values import Status, Word
from deliverability.assessment.whole import CampaignAssessment, IdentityAssessment, LaneAssessment
from deliverability.changes.values import Change, ChangeCode, Turn
from deliverability.health.findings import FindingLevel, HealthFinding, finding_from_json
from models.health import HealthCheck

Judged = CampaignAssessment | IdentityAssessment
TOLD = frozenset({FindingLevel.WARNING, FindingLevel.PROBLEM})
"""Levels of findings that are news; that something could not be asked is not."""


def verdict_changes(before: Judged, now: Judged) -> Iterator[Change]:
    """Of the whole, then of each provider that both wrote to.

    Only of senders that take part in both: what another one does is no change. With others beside them the
    wholes are not held against each other.
    """
    senders = [{lane.identity_id for lane in one.lanes} for one in (before, now)]
    turn = turn_of(before.status, now.status)
    if turn is not None and senders[0] == senders[1]:
        yield Change(ChangeCode.STATUS, turn, {"before": before.status.value, "now": now.status.value})
    shared = senders[0] & senders[1]
    earlier = {lane.provider: lane for lane in _together(before, shared)}
    for lane in _together(now, shared):
        if lane.provider in earlier:
            yield from _lane(earlier[lane.provider], lane)


def _together(judged: Judged, senders: Collection[int]) -> Sequence[LaneAssessment]:
    return by_provider(lane for lane in judged.lanes if lane.identity_id in senders)


def turn_of(before: Status, now: Status) -> Turn | None:
    """Which way the light went; None where it did not change.

    From unknown to bad is worse and from bad to unknown is news: nobody saw that it got better.
    """
    if before is now:
        return None
    grave = Status.AMBER.gravity
    if max(before.gravity, now.gravity) < grave:
        return Turn.NEWS
    if now.gravity > before.gravity:
        return Turn.WORSE
    return Turn.NEWS if now is Status.GREY else Turn.BETTER


def _lane(before: LaneAssessment, now: LaneAssessment) -> Iterator[Change]:
    turn = turn_of(before.assessment.status, now.assessment.status)
    words = before.assessment.word, now.assessment.word
    # Grey words differ in what is missing: that is no news. Nor that nothing was sent.
    if turn is None and (now.assessment.status is Status.GREY or words[0] is words[1]):
        return
    if Word.NOTHING_SENT in words:
        return
    yield Change(
        ChangeCode.VERDICT,
        turn or Turn.NEWS,
        {
            "before": words[0].value,
            "now": words[1].value,
            "before_status": before.assessment.status.value,
            "now_status": now.assessment.status.value,
        },
        provider=now.provider,
    )


def finding_changes(
    identity_id: int, before: HealthCheck | None, now: HealthCheck | None
) -> Iterator[Change]:
    """What the later look found that the earlier one did not, and the other way round; None: no such look.

    Without an earlier look nothing is new. What one of the two could not ask is not gone.
    """
    if before is None or now is None or before.id == now.id:
        return
    first, second = _findings(before.findings), _findings(now.findings)
    unknown = {one.part for one in second if one.level is FindingLevel.UNKNOWN}
    unasked = {one.part for one in first if one.level is FindingLevel.UNKNOWN}
    old, new = _grave(first), _grave(second)
    for key, finding in new.items():
        if key not in old and finding.part not in unasked:
            yield _finding(ChangeCode.FINDING_NEW, Turn.WORSE, identity_id, finding, now)
    for key, finding in old.items():
        if key not in new and finding.part not in unknown:
            yield _finding(ChangeCode.FINDING_GONE, Turn.BETTER, identity_id, finding, now)


def _finding(
    code: ChangeCode, turn: Turn, identity_id: int, finding: HealthFinding, look: HealthCheck
) -> Change:
    values = {"key": finding.code.value, "level": finding.level.value}
    return Change(code, turn, values, identity_id=identity_id, at=look.checked_at, finding=finding)


def _grave(findings: Iterable[HealthFinding]) -> Mapping[tuple[str, str], HealthFinding]:
    """By what was found and where: another wording of its values is no other finding."""
    return {
        (one.code.value, str(one.values.get("subject") or one.values.get("name", ""))): one
        for one in findings
        if one.level in TOLD
    }


def _findings(kept: Sequence[Mapping[str, object]]) -> list[HealthFinding]:
    return [found for row in kept if (found := finding_from_json(row)) is not None]
