"""Keys with which programs call us, and the answers they may ask for twice."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, foreign_key, moment, primary_key


class KeyMode(StrEnum):
    """LIVE keys write to people; what a TEST key sends goes through everything and leaves for nowhere."""

    LIVE = "live"
    TEST = "test"


class Scope(StrEnum):
    """What a key may do: a noun and a verb. Reading people's data and changing it are granted apart.

    CAMPAIGNS_OVERRIDE is an administrator's: past the checks with a reason, past the limits on frequency.
    """

    MESSAGES_SEND = "messages:send"
    MESSAGES_READ = "messages:read"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    TEMPLATES_READ = "templates:read"
    IDENTITIES_READ = "identities:read"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    CAMPAIGNS_OVERRIDE = "campaigns:override"
    EVENTS_READ = "events:read"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    INTERACTIONS_READ = "interactions:read"
    INTERACTIONS_WRITE = "interactions:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


class ApiKey(SQLModel, table=True):
    """A key: the secret is shown once, this row holds its SHA-256 and `hint`, its last four characters.

    Empty `identity_ids`: any identity. Empty `networks` (CIDR): from anywhere. `per_minute`: calls a minute,
    None for the installation's. A key that was rotated names its `successor_id` and ends at `expires_at`;
    the successor names the `first_id` of its line.
    """

    __tablename__ = "api_key"

    id: int = primary_key()
    name: str = Field(max_length=100)
    mode: KeyMode = choice(KeyMode)
    key_hash: str = Field(unique=True, max_length=64)
    hint: str = Field(max_length=8)
    scopes: list[str] = document([])
    identity_ids: list[int] = document([])
    networks: list[str] = document([])
    per_minute: int | None = None
    created_by: str = Field(default="", max_length=254)
    created_at: datetime = moment()
    expires_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)
    revoked_by: str = Field(default="", max_length=254)
    last_used_at: datetime | None = moment(nullable=True)
    last_used_from: str = Field(default="", max_length=45)
    successor_id: int | None = foreign_key("api_key.id", nullable=True)
    first_id: int | None = foreign_key("api_key.id", nullable=True)

    @property
    def line_id(self) -> int:
        """The number of the first key of its line: a call made again with the successor is the same call."""
        return self.first_id or self.id


class IdempotencyRecord(SQLModel, table=True):
    """What was answered to a call that named an Idempotency-Key, written with what the call did.

    `body_sha256` is that of the route and the body's canonical JSON: another body under the same key is
    refused. `answer` is the body of the answer as it was sent.
    """

    __tablename__ = "idempotency_record"
    __table_args__ = (sa.Index("ix_idempotency_record_expires_at", "expires_at"),)

    key_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="api_key.id", ondelete="CASCADE")
    key: str = Field(primary_key=True, max_length=255)
    body_sha256: str = Field(max_length=64)
    status: int
    answer: str
    made_at: datetime = moment()
    expires_at: datetime = moment()
