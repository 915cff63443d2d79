"""How often one person is written to: so many messages in a rolling span, whoever sends them. Pure.

Counted per person and not per address, over all identities, all campaigns and both channels: another
sender, or the telephone instead of the mailbox, is no way round it. A rolling span and not a calendar day:
with "one a day" a message at 23:50 and another at 00:10 would both be right.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.errors import BadInputError
from models.states import Channel

Touch = tuple[Channel, datetime]
"""A message a person got, or is getting: by which channel, when."""

ADVICE: Final = "Write as in '1/24h 3/7d 8/30d' (h: hours, d: days), or 'off'."
OFF: Final = "off"
LONGEST: Final = timedelta(days=400)
_WINDOW = re.compile(r"(?P<most>[0-9]{1,4})/(?P<count>[0-9]{1,4})(?P<unit>[hd])\Z")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class FrequencyWindow:
    """At most `most` messages in any span of that length; of one channel, or of both together (None)."""

    most: int
    span: timedelta
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class FrequencyPolicy:
    """The windows that all hold at once; none at all: no limit."""

    windows: tuple[FrequencyWindow, ...] = ()

    def windows_for(self, channel: Channel) -> tuple[FrequencyWindow, ...]:
        """Those that a message by `channel` must respect."""
        return tuple(window for window in self.windows if window.channel in {None, channel})

    @property
    def longest(self) -> timedelta:
        """How far back messages matter; zero without a window."""
        return max((window.span for window in self.windows), default=timedelta(0))


def read_windows(text: str, channel: Channel | None = None) -> tuple[FrequencyWindow, ...]:
    """The windows written as `1/24h 3/7d 8/30d` (one in 24 hours …); `off` or nothing: none.

    BadInputError when it cannot be understood.
    """
    if text.strip().lower() in {"", OFF}:
        return ()
    found = []
    for word in text.replace(",", " ").lower().split():
        parts = _WINDOW.match(word)
        if parts is None:
            raise BadInputError(f"{word!r} is no limit on messages to one person.", ADVICE)
        most, span = int(parts["most"]), int(parts["count"]) * _UNITS[parts["unit"]]
        if most == 0 or not timedelta(0) < span <= LONGEST:
            raise BadInputError(
                f"{word!r}: at least one message, in one hour to {LONGEST.days} days.", ADVICE
            )
        found.append(FrequencyWindow(most, span, channel))
    return tuple(found)


def write_windows(windows: Iterable[FrequencyWindow]) -> str:
    """The written form of windows, which `read_windows` reads back."""
    return " ".join(f"{window.most}/{_write_span(window.span)}" for window in windows) or OFF


def _write_span(span: timedelta) -> str:
    hours = span // timedelta(hours=1)
    # A day is said in hours, as people do: "24h" leaves no doubt that it is no calendar day.
    return f"{hours}h" if hours % 24 or hours == 24 else f"{hours // 24}d"


USUAL: Final = FrequencyPolicy(read_windows("1/24h 3/7d 8/30d") + read_windows("1/7d 3/30d", Channel.SMS))
"""What holds unless the settings say otherwise."""


def next_eligible(
    touches: Sequence[Touch], channel: Channel, now: datetime, policy: FrequencyPolicy
) -> datetime | None:
    """When a person may next get a message by `channel`; None: now.

    `touches` are the messages the person got (those exempt not included), in any order, at least as far
    back as `policy.longest`; one still under way counts as of now. One that is planned for later may be
    among them: the message asked about must leave room for it.
    """
    windows = policy.windows_for(channel)
    moments = [
        (window, sorted(at for by, at in touches if window.channel in {None, by})) for window in windows
    ]
    if all(_leaves_room(window, known, now) for window, known in moments):
        return None
    candidates = sorted({at + window.span for window, known in moments for at in known} - {now})
    return next(
        at
        for at in candidates
        if at > now and all(_leaves_room(window, known, at) for window, known in moments)
    )


def _leaves_room(window: FrequencyWindow, known: Sequence[datetime], at: datetime) -> bool:
    """Whether no span of the window's length would hold one message too many with another one at `at`."""
    around = sorted([*known, at])
    place = around.index(at)
    first = max(0, place - window.most)
    return all(
        around[start + window.most] - around[start] >= window.span
        for start in range(first, min(place, len(around) - 1 - window.most) + 1)
    )
