"""What the doctor finds: a level, a subject, a sentence, advice."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters: BLOCKING keeps campaigns from leaving."""

    FINE = "fine"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `subject` groups findings, `what` is a sentence, `advice` what to do."""

    level: Level
    subject: str
    what: str
    advice: str = ""


def fine(subject: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.FINE, subject, what)


def warning(subject: str, what: str, advice: str) -> Finding:
    """To be looked at; campaigns leave all the same."""
    return Finding(Level.WARNING, subject, what, advice)


def blocking(subject: str, what: str, advice: str) -> Finding:
    """To be mended before a campaign can leave."""
    return Finding(Level.BLOCKING, subject, what, advice)
