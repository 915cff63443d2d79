"""Checks of who sends to whom: the identity's standing and DNS, the crowd, the spam filter, text messages."""

import re
from collections.abc import Iterator

from deliverability.health import FindingLevel, HealthFinding
from deliverability.health.findings import Part
from models.preflight import LintLevel
from models.states import Channel
from scheduler.preflight.checks_of_form import FINE, ONCE, Tripped
from scheduler.preflight.examined import Examined
from scheduler.preflight.findings import HEALTH, LintFinding

FIRST_CROWD = 200
"""What an identity nobody knows may send on its first day (docs/rhythm.md)."""
SMS_SEGMENTS = 3
SYMBOLS_NAMED = 5
STANDS_IN_THE_WAY = frozenset(
    {Part.GENERAL, Part.DKIM, Part.SPF, Part.DMARC, Part.ALIGNMENT, Part.FROM_DOMAIN}
)
"""What the large providers refuse mail for. Problems of other parts are warnings."""
_STOP = re.compile(r"\bSTOP\b", re.IGNORECASE)
_STOP_AND_WHERE = re.compile(r"\bSTOP\b\D{0,20}\d{4,}", re.IGNORECASE)
_NAMED_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}")
_NUMBERED_SENDER = re.compile(r"\+?\d{3,15}|MG[0-9a-f]{32}")


def broken(seen: Examined) -> Tripped:
    """The message can be made."""
    return [{"problem": seen.broken}] if seen.broken else FINE


def unable(seen: Examined) -> Tripped:
    """The identity may send, and has what the channel needs."""
    return [{"state": seen.unable}] if seen.unable else FINE


def not_carried(seen: Examined) -> Tripped:
    """This installation has a way out for the channel."""
    return FINE if seen.carried else [{"channel": seen.channel.value}]


def dns_not_asked(seen: Examined) -> Tripped:
    """The DNS was asked."""
    if seen.channel is not Channel.EMAIL or not seen.sender.from_email:
        return None
    return FINE if seen.health is not None else [{"domain": seen.sender.from_domain}]


def health_of(seen: Examined) -> Iterator[LintFinding]:
    """What the look at the identity's DNS found, in the words of `deliverability.health`."""
    for finding in seen.health or ():
        level = level_for(finding)
        if level is not None:
            yield LintFinding(
                level, f"{HEALTH}{finding.code.value}", dict(finding.values), (seen.sender.key,)
            )


def level_for(finding: HealthFinding) -> LintLevel | None:
    """How a finding on an identity counts before sending; None for what is merely good to have."""
    match finding.level:
        case FindingLevel.PROBLEM:
            return LintLevel.BLOCK if finding.part in STANDS_IN_THE_WAY else LintLevel.WARN
        case FindingLevel.WARNING:
            return LintLevel.WARN
        case FindingLevel.UNKNOWN:
            return LintLevel.WARN
        case FindingLevel.FINE:
            return LintLevel.FINE
        case FindingLevel.ADVICE:
            return None


def nobody_to_write_to(seen: Examined) -> Tripped:
    """Somebody would get it."""
    return None if seen.crowd is None else FINE if seen.crowd.people else ONCE


def first_crowd(seen: Examined) -> Tripped:
    """An identity nobody knows begins with few, or by a warm-up plan."""
    if seen.crowd is None or seen.channel is not Channel.EMAIL:
        return None
    tripped = seen.crowd.first and seen.crowd.people > FIRST_CROWD
    return [{"people": str(seen.crowd.people), "most": str(FIRST_CROWD)}] if tripped else FINE


def more_than_planned(seen: Examined) -> Tripped:
    """What the warm-up plan lets through on the first day is what is wanted."""
    if seen.crowd is None or seen.channel is not Channel.EMAIL:
        return None
    return [
        {
            "provider": lane.provider,
            "messages": str(lane.messages),
            "cap": str(lane.cap),
            "day": lane.warm_on.isoformat(),
        }
        for lane in seen.crowd.cold
        if lane.identity_key == seen.sender.key
    ]


def filter_silent(seen: Examined) -> Tripped:
    """The spam filter that is set could be asked; nobody is held up when it could not."""
    if seen.mail is None or (seen.opinion.score is None and not seen.opinion.problem):
        return None
    return [{"problem": seen.opinion.problem}] if seen.opinion.problem else FINE


def filter_refuses(seen: Examined) -> Tripped:
    """From there on the filter would refuse it."""
    score = seen.opinion.score
    if score is None or score.reject is None:
        return None
    return [_scored(seen, score.reject)] if score.score >= score.reject else FINE


def filter_marks(seen: Examined) -> Tripped:
    """From there on the filter would put it into spam."""
    score = seen.opinion.score
    if score is None:
        return None
    below_refusal = score.reject is None or score.score < score.reject
    return [_scored(seen, score.mark)] if score.score >= score.mark and below_refusal else FINE


def filter_delays(seen: Examined) -> Tripped:
    """From there on the filter would greylist it."""
    score = seen.opinion.score
    if score is None or score.delay is None:
        return None
    return [_scored(seen, score.delay)] if score.delay <= score.score < score.mark else FINE


def _scored(seen: Examined, threshold: float) -> dict[str, str]:
    score = seen.opinion.score
    if score is None:
        return {}
    symbols = [
        f"{one.name} {one.points:+.1f}" + (f" ({one.meaning})" if one.meaning else "")
        for one in score.against[:SYMBOLS_NAMED]
    ]
    return {
        "filter": score.filter,
        "score": f"{score.score:.1f}",
        "threshold": f"{threshold:.1f}",
        "symbols": "; ".join(symbols),
    }


def stop_missing(seen: Examined) -> Tripped:
    """A text message says how to stop them (CPCE, article L34-5)."""
    return None if seen.text is None else FINE if _STOP.search(seen.text.text) else ONCE


def stop_leads_nowhere(seen: Examined) -> Tripped:
    """A sender that is a name cannot be answered: STOP needs a number."""
    if seen.text is None or not _STOP.search(seen.text.text):
        return None
    named = _NAMED_SENDER.fullmatch(seen.sender.sms_sender) is not None
    reachable = _STOP_AND_WHERE.search(seen.text.text) is not None
    return [{"sender": seen.sender.sms_sender}] if named and not reachable else FINE


def text_empty(seen: Examined) -> Tripped:
    """A text message says something."""
    return None if seen.text is None else FINE if seen.text.text.strip() else ONCE


def text_long(seen: Examined) -> Tripped:
    """Each segment is paid for; told for the person with the longest values."""
    if seen.text is None:
        return None
    segments = seen.text.length.segments
    return [{"segments": str(segments)}] if segments > SMS_SEGMENTS else FINE


def text_beyond_gsm(seen: Examined) -> Tripped:
    """One sign beyond the GSM alphabet makes the whole message cost more (3GPP TS 23.038)."""
    if seen.text is None:
        return None
    if not seen.text.offending or seen.text.cheaper.segments >= seen.text.length.segments:
        return FINE
    return [
        {
            "signs": " ".join(seen.text.offending[:8]),
            "segments": str(seen.text.length.segments),
            "cheaper": str(seen.text.cheaper.segments),
        }
    ]


def sms_sender_wrong(seen: Examined) -> Tripped:
    """A name of eleven signs at most, or a number."""
    if seen.text is None:
        return None
    sender = seen.sender.sms_sender
    fits = _NAMED_SENDER.fullmatch(sender) or _NUMBERED_SENDER.fullmatch(sender)
    return FINE if fits else [{"sender": sender}]
