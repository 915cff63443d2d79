"""One message that a program asked for: what it gave us, beside the delivery that carries it."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.api import KeyMode
from models.columns import BigId, choice, document, moment, primary_key
from models.states import Channel, Purpose


class MessageResult(StrEnum):
    """What came of the wish: a delivery, or none because its person must not be written to."""

    ACCEPTED = "accepted"
    SUPPRESSED = "suppressed"


class Message(SQLModel, table=True):
    """A wish that was answered with 202. Its delivery, if it has one, names it (`Delivery.message_id`).

    `campaign_id` is the stream that carries it, `key_id` the key it came with; `contact_id`, unchecked as a
    delivery's, is who has the address. `values` are the variables as text, by merge field. `reference` is
    the caller's own name for it, not unique; `details` are its metadata. `segments` of a text message;
    `cost` in hundred-thousandths of the currency of the settings, None where no price is known.
    `address_given`: the program said the address itself, and did not name a contact by its number or id.
    """

    __tablename__ = "message"
    __table_args__ = (
        sa.Index("ix_message_key_id", "key_id", "id"),
        sa.Index("ix_message_contact_id", "contact_id"),
        # Serves the proof of a stream, and whether it has been idle.
        sa.Index("ix_message_campaign_id", "campaign_id", "id"),
        sa.Index(
            "ix_message_reference",
            "reference",
            postgresql_where=sa.text("reference <> ''"),
            sqlite_where=sa.text("reference <> ''"),
        ),
        # Serves test keys: what they may see, among all that is not theirs.
        sa.Index(
            "ix_message_test",
            "id",
            postgresql_where=sa.text("mode = 'test'"),
            sqlite_where=sa.text("mode = 'test'"),
        ),
        # Serves whoever looks up an address: what was never to leave has no delivery.
        sa.Index(
            "ix_message_undelivered",
            "address",
            postgresql_where=sa.text("result = 'suppressed'"),
            sqlite_where=sa.text("result = 'suppressed'"),
        ),
    )

    id: int = primary_key()
    key_id: int = Field(sa_type=BigId)
    mode: KeyMode = choice(KeyMode)
    campaign_id: int = Field(sa_type=BigId)
    identity_id: int = Field(sa_type=BigId)
    contact_id: int | None = Field(default=None, sa_type=BigId)
    channel: Channel = choice(Channel)
    purpose: Purpose = choice(Purpose)
    address: str = Field(max_length=254)
    address_given: bool = Field(default=True, sa_column_kwargs={"server_default": sa.text("true")})
    result: MessageResult = choice(MessageResult)
    reason: str = Field(default="", max_length=40)
    reference: str = Field(default="", max_length=200)
    details: dict[str, str] = document()
    values: dict[str, str] = document()
    segments: int | None = None
    cost: int | None = None
    send_at: datetime = moment()
    created_at: datetime = moment()
