"""What every noun's JSON has in common."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from web.api.problems import CODES


class Given(BaseModel):
    """What callers send: a name that is not known is refused, so that no slip goes unnoticed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Told(BaseModel):
    """What callers are told. New parts may be added: whoever reads it passes over what they do not know."""

    model_config = ConfigDict(from_attributes=True)


def _storable(moment: datetime) -> datetime:
    try:
        brought = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is beyond the calendar") from error
    if not 1970 <= brought.year <= 9000:
        raise ValueError("is beyond the calendar")
    return brought


def _clean(text: str) -> str:
    if "\0" in text or not text.isprintable():
        raise ValueError("holds control characters")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_storable)]
"""A moment with its offset; told in UTC."""
Line = Annotated[str, AfterValidator(_clean)]
"""One line of text."""


class FaultOut(Told):
    """One part of a request that is not as it should be."""

    field: str = Field(examples=["to.email"])
    code: str
    message: str
    position: int | None = Field(default=None, description="Where in a text, in characters from 0.")


class ProblemOut(Told):
    """What went wrong (RFC 9457). `code` never changes its meaning; sentences may."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(examples=["missing_variables"])
    request_id: str = Field(examples=["req_5f2c8a1b9d3e4f5061728394"])
    errors: list[FaultOut] = []


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """For the description of an endpoint: the problems it may answer with, besides those of every call."""
    told: dict[int | str, dict[str, Any]] = {}
    for code in ("bad_request", "unauthenticated", "missing_scope", "rate_limited", "unavailable", *codes):
        status, title = CODES[code]
        known = told.get(status)
        words = title if known is None else f"{known['description']}; {title}"
        told[status] = {
            "description": words,
            "model": ProblemOut,
            "content": {"application/problem+json": {}},
        }
    return told
