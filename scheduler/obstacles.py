"""What keeps identities from sending, as all workers together know it.

Each worker knows what it met itself. Whoever sweeps tells campaigns about all of it, and of one identity and
channel the worker that tried last has the last word: what another met before may be mended since.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from models.states import Channel
from scheduler.presence import Told

Place = tuple[int, Channel]
KEPT = timedelta(hours=6)
"""An identity not tried for so long is none of this worker's business any more."""


class Obstacles:
    """The places this worker tried, and when."""

    def __init__(self) -> None:
        self._tried: dict[Place, datetime] = {}

    def tried(self, place: Place, now: datetime) -> None:
        """A lane of that identity and channel is being drained, or was until now."""
        self._tried[place] = now

    def told(self, obstacles: Mapping[Place, str], now: datetime) -> list[Told]:
        """What to tell the others: `obstacles` as they stand, and where there are none."""
        self._tried = {place: at for place, at in self._tried.items() if now - at < KEPT}
        return [
            (identity, channel.value, obstacles.get((identity, channel), ""), at.isoformat())
            for (identity, channel), at in self._tried.items()
        ]


def merge(own: Sequence[Told], others: Iterable[Sequence[Any]]) -> dict[Place, str]:
    """Everybody's obstacles, the last word of each place; places without one left out."""
    last: dict[Place, tuple[datetime, str]] = {}
    for identity, channel, text, at in (*own, *others):
        place, moment = (int(identity), Channel(channel)), datetime.fromisoformat(at)
        if place not in last or last[place][0] < moment:
            last[place] = (moment, str(text))
    return {place: text for place, (_, text) in last.items() if text}
