"""Long lists, a page at a time: where the next one begins, and which parts of each thing are told.

A cursor names the last thing that was told, not a number of things to pass over: whatever comes or goes
meanwhile, nothing is told twice and nothing is left out. It is signed, with the question it belongs to: one
that was made up, or is sent with other filters, is refused instead of answered wrongly.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from web.api.auth import Caller
from web.api.problems import ApiProblemError, Fault
from web.api.schemas import Told

T = TypeVar("T")
Place = tuple[int | str, ...]
"""Where in an order something stands: the values it is ordered by, the last of them its number."""
MOST: Final = 200
USUAL: Final = 50
_MAC_BYTES: Final = 12
_OF_THE_PAGE: Final = frozenset({"cursor", "limit", "fields"})

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="`next_cursor` of the page before, with the same filters."),
]
Fields = Annotated[
    str | None,
    Query(
        max_length=500,
        pattern=r"^[a-z_]+(,[a-z_]+)*$",
        description="Only these parts of each, with commas between; `id` always comes along.",
        examples=["email,tags"],
    ),
]


def _all_may_lack(schema: dict[str, Any]) -> None:
    schema["required"] = ["id"]


class Pickable(Told):
    """A thing of which callers may ask for some parts by `fields`; without it all of them are there."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra=_all_may_lack)

    id: str


class PageOut(Told, Generic[T]):
    """One page. `next_cursor` is there when `has_more`."""

    data: list[T]
    has_more: bool
    next_cursor: str | None = Field(default=None)


class Paging:
    """The page that one call asks for: `after` says where it begins (None: at the beginning)."""

    def __init__(self, caller: Caller, limit: int, cursor: str | None) -> None:
        """ApiProblemError for a cursor that does not belong to this question."""
        self._key = caller.context.keyring.key("api/cursor")
        self._question = _question(caller)
        self.limit = limit
        self.after: Place | None = None if cursor is None else self._read(cursor)

    @property
    def wanted(self) -> int:
        """How many to ask the ledger for: one more than is told, which says whether there are more."""
        return self.limit + 1

    def answer(
        self,
        found: Sequence[T],
        place: Callable[[T], Place],
        model: type[BaseModel],
        tell: Callable[[T], BaseModel],
        fields: str | None = None,
    ) -> Response:
        """The page as it is sent; `found` are up to `wanted` things, in their order, told as `model`."""
        shown = found[: self.limit]
        more = len(found) > self.limit
        cursor = self._write(place(shown[-1])) if more else None
        data = picked(model, (tell(one) for one in shown), fields)
        return _json({"data": data, "has_more": more, "next_cursor": cursor})

    def _write(self, place: Place) -> str:
        plain = json.dumps(place, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(plain) + plain).rstrip(b"=").decode()

    def _read(self, cursor: str) -> Place:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, plain = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(plain)):
            problem = "This cursor was not given for this question: keep the filters, or begin without one."
            raise ApiProblemError("invalid", problem, [Fault("cursor", "invalid", problem)])
        return tuple(json.loads(plain))

    def _mac(self, plain: bytes) -> bytes:
        return hmac.digest(self._key, self._question + plain, hashlib.sha256)[:_MAC_BYTES]


def picked(model: type[BaseModel], things: Iterable[BaseModel], fields: str | None) -> list[dict[str, Any]]:
    """Each as JSON, with the parts that `fields` names; ApiProblemError for one that `model` has not."""
    if fields is None:
        return [thing.model_dump(mode="json", by_alias=True) for thing in things]
    wanted = {"id", *fields.split(",")}
    _refuse_unknown(wanted, model.model_fields)
    return [thing.model_dump(mode="json", by_alias=True, include=wanted) for thing in things]


def one_of(thing: BaseModel, fields: str | None = None, *, status: int = 200) -> Response:
    """One thing as it is sent."""
    return _json(picked(type(thing), [thing], fields)[0], status)


def _refuse_unknown(wanted: Iterable[str], there: Mapping[str, object]) -> None:
    unknown = sorted(set(wanted) - set(there))
    if unknown:
        problem = f"There is no field {', '.join(unknown)}; there are {', '.join(sorted(there))}."
        raise ApiProblemError("invalid", problem, [Fault("fields", "invalid", problem)])


def _question(caller: Caller) -> bytes:
    request = caller.request
    asked = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _OF_THE_PAGE)
    return hashlib.sha256(json.dumps([request.url.path, asked]).encode()).digest()


def _json(told: Any, status: int = 200) -> Response:
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")
