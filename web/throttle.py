"""How often somebody may try something. Counted in memory: there is one front door a service.

A restart forgets the counts, which costs an attacker more than it gives: guessing stays slow.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

from models.clock import Clock

MOST_KEYS = 50_000
"""Keys remembered at once; the oldest is forgotten, so that strangers cannot fill the memory."""


class Throttle:
    """About `limit` tries a key within `span`; what counts as a try is the caller's affair.

    The generic cell rate algorithm: one moment a key, the one at which all its tries are paid off.
    """

    def __init__(self, clock: Clock, *, limit: int, span: timedelta) -> None:
        """`limit` tries at once, after which one more every `span / limit`."""
        self._clock = clock
        self._interval = span / limit
        self._span = span
        self._paid_at: OrderedDict[str, datetime] = OrderedDict()

    def wait(self, key: str) -> timedelta | None:
        """How long `key` has to wait before it may try again; None: it may try now."""
        now = self._clock.now()
        excess = self._paid_at.get(key, now) - now + self._interval - self._span
        return excess if excess > timedelta() else None

    def count(self, key: str) -> None:
        """Remember one try."""
        now = self._clock.now()
        self._paid_at[key] = max(self._paid_at.get(key, now), now) + self._interval
        self._paid_at.move_to_end(key)
        while len(self._paid_at) > MOST_KEYS:
            self._paid_at.popitem(last=False)

    def forget(self, key: str) -> None:
        """Start again from none, after a success."""
        self._paid_at.pop(key, None)
