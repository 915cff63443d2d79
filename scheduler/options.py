"""How an installation sends, in one value."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from scheduler.calendar import UsualWindows
from scheduler.content import ANY_TIME
from scheduler.frequency import FrequencyPolicy
from scheduler.pacing import Pace
from scheduler.retry import RetryPolicy
from scheduler.rhythm import Rhythm
from scheduler.silence import USUAL_MARGIN

CHUNK = 300
"""Deliveries claimed at a time at most; a pause takes effect within one."""


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """How this installation sends.

    `batch_span` is how far ahead a lane claims; a lane that opens later than `patience` is left alone.
    `zone`: of the times that people are told, and of people of whom nothing else is known. `journals`: the
    folder of what is on the wire, shared by the workers of one machine; None keeps none, and a crash then
    leaves everything uncertain that was marked. `threads` write and sign messages, or `scribes`, which are
    processes. `chunk`: most deliveries claimed at a time. `silence_margin`, `place_is_free`: as in `Rhythm`.
    """

    pace: Pace = field(default_factory=Pace)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    lease: timedelta = timedelta(minutes=1)
    batch_span: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=10)
    language: str = "fr"
    zone: str = "UTC"
    frequency: FrequencyPolicy = field(default_factory=FrequencyPolicy)
    windows: UsualWindows = ANY_TIME
    journals: Path | None = None
    threads: int = 2
    scribes: int = 0
    chunk: int = CHUNK
    silence_margin: timedelta = USUAL_MARGIN
    place_is_free: bool = False

    @property
    def rhythm(self) -> Rhythm:
        """How often, when and to whom it sends."""
        return Rhythm(self.frequency, self.windows, self.zone, self.silence_margin, self.place_is_free)
