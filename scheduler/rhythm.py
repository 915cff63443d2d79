"""The installation's rhythm in one value: how often a person is written to, at which hours, in which zone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audience.territory import zone_of
from models.states import Channel, Purpose
from scheduler.calendar import SendingWindows, UsualWindows, opens
from scheduler.frequency import FrequencyPolicy
from scheduler.silence import USUAL_MARGIN, Home, Votes
from store.queues import Crowd, Place
from store.touches import Cap


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What holds for campaigns that say nothing of their own; `zone`: of whom nothing is known.

    `silence_margin`: how long before election silence nothing new leaves. `place_is_free`: political
    messages may be chosen by where people live without their consent to targeting.
    """

    frequency: FrequencyPolicy = field(default_factory=FrequencyPolicy)
    windows: UsualWindows = field(default_factory=UsualWindows)
    zone: str = "UTC"
    silence_margin: timedelta = USUAL_MARGIN
    place_is_free: bool = False

    def caps(self, channel: Channel, purpose: Purpose, at: datetime) -> list[Cap]:
        """What would be too many messages for one person at that moment, in the form the store counts."""
        if purpose is Purpose.TRANSACTIONAL:
            return []
        return [
            Cap(at - window.span, at + window.span, window.most, window.channel)
            for window in self.frequency.windows_for(channel)
        ]

    def zone_of(self, place: Place) -> str:
        """The time zone of people there."""
        return zone_of(place.departement, place.postcode, place.phone, default=self.zone)

    def without_silenced(
        self, crowds: Sequence[Crowd], windows: SendingWindows, votes: Votes, at: datetime
    ) -> tuple[list[Crowd], int]:
        """Whom a launch at that moment would write to, and how many it leaves out because of a vote."""
        left = [crowd for crowd in crowds if not (votes and self._is_silenced(crowd, windows, votes, at))]
        return left, sum(crowd.count for crowd in crowds) - sum(crowd.count for crowd in left)

    def _is_silenced(self, crowd: Crowd, windows: SendingWindows, votes: Votes, at: datetime) -> bool:
        due_at = opens(windows, self.zone_of(crowd.place), at)
        return votes.holding(Home.of(crowd.place), due_at) is not None

    def outside_hours(self, crowds: Iterable[Crowd], windows: SendingWindows, at: datetime) -> int:
        """How many people's windows are shut at that moment."""
        return sum(crowd.count for crowd in crowds if opens(windows, self.zone_of(crowd.place), at) != at)
