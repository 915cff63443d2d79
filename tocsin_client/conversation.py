"""One call, from its first attempt to its answer: when it is made again, and how long is waited before.

Told as steps, without a wire, so that the client that waits and the one that awaits behave alike.
"""

import email.utils
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import SystemRandom
from types import MappingProxyType
from typing import Any, Final

from tocsin_client.errors import ApiProblemError, NoAnswerError, problem_of

IN_FLIGHT: Final = "call_in_flight"
NO_CONTENT: Final = 204
_draw: Final = SystemRandom().random


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is made at most, and how many seconds are waited in between.

    The wait doubles from `first_wait` to `longest_wait`, of which a part is left to chance, so that a
    thousand programs do not come back at the same moment. What the service asks for in Retry-After is
    waited in full; beyond `longest_wait` the problem is raised instead.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0

    def wait(self, attempt: int, draw: float) -> float:
        """After attempt number `attempt`, from 1; `draw` from 0 to 1."""
        longest = min(self.longest_wait, self.first_wait * 2 ** (attempt - 1))
        return float(longest * (0.5 + draw / 2))


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked. `takes_key`: it may be made twice under one Idempotency-Key.

    `body`: what is sent as JSON, or octets of `content_type`.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    body: Any = None
    content_type: str = ""
    takes_key: bool = False
    key: str | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether it does nothing new when it is made again, not knowing what became of it."""
        return self.takes_key or self.method in {"GET", "HEAD", "PUT", "DELETE"}


@dataclass(frozen=True, slots=True)
class Ask:
    """A step: make the call, with these headers; sent back is a `Reply`, or a `Lost`."""

    call: Call
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: wait so many seconds; sent back is None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case, `told` the JSON or None."""

    status: int
    headers: Mapping[str, str]
    told: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came back. `sent`: the request may have arrived all the same."""

    reason: str
    sent: bool = True


Steps = Generator[Ask | Pause, Reply | Lost | None, Any]


def converse(call: Call, patience: Patience, *, draw: Callable[[], float] = _draw) -> Steps:
    """The steps to the JSON of the answer; ApiProblemError, NoAnswerError."""
    key = (call.key or f"py-{secrets.token_hex(16)}") if call.takes_key else None
    headers = {} if key is None else {"Idempotency-Key": key}
    for attempt in range(1, patience.attempts + 1):
        found = _heard((yield Ask(call, headers)))
        last = attempt == patience.attempts
        match found:
            case Reply(status, _, told) if 200 <= status < 300:
                return told
            case Reply():
                wait = _wait_after(call, found, patience.wait(attempt, draw()))
                if last or wait is None or wait > patience.longest_wait:
                    raise problem_of(found.status, found.told, found.headers)
            case Lost(reason, sent):
                wait = patience.wait(attempt, draw())
                if last or (sent and not call.may_be_repeated):
                    raise NoAnswerError(reason, key)
            case None:
                raise RuntimeError("An attempt ends with a reply, or with its loss.")
        yield Pause(wait)
    raise ValueError("Patience begins with one attempt.")


def _heard(found: Reply | Lost | None) -> Reply | Lost | None:
    """What came back; a success without JSON is somebody's between us, and the service's answer is lost."""
    match found:
        case Reply(status, _, None) if 200 <= status < 300 and status != NO_CONTENT:
            return Lost(f"{status} without the JSON that the service answers with")
        case _:
            return found


def _wait_after(call: Call, reply: Reply, usual: float) -> float | None:
    """Seconds until it may be made again, None when that would change nothing."""
    problem: ApiProblemError = problem_of(reply.status, reply.told, reply.headers)
    in_flight = reply.status == 409 and problem.code == IN_FLIGHT
    # 429 and the same call in flight: nothing was done. A failure: who knows.
    if reply.status == 429 or in_flight or (reply.status >= 500 and call.may_be_repeated):
        asked = _retry_after(reply.headers.get("retry-after", ""))
        return usual if asked is None else max(usual, asked)
    return None


def _retry_after(text: str) -> float | None:
    """Seconds, from the two forms it has (RFC 9110 section 10.2.3)."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    now = datetime.now(UTC)  # noqa: TID251 - a client of its own, without the house's clock
    # A zone that is not known (-0000) is UTC, as all of HTTP.
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
