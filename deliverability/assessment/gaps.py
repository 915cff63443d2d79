"""What is not known, and why: told beside the verdicts, so that silence is taken for no good news. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from deliverability.assessment.facts import ClickChange, ClickReason
from deliverability.assessment.limits import limits
from deliverability.assessment.values import Note, Word
from deliverability.assessment.whole import LaneAssessment
from models.declared import DeclaredSource

SOURCES_AT = {
    DeclaredSource.GMAIL_POSTMASTER: frozenset({"gmail"}),
    DeclaredSource.MICROSOFT_SNDS: frozenset({"outlook"}),
    DeclaredSource.SIGNAL_SPAM: frozenset({"orange", "sfr", "laposte"}),
    DeclaredSource.YAHOO_CFL: frozenset({"yahoo"}),
}
"""Who declares figures of the mail at which providers."""
WORTH_A_FEED = 0.02
"""Providers with less of the list are not worth the trouble of a feed."""


def gaps_of(lanes: Sequence[LaneAssessment], changes: Iterable[ClickChange]) -> tuple[Note, ...]:
    """Each gap with the share of the list it concerns, the widest first of its kind."""
    return (
        *_untested(lanes),
        *_clicks(changes),
        *_without_feed(lanes),
        *_undeclared(lanes),
        *_unreported(lanes),
    )


def _untested(lanes: Sequence[LaneAssessment]) -> Iterator[Note]:
    for code, word in (("untested", Word.NOT_TESTED), ("too_few_seeds", Word.NOT_ASSESSABLE)):
        found = [lane for lane in lanes if any(reason.word is word for reason in lane.assessment.reasons)]
        if found:
            yield _about(code, found)


def _clicks(changes: Iterable[ClickChange]) -> Iterator[Note]:
    """Why the clicks of an identity as a whole cannot be compared; each reason once."""
    told = {}
    for change in changes:
        if change.reason is not ClickReason.ASSESSED:
            told[change.reason] = change
    for reason, change in sorted(told.items()):
        yield Note(f"clicks_{reason.value}", {"campaigns": change.campaigns, "needed": change.needed})


def _without_feed(lanes: Sequence[LaneAssessment]) -> Iterator[Note]:
    found = [lane for lane in lanes if lane.provider in limits().feeds.none]
    if found:
        yield _about("no_complaint_feed", found)


def _undeclared(lanes: Sequence[LaneAssessment]) -> Iterator[Note]:
    """Sources that would say something of a good part of this list, and do not."""
    for source, providers in SOURCES_AT.items():
        found = [lane for lane in lanes if lane.provider in providers]
        silent = not any(figure.source is source for lane in found for figure in lane.facts.declared)
        if silent and sum(lane.list_share for lane in found) >= WORTH_A_FEED:
            note = _about("nothing_declared", found)
            yield Note(note.code, {**note.values, "source": source.value})


def _unreported(lanes: Sequence[LaneAssessment]) -> Iterator[Note]:
    found = [lane for lane in lanes if lane.facts.authentication is None]
    if found:
        yield Note("no_authentication_reports", {"identities": _names(lane.identity_name for lane in found)})


def _about(code: str, lanes: Sequence[LaneAssessment]) -> Note:
    share = min(1.0, sum(lane.list_share for lane in lanes))
    return Note(code, {"providers": _names(lane.provider_name for lane in lanes), "share": share})


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
