"""The unit of work: one contact, one campaign, one channel."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, foreign_key, moment, primary_key
from models.states import Channel, DeliveryState


class Delivery(SQLModel, table=True):
    """One message to one address, and where it stands.

    Either `contact_id` or `seed_id` is set; neither where a program writes to somebody unknown. `message_id`:
    what the program asked for (`models.message`), 0 for anything else, since NULLs are never alike. A lane is
    `identity_id` × `provider` (the destination's mailbox provider, or "sms"). `claim_token` fences: whoever
    records an outcome must still hold it; it begins with the number of the worker (`models.worker`) and stays
    on an uncertain delivery, so that the worker's journal can still tell what became of it. `exempt` ones
    count in no person's frequency cap.
    `due_at` is when it may next leave, `not_after` when it must not leave any more. `contact_id` and
    `identity_id` are numbers of rows that are there when it is made, unchecked: see `store.cascade`.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        # A campaign writes to a person once; what programs ask for, once each.
        sa.UniqueConstraint(
            *("campaign_id", "contact_id", "channel", "message_id"), name="uq_delivery_campaign_contact"
        ),
        sa.Index(
            "uq_delivery_message",
            "message_id",
            unique=True,
            postgresql_where=sa.text("message_id <> 0"),
            sqlite_where=sa.text("message_id <> 0"),
        ),
        # A seed gets the campaign once from each identity: placement is judged by identity and provider.
        sa.Index(
            "uq_delivery_seed",
            "campaign_id",
            "seed_id",
            "channel",
            "identity_id",
            unique=True,
            postgresql_where=sa.text("seed_id IS NOT NULL"),
            sqlite_where=sa.text("seed_id IS NOT NULL"),
        ),
        # Serves claims: what is due of one campaign in a lane, oldest first.
        sa.Index(
            "ix_delivery_due",
            "identity_id",
            "provider",
            "campaign_id",
            "due_at",
            "id",
            postgresql_where=sa.text("state IN ('queued', 'deferred')"),
            sqlite_where=sa.text("state IN ('queued', 'deferred')"),
        ),
        # Serves the sweep: leases that ran out.
        sa.Index(
            "ix_delivery_leased",
            "leased_until",
            postgresql_where=sa.text("state IN ('claimed', 'sending')"),
            sqlite_where=sa.text("state IN ('claimed', 'sending')"),
        ),
        # Serves the sweep: what must not leave any more.
        sa.Index(
            "ix_delivery_not_after",
            "not_after",
            postgresql_where=sa.text("state IN ('queued', 'deferred', 'held') AND not_after IS NOT NULL"),
            sqlite_where=sa.text("state IN ('queued', 'deferred', 'held') AND not_after IS NOT NULL"),
        ),
        # Serves a journal that comes back: what is uncertain since its worker held it.
        sa.Index(
            "ix_delivery_uncertain",
            "claim_token",
            postgresql_where=sa.text("state = 'uncertain'"),
            sqlite_where=sa.text("state = 'uncertain'"),
        ),
        sa.Index("ix_delivery_campaign_state", "campaign_id", "state"),
        # Serves news of a message by the number its provider gave it.
        sa.Index(
            "ix_delivery_known_to_provider",
            "provider_message_id",
            postgresql_where=sa.text("provider_message_id IS NOT NULL"),
            sqlite_where=sa.text("provider_message_id IS NOT NULL"),
        ),
        sa.Index("ix_delivery_address", "address"),
        # Serves the caps on how often one person is written to, and a person's page.
        sa.Index("ix_delivery_contact_settled", "contact_id", "settled_at"),
    )

    id: int = primary_key()
    campaign_id: int = foreign_key("campaign.id", cascade=True)
    contact_id: int | None = Field(default=None, sa_type=BigId)
    seed_id: int | None = foreign_key("seed_mailbox.id", nullable=True)
    message_id: int = Field(default=0, sa_type=BigId, sa_column_kwargs={"server_default": "0"})
    channel: Channel = choice(Channel)
    identity_id: int = Field(sa_type=BigId)
    provider: str = Field(max_length=60)
    address: str = Field(max_length=254)
    state: DeliveryState = choice(DeliveryState, default=DeliveryState.QUEUED)
    reason: str = Field(default="", max_length=200)
    due_at: datetime = moment()
    not_after: datetime | None = moment(nullable=True)
    exempt: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    attempts: int = 0
    first_attempt_at: datetime | None = moment(nullable=True)
    claim_token: str | None = Field(default=None, max_length=40)
    leased_until: datetime | None = moment(nullable=True)
    provider_message_id: str | None = Field(default=None, max_length=200)
    settled_at: datetime | None = moment(nullable=True)
