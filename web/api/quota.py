"""How many calls a key may make: a bucket that refills evenly, so that a burst is taken and a flood is not.

Kept in the memory of each web process, like every count at the front door: a limit across several processes
is that many times as high.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

SPAN_S = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left to a key: `limit` calls in a span, `left` of them now, all of them again in `full_in` s.

    `wait`: seconds until the next one is taken, 0 when this one was.
    """

    limit: int
    left: int
    full_in: int
    wait: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """As callers are told (draft-ietf-httpapi-ratelimit-headers-10)."""
        told = {
            "RateLimit-Policy": f'"key";q={self.limit};w={int(SPAN_S)}',
            "RateLimit": f'"key";r={self.left};t={self.full_in}',
        }
        return told | ({"Retry-After": str(self.wait)} if self.wait else {})


@dataclass(slots=True)
class Quota:
    """The buckets of all keys that called this process."""

    _filled: dict[int, tuple[float, datetime]] = field(default_factory=dict)

    def take(self, key_id: int, limit: int, now: datetime, cost: int = 1) -> Standing:
        """Take a call of a key that may make `limit` a minute; `cost`: as how many it counts."""
        level, since = self._filled.get(key_id, (float(limit), now))
        pace = limit / SPAN_S
        level = min(float(limit), level + (now - since).total_seconds() * pace)
        cost = min(cost, limit)
        if level < cost:
            self._filled[key_id] = (level, now)
            wait = ceil((cost - level) / pace)
            return Standing(limit, 0, ceil((limit - level) / pace), max(1, wait))
        level -= cost
        self._filled[key_id] = (level, now)
        return Standing(limit, int(level), ceil((limit - level) / pace))
