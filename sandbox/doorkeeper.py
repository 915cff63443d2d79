"""What a provider lets in: its limits of rate and connections, its blocks, its greylist. Pure.

Moments are seconds on any clock that only goes forward, so that a rehearsal may last a second or a day.
"""

from sandbox.manners import Manners

BURST_SECONDS = 2.0


class Doorkeeper:
    """Remembers who came when. `strict`: who comes too fast is shut out for the time its manners name."""

    def __init__(self, manners: Manners, *, speed: float = 1.0, strict: bool = False) -> None:
        """`speed` divides every wait, not the rates."""
        self._manners = manners
        self._speed = speed
        self._strict = strict
        self._first_seen: dict[tuple[str, str], float] = {}
        self._next_free: dict[str, float] = {}
        self._shut_until: dict[str, float] = {}

    def admits_connection(self, open_connections: int) -> bool:
        """Whether one more is welcome; `open_connections` counts it too."""
        most = self._manners.connections
        return most is None or open_connections <= most

    def admits_another(self, taken_before: int) -> bool:
        """Whether a connection that has brought so many messages may bring one more."""
        most = self._manners.messages_per_connection
        return most is None or taken_before < most

    def is_too_fast(self, domain: str, now: float) -> bool:
        """GCRA over the domain of the return path; a message within the limit uses its slot up."""
        rate = self._manners.rate_per_second
        if now < self._shut_until.get(domain, 0.0):
            return True
        if rate is None:
            return False
        next_free = max(self._next_free.get(domain, 0.0), now)
        if next_free - now > BURST_SECONDS:
            if self._strict and self._manners.block_seconds:
                self._shut_until[domain] = now + self._manners.block_seconds / self._speed
            return True
        self._next_free[domain] = next_free + 1 / rate
        return False

    def must_wait(self, domain: str, recipient: str, now: float) -> bool:
        """Greylisting: known since long enough? Remembers the first attempt."""
        first = self._first_seen.setdefault((domain, recipient), now)
        return now - first < self._manners.greylist_seconds / self._speed
