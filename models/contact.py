"""People, their tags, what they agreed to, and the import runs that brought them."""

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, moment, primary_key
from models.states import Channel, ConsentStatus


class Contact(SQLModel, table=True):
    """One person: addresses, territory, what they agreed to.

    `email` is normalised (email-validator), `phone` is E.164; each belongs to one contact only, so
    that nobody is written to twice. `*_hash` is `models.suppression.address_hash` of the address,
    `email_domain` what follows its @;
    `*_key` is `models.text.fold` of the column beside it (of each value, for `attributes`).
    `departement` and `region` are INSEE codes. `targeting_consent`: whether political messages may be chosen
    for them by what is known of them (`TargetingStatement`).
    """

    __tablename__ = "contact"
    __table_args__ = (
        # Holds all that most segments ask of a person besides tags: such a question reads the index alone.
        sa.Index(
            "ix_contact_place_and_level", "departement", "region", "level_key", postgresql_include=["id"]
        ),
        # Most files say nothing of these: an index of what is known costs nothing where nothing is.
        *(
            sa.Index(
                f"ix_contact_known_{name}",
                name,
                postgresql_where=sa.text(f"{name} IS NOT NULL"),
                sqlite_where=sa.text(f"{name} IS NOT NULL"),
            )
            for name in ("canton_key", "circonscription", "polling_station")
        ),
    )

    id: int = primary_key()
    external_id: str | None = Field(default=None, unique=True, max_length=200)
    email: str | None = Field(default=None, unique=True, max_length=254)
    email_hash: str | None = Field(default=None, max_length=64)
    email_domain: str | None = Field(default=None, max_length=253)
    phone: str | None = Field(default=None, unique=True, max_length=20)
    phone_hash: str | None = Field(default=None, max_length=64)
    civility: str | None = Field(default=None, max_length=40)
    first_name: str | None = Field(default=None, max_length=200)
    last_name: str | None = Field(default=None, max_length=200)
    language: str = Field(default="fr", max_length=10)
    birth_date: date | None = None
    level: str | None = Field(default=None, max_length=100)
    level_key: str | None = Field(default=None, index=True, max_length=100)
    commune: str | None = Field(default=None, max_length=200)
    commune_key: str | None = Field(default=None, index=True, max_length=200)
    postcode: str | None = Field(default=None, index=True, max_length=20)
    departement: str | None = Field(default=None, max_length=10)
    region: str | None = Field(default=None, max_length=10)
    canton: str | None = Field(default=None, max_length=200)
    canton_key: str | None = Field(default=None, max_length=200)
    circonscription: str | None = Field(default=None, max_length=40)
    polling_station: str | None = Field(default=None, max_length=40)
    attributes: dict[str, str] = document()
    attributes_key: dict[str, str] = document()
    email_consent: ConsentStatus = choice(ConsentStatus, default=ConsentStatus.UNKNOWN)
    sms_consent: ConsentStatus = choice(ConsentStatus, default=ConsentStatus.UNKNOWN)
    targeting_consent: ConsentStatus = choice(
        ConsentStatus, default=ConsentStatus.UNKNOWN, server_default=True
    )
    created_at: datetime = moment()
    updated_at: datetime = moment()


class Tag(SQLModel, table=True):
    """One word of the tag vocabulary: `key` is the folded form, `label` how people write it."""

    __tablename__ = "tag"

    key: str = Field(primary_key=True, max_length=100)
    label: str = Field(max_length=100)


class ContactTag(SQLModel, table=True):
    """A contact wears a tag. Keyed by tag first: segments ask who wears it.

    `contact_id` is a contact's number, unchecked: see `store.cascade`.
    """

    __tablename__ = "contact_tag"
    __table_args__ = (sa.Index("ix_contact_tag_contact_id", "contact_id"), {"sqlite_with_rowid": False})

    tag_key: str = Field(primary_key=True, max_length=100)
    contact_id: int = Field(primary_key=True, sa_type=BigId)


class ConsentRecord(SQLModel, table=True):
    """What a person said of a channel, when and where: append-only evidence.

    The contact's `*_consent` columns hold the latest for speed; this is the proof (GDPR article 7(1)).
    `contact_id` is a contact's number, unchecked: see `store.cascade`.
    """

    __tablename__ = "consent_record"
    __table_args__ = (
        # The same statement imported again is the same row.
        sa.UniqueConstraint("contact_id", "channel", "status", "source", "given_at"),
    )

    id: int = primary_key()
    contact_id: int = Field(sa_type=BigId)
    channel: Channel = choice(Channel)
    status: ConsentStatus = choice(ConsentStatus)
    source: str = Field(default="", max_length=300)
    given_at: datetime = moment()
    recorded_at: datetime = moment()


class TargetingStatement(SQLModel, table=True):
    """What a person said of political messages being chosen for them by their data: append-only evidence.

    Regulation (EU) 2024/900, article 18(1)(b), asks for this consent apart from any other.
    `contact_id` is a contact's number, unchecked: see `store.cascade`.
    """

    __tablename__ = "targeting_statement"
    __table_args__ = (
        # The same statement imported again is the same row.
        sa.UniqueConstraint("contact_id", "status", "source", "given_at"),
    )

    id: int = primary_key()
    contact_id: int = Field(sa_type=BigId)
    status: ConsentStatus = choice(ConsentStatus)
    source: str = Field(default="", max_length=300)
    given_at: datetime = moment()
    recorded_at: datetime = moment()


class ImportState(StrEnum):
    """Where an import run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class ImportRun(SQLModel, table=True):
    """One reading of one file. `next_line` is the checkpoint from which a repeat of the same file goes on."""

    __tablename__ = "import_run"

    id: int = primary_key()
    file_name: str = Field(max_length=500)
    file_sha256: str = Field(index=True, max_length=64)
    mapping: dict[str, str] = document()
    state: ImportState = choice(ImportState, default=ImportState.RUNNING)
    next_line: int = 0
    rows_read: int = 0
    rows_created: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    rows_noted: int = 0
    addresses_suppressed: int = 0
    report_path: str | None = Field(default=None, max_length=1000)
    started_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)


class BulkState(StrEnum):
    """Where a file that a program handed over stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class BulkImport(SQLModel, table=True):
    """A file of people that a program handed over, to be read in its turn.

    `stored` is its name among the files kept meanwhile, `options` how it is read. `file_sha256` leads to its
    `ImportRun`, which counts. `numbered_from`: the line of its first person, as its sender counts.
    """

    __tablename__ = "bulk_import"
    __table_args__ = (
        sa.Index(
            "ix_bulk_import_open",
            "id",
            postgresql_where=sa.text("state IN ('waiting', 'running')"),
            sqlite_where=sa.text("state IN ('waiting', 'running')"),
        ),
    )

    id: int = primary_key()
    key_id: int = Field(sa_type=BigId)
    file_name: str = Field(default="", max_length=200)
    stored: str = Field(max_length=100)
    file_sha256: str = Field(max_length=64)
    size: int = Field(sa_type=BigId)
    bytes_read: int = Field(default=0, sa_type=BigId)
    columns: dict[str, str] = document()
    options: dict[str, str] = document()
    numbered_from: int = 2
    state: BulkState = choice(BulkState, default=BulkState.WAITING)
    attempts: int = 0
    problem: str = Field(default="", max_length=1000)
    created_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
