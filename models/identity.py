"""Who we send as."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, foreign_key, moment, primary_key
from models.health import HealthLevel
from models.signing import DkimAlgorithm
from models.states import IdentityState


class TerritoryKind(StrEnum):
    """The territories an identity can speak for, smallest first."""

    POLLING_STATION = "polling_station"
    COMMUNE = "commune"
    CANTON = "canton"
    CIRCONSCRIPTION = "circonscription"
    DEPARTEMENT = "departement"
    REGION = "region"
    NATIONAL = "national"


class Identity(SQLModel, table=True):
    """A sender: what people see (From), what receivers check (return path, DKIM domain), how fast.

    `territory_value` is the contact column's comparable form (`commune_key`, `canton_key`, a code);
    empty for a national identity. Rates are per second; None means the default of the settings.
    `state_reason`, `state_since`, `state_by`: why it is in its state, since when, and who put it there ("":
    it came to it by itself); `health`: what the last look at its DNS found (`models.health.HealthCheck`),
    at `health_at`; the next is due at `look_at`, at once without one.
    """

    __tablename__ = "identity"

    id: int = primary_key()
    key: str = Field(unique=True, max_length=60)
    name: str = Field(max_length=200)
    from_email: str | None = Field(default=None, max_length=254)
    reply_to: str | None = Field(default=None, max_length=254)
    return_path_domain: str | None = Field(default=None, max_length=253)
    dkim_domain: str | None = Field(default=None, max_length=253)
    sms_sender: str | None = Field(default=None, max_length=34)
    territory: TerritoryKind = choice(TerritoryKind, default=TerritoryKind.NATIONAL)
    territory_value: str = Field(default="", max_length=200)
    organisation: str = Field(default="", max_length=300)
    postal_address: str = Field(default="", max_length=500)
    emails_per_second: float | None = None
    sms_per_second: float | None = None
    state: IdentityState = choice(IdentityState, default=IdentityState.DNS_PENDING)
    state_reason: str = Field(default="", max_length=500, sa_column_kwargs={"server_default": ""})
    state_since: datetime | None = moment(nullable=True)
    state_by: str = Field(default="", max_length=254, sa_column_kwargs={"server_default": ""})
    health: HealthLevel = choice(HealthLevel, default=HealthLevel.UNKNOWN, server_default=True)
    health_at: datetime | None = moment(nullable=True)
    look_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()


class DkimKey(SQLModel, table=True):
    """A signing key of an identity; the private half is sealed (`models.keyring.Keyring.encrypt`).

    Its life: made, `verified_at` seen in the DNS, `active_at` signing, `retired_at` no longer signing but
    still published for mails under way, `revoked_at` withdrawn (an empty `p=`, RFC 6376 section 3.6.1).
    """

    __tablename__ = "dkim_key"
    __table_args__ = (sa.UniqueConstraint("identity_id", "selector"),)

    id: int = primary_key()
    identity_id: int = foreign_key("identity.id", cascade=True)
    selector: str = Field(max_length=63)
    algorithm: DkimAlgorithm = choice(DkimAlgorithm)
    sealed_private_pem: str
    public_base64: str
    created_at: datetime = moment()
    verified_at: datetime | None = moment(nullable=True)
    active_at: datetime | None = moment(nullable=True)
    retired_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)
