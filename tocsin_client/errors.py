"""What a program may have to deal with: a problem that was told, no answer at all, a forged webhook."""

from collections.abc import Mapping, Sequence
from typing import TypedDict


class Fault(TypedDict):
    """One part of a request that is not as it should be. `field`: a path such as `to.email`."""

    field: str
    code: str
    message: str


class ClientError(Exception):
    """Something the client cannot go on with."""


class ApiProblemError(ClientError):
    """The service answered with a problem (RFC 9457). `code` never changes its meaning; sentences may."""

    def __init__(
        self, status: int, code: str, detail: str, faults: Sequence[Fault] = (), request_id: str = ""
    ) -> None:
        """`request_id`: under which the service's log has the call."""
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.faults, self.request_id = tuple(faults), request_id


class NoAnswerError(ClientError, ConnectionError):
    """Nobody answered, however often it was tried; what was asked for may have been done all the same.

    `key`: the Idempotency-Key of the call, if it has one. Made again under it, it is done once.
    """

    def __init__(self, reason: str, key: str | None = None) -> None:
        """`reason`: what stood in the way last."""
        super().__init__(f"No answer: {reason}.")
        self.key = key


class NotGenuineError(ClientError, ValueError):
    """A webhook that is not signed with this secret, or is too old: do nothing of what it says."""


def problem_of(status: int, told: object, headers: Mapping[str, str]) -> ApiProblemError:
    """What an answer of 300 and above says; whatever is between may have made it instead of the service."""
    known = told if isinstance(told, dict) else {}
    usual = "The answer is no problem of Tocsin's."
    if status < 400:
        usual = f"The service is elsewhere, at {headers.get('location', '?')}: nothing was done."
    return ApiProblemError(
        status,
        str(known.get("code", "unknown")),
        str(known.get("detail", usual)),
        known.get("errors", ()),
        str(known.get("request_id", headers.get("request-id", ""))),
    )
