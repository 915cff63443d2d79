"""What people did with us elsewhere, as JSON."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from models.interaction import KIND_LENGTH, Interaction, kind_key
from web.api.faults import Unread, apart
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Given, Line, Moment, ProblemOut, Told

MOST_AT_ONCE = 500


class PersonIn(Given):
    """Who it was: one of these."""

    id: str | None = Field(default=None, max_length=40, description="The contact's id.")
    external_id: Line | None = Field(
        default=None, max_length=200, description="The contact's id in your CRM."
    )
    email: Line | None = Field(default=None, max_length=320, examples=["camille@gmail.com"])
    phone: Line | None = Field(default=None, max_length=40)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.id, self.external_id, self.email, self.phone)) != 1:
            raise ValueError("name exactly one of id, external_id, email, phone")
        return self


class InteractionIn(Given):
    """One thing one person did.

    `kind` in your own words; segments know it without accents, case and hyphens (`interaction:meeting`).
    """

    contact: PersonIn
    kind: Line = Field(max_length=KIND_LENGTH, examples=["meeting attended", "door knocked", "petition"])
    at: Moment | None = Field(default=None, description="When it was; now unless said.")
    source: Line = Field(default="", max_length=100, description="Who tells it.", examples=["field app"])
    external_id: Line | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The source's own name for it: told again, it is the same one, as it is told last.",
    )
    details: dict[Annotated[Line, Field(max_length=60)], Annotated[Line, Field(max_length=500)]] = Field(
        default_factory=dict, max_length=30, examples=[{"place": "Marseille"}]
    )

    @model_validator(mode="after")
    def _told(self) -> Self:
        if not kind_key(self.kind):
            raise ValueError("kind says nothing")
        if self.external_id is not None and not self.source:
            raise ValueError("external_id needs the source whose name it is")
        return self


class InteractionsIn(Given):
    """Up to 500."""

    interactions: list[Annotated[InteractionIn | SkipJsonSchema[Unread], apart(InteractionIn)]] = Field(
        min_length=1, max_length=MOST_AT_ONCE
    )


class InteractionOut(Pickable):
    """One of them, on record. `kind` as it was written, `key` as segments know it."""

    id: str = Field(examples=["int_aeaaaaaaaaaaaaaaaaaaaaaa"])
    contact: str
    kind: str
    key: str
    at: datetime
    source: str
    external_id: str | None
    details: dict[str, str]
    recorded_at: datetime

    @classmethod
    def of(cls, ids: Ids, row: Interaction) -> "InteractionOut":
        """As it stands."""
        return cls(
            id=ids.write(Kind.INTERACTION, row.id),
            contact=ids.write(Kind.CONTACT, row.contact_id),
            kind=row.label,
            key=row.kind,
            at=row.at,
            source=row.source,
            external_id=row.external_id,
            details=row.details,
            recorded_at=row.recorded_at,
        )


class WroteOut(Told):
    """What came of one of a batch: its id where it is on record (201 made, 200 changed), else the problem."""

    status: int
    id: str | None = None
    problem: ProblemOut | None = None


class InteractionBatchOut(Told):
    """One result each, in the order in which they were sent."""

    written: int
    refused: int
    results: list[WroteOut]
