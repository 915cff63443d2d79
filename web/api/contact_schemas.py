"""People as JSON: what is said of them, and what is told of them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from audience.consent import TARGETING, Statement, Topic
from audience.import_rows import Note
from audience.one_person import Card
from audience.segment_words import attribute_key
from models.contact import Contact
from models.segment_tree import ATTRIBUTE_PREFIX
from models.states import Channel, ConsentStatus
from models.text import fold
from web.api.ids import Ids, Kind
from web.api.paging import Pickable
from web.api.schemas import Given, Line, Moment, Told

CONTACT = "The contact's id."
ContactId = Annotated[str, Field(max_length=40, examples=["ctc_aeaaaaaaaaaaaaaaaaaaaaaa"])]
AboutWhat = Literal["email", "sms", "targeting"]


def _wearable(label: str) -> str:
    if not 0 < len(fold(label)) <= 100:
        raise ValueError("is no word")
    return label


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    if not all(map(attribute_key, attributes)):
        raise ValueError("has a name without letters or digits")
    return attributes


Label = Annotated[
    Line, Field(min_length=1, max_length=100, pattern=r"^[^,;|\n]+$"), AfterValidator(_wearable)
]
Attribute = Annotated[Line, Field(max_length=1000)]
_PLAIN = (
    *("external_id", "email", "phone", "civility", "first_name", "last_name", "language", "level", "commune"),
    *("postcode", "departement", "region", "canton", "circonscription", "polling_station"),
)


class ConsentIn(Given):
    """What a person said of being written to, or of being chosen by what is known of them."""

    status: Literal[ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN]
    source: Line | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="Where they said so; the key's name unless said.",
        examples=["form on our site"],
    )
    given_at: Moment | None = Field(
        default=None,
        description="When they said so. Without it a yes never overturns a refusal on record.",
    )


class ConsentsIn(Given):
    """By what the consent is about."""

    email: ConsentIn | None = None
    sms: ConsentIn | None = None
    targeting: ConsentIn | None = None


class ContactIn(Given):
    """What is said of one person. What is not named stays as it is; null, or blank text, empties.

    Read as a row of a CSV import is: addresses are normalised, a French postcode gives the département.
    """

    external_id: Line | None = Field(default=None, max_length=200, description="The person's id in your CRM.")
    email: Line | None = Field(default=None, max_length=320, examples=["camille@gmail.com"])
    phone: Line | None = Field(default=None, max_length=40, examples=["06 12 34 56 78"])
    civility: Line | None = Field(default=None, max_length=40)
    first_name: Line | None = Field(default=None, max_length=200)
    last_name: Line | None = Field(default=None, max_length=200)
    language: Line | None = Field(default=None, max_length=40, examples=["fr"])
    birth_date: date | None = None
    level: Line | None = Field(default=None, max_length=100, examples=["adhérent"])
    commune: Line | None = Field(default=None, max_length=200)
    postcode: Line | None = Field(default=None, max_length=20)
    departement: Line | None = Field(default=None, max_length=200, description="A code or a name.")
    region: Line | None = Field(default=None, max_length=200, description="A code or a name.")
    canton: Line | None = Field(default=None, max_length=200)
    circonscription: Line | None = Field(default=None, max_length=200, examples=["13-04"])
    polling_station: Line | None = Field(default=None, max_length=40)
    attributes: Annotated[
        dict[Annotated[str, Field(max_length=100)], Attribute | None], AfterValidator(_named)
    ] = Field(
        default_factory=dict,
        max_length=200,
        description="Free attributes, laid over those there are; null takes one away.",
        examples=[{"profession": "enseignante"}],
    )
    tags: list[Label] | None = Field(
        default=[], max_length=200, description="Tags to put on; null takes all off.", examples=[["militant"]]
    )
    consents: ConsentsIn = Field(
        default_factory=ConsentsIn, description="Statements, each kept as proof (append-only)."
    )

    def card(self, teller: str, external_id: str | None = None) -> Card:
        """As it is laid over who is there; `teller`: where consent was given unless said."""
        named = self.model_fields_set
        cells: dict[str, str | None] = {name: getattr(self, name) or None for name in _PLAIN if name in named}
        if external_id is not None:
            cells["external_id"] = external_id
        if "birth_date" in named:
            cells["birth_date"] = None if self.birth_date is None else self.birth_date.isoformat()
        for name, value in self.attributes.items():
            key = attribute_key(name)
            cells["country" if key == "country" else f"{ATTRIBUTE_PREFIX}{key}"] = value or None
        return Card(cells, self.tags or (), self.tags is None, self._statements(teller))

    def _statements(self, teller: str) -> dict[Topic, Statement]:
        given: tuple[tuple[Topic, ConsentIn | None], ...] = (
            (Channel.EMAIL, self.consents.email),
            (Channel.SMS, self.consents.sms),
            (TARGETING, self.consents.targeting),
        )
        return {
            topic: Statement(said.status, said.given_at, said.source or teller)
            for topic, said in given
            if said is not None
        }


class ConsentsOut(Told):
    """What holds at present."""

    email: ConsentStatus
    sms: ConsentStatus
    targeting: ConsentStatus


class NoteOut(Told):
    """Something a person should look at: it was taken over, or passed over, all the same."""

    field: str
    message: str

    @classmethod
    def of(cls, note: Note) -> "NoteOut":
        """A note of the reader."""
        return cls(field=note.field, message=note.reason)


class ContactOut(Pickable):
    """One person."""

    id: str = Field(examples=["ctc_aeaaaaaaaaaaaaaaaaaaaaaa"])
    external_id: str | None
    email: str | None
    phone: str | None = Field(description="E.164.")
    civility: str | None
    first_name: str | None
    last_name: str | None
    language: str
    birth_date: date | None
    level: str | None
    commune: str | None
    postcode: str | None
    departement: str | None = Field(description="INSEE code.")
    region: str | None = Field(description="INSEE code.")
    canton: str | None
    circonscription: str | None
    polling_station: str | None
    attributes: dict[str, str]
    tags: list[str]
    consents: ConsentsOut
    created_at: datetime
    updated_at: datetime
    notes: list[NoteOut] | None = Field(default=None, description="In answers to writing alone.")

    @classmethod
    def of(
        cls, ids: Ids, contact: Contact, tags: Sequence[str], notes: Sequence[Note] | None = None
    ) -> "ContactOut":
        """As they are known."""
        plain: dict[str, Any] = {
            name: getattr(contact, name) for name in (*_PLAIN, "birth_date", "attributes")
        }
        return cls(
            **plain,
            id=ids.write(Kind.CONTACT, contact.id),
            tags=list(tags),
            consents=ConsentsOut(
                email=contact.email_consent, sms=contact.sms_consent, targeting=contact.targeting_consent
            ),
            created_at=contact.created_at,
            updated_at=contact.updated_at,
            notes=None if notes is None else [NoteOut.of(note) for note in notes],
        )


class TagsIn(Given):
    """Tags to put on and to take off; compared without accents, case and hyphens."""

    add: list[Label] = Field(default_factory=list, max_length=200)
    remove: list[Label] = Field(default_factory=list, max_length=200)


class TagsOut(Told):
    """The tags a person wears now."""

    tags: list[str]


class StatementIn(ConsentIn):
    """One statement and what it is about."""

    about: AboutWhat

    def topic(self) -> Topic:
        """As the rest of the house knows it."""
        return TARGETING if self.about == TARGETING else Channel(self.about)


class StatementOut(Told):
    """What a person said, where and when."""

    about: AboutWhat
    status: ConsentStatus
    source: str
    given_at: datetime
    recorded_at: datetime


class StatementsOut(Told):
    """Every statement, the newest first, and what holds."""

    data: list[StatementOut]
    holds: ConsentsOut
