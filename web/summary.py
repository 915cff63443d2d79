"""A campaign on one page, in plain words: for the candidate, not for whoever runs the mail. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deliverability.assessment.merging import by_provider
from deliverability.assessment.values import Status
from deliverability.assessment.whole import CampaignAssessment
from deliverability.changes import Change, Changes
from deliverability.changes.values import ChangeCode
from deliverability.report import CampaignReport
from models.states import Channel
from web import summary_words as words
from web.borrowed import say_borrowed
from web.compliance_view import Line
from web.i18n import Tongue

TONES = {Status.GREEN: "good", Status.GREY: "quiet", Status.AMBER: "warn", Status.RED: "bad"}
MOST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One question a candidate asks, and the answer in sentences."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the page is made of; `assessment`, `changes` None: there is nothing to judge or to compare."""

    report: CampaignReport
    ended: bool
    law: Sequence[Line]
    assessment: CampaignAssessment | None = None
    changes: Changes | None = None


def summary_of(known: Known, tongue: Tongue) -> list[Part]:
    """The questions in the order in which they are asked."""
    parts = (
        (words.FOR_WHOM, _for_whom(known.report, tongue)),
        (words.ARRIVED, _arrived(known, tongue)),
        (words.SEEN, _seen(known, tongue)),
        (words.DID, _did(known, tongue)),
        (words.LAW, iter(known.law)),
        (words.NEXT, _next(known, tongue)),
    )
    told = [(title, tuple(lines)) for title, lines in parts]
    return [Part(tongue.say(title), lines) for title, lines in told if lines]


def _for_whom(report: CampaignReport, tongue: Tongue) -> Iterator[Line]:
    yield Line("quiet", tongue.count(words.MEANT_FOR, report.total.targeted or 0))
    left_out = report.total.left_out
    people = sum(left_out.values())
    if people:
        most = sorted(left_out.items(), key=lambda one: -one[1])
        reasons = tongue.say(words.NEXT_REASON).join(
            tongue.say(words.WHY[reason], count=tongue.number(count)) for reason, count in most
        )
        yield Line("quiet", tongue.say_plural(*words.NOT_WRITTEN_TO, people, reasons=reasons))


def _arrived(known: Known, tongue: Tongue) -> Iterator[Line]:
    counts = known.report.total.counts
    if not counts.sent:
        yield Line("quiet", tongue.say(words.NONE_SENT))
    else:
        share = tongue.percent(counts.delivery_rate.value, 0 if counts.arrived == counts.sent else 1)
        said = tongue.say(
            words.OF_SENT, sent=tongue.number(counts.sent), arrived=tongue.number(counts.arrived), share=share
        )
        yield Line("quiet", said)
    back = counts.sent - counts.arrived - counts.uncertain
    if back:
        dead = 2 * (counts.refused_hard + counts.bounced_hard) > back
        yield Line("quiet", tongue.count(words.DEAD if dead else words.CAME_BACK, back))
    if counts.expired:
        yield Line("quiet", tongue.count(words.TOO_LATE, counts.expired))
    if counts.waiting + counts.held:
        yield Line("quiet", tongue.count(words.WAITING, counts.waiting + counts.held))


def _seen(known: Known, tongue: Tongue) -> Iterator[Line]:
    if known.report.channel is Channel.SMS:
        yield Line("quiet", tongue.say(words.TEXTED))
        return
    if known.assessment is None:
        return
    estimate = known.assessment.estimate
    if estimate.measured is None:
        yield Line("quiet", tongue.say(words.NOT_LOOKED))
    else:
        low, high = (tongue.percent(one, 0) for one in (estimate.measured_low, estimate.measured_high))
        yield Line("quiet", tongue.say(words.INBOX, low=low, high=high))
    for lane in by_provider(known.assessment.lanes):
        text = words.AT_PROVIDER.get(lane.assessment.word)
        if text is not None and lane.assessment.status.gravity >= Status.AMBER.gravity:
            name = say_borrowed(tongue, lane.provider_name)
            yield Line(TONES[lane.assessment.status], tongue.say(text, provider=name))


def _did(known: Known, tongue: Tongue) -> Iterator[Line]:
    counts = known.report.total.counts
    if not counts.arrived:
        return
    if known.report.channel is Channel.EMAIL:
        share = tongue.percent(counts.click_rate.value, 1)
        yield Line("quiet", tongue.say_plural(*words.CLICKED, counts.clicked, share=share))
    if counts.unsubscribed:
        yield Line("quiet", tongue.count(words.LEFT, counts.unsubscribed))
    if counts.complained:
        yield Line("quiet", tongue.count(words.COMPLAINED, counts.complained))
    if not counts.unsubscribed and not counts.complained:
        yield Line("good", tongue.say(words.NOBODY_LEFT))
    for one in known.changes.listed if known.changes else ():
        text = words.MORE.get(_moved(one)) if one.code is ChangeCode.SHARE and not one.provider else None
        if text is not None:
            yield Line("warn" if one.turn == "worse" else "good", tongue.say(text))


def _moved(one: Change) -> tuple[str, bool]:
    return str(one.values["key"]), float(one.values["now"]) > float(one.values["before"])


def _next(known: Known, tongue: Tongue) -> Iterator[Line]:
    if not known.ended:
        yield Line("quiet", tongue.say(words.UNDER_WAY))
    if known.assessment is None:
        if known.ended:
            yield Line("quiet", tongue.say(words.TEXT_STEP))
        return
    status = known.assessment.status
    places = [
        say_borrowed(tongue, lane.provider_name)
        for lane in by_provider(known.assessment.lanes)
        if lane.assessment.status.gravity >= Status.AMBER.gravity
    ]
    if status in words.STEPS_WHOLE and not places:
        yield Line(TONES[status], tongue.say(words.STEPS_WHOLE[status]))
        return
    yield Line(TONES[status], tongue.say(words.STEPS[status], places=", ".join(places[:MOST_PLACES])))
