"""How much mail people get, counted in the background: from the ledger itself it would take seconds."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, moment


class Pressure(SQLModel, table=True):
    """How many people got `received` messages in the seven days up to `counted_at`.

    Of the identity `identity_id`; of all identities together, both channels, where it is 0. Only there a
    `received` of 0 stands, the people on the list who got nothing.
    """

    __tablename__ = "pressure"

    identity_id: int = Field(primary_key=True, sa_type=BigId)
    received: int = Field(primary_key=True, sa_type=sa.Integer)
    people: int = Field(default=0, sa_type=BigId)
    counted_at: datetime = moment()


class Fatigue(SQLModel, table=True):
    """What people did with a campaign's mail, by how many messages they had had in the seven days before it.

    `before` counts messages of all identities and both channels. `messages` were accepted; of them people
    clicked in, unsubscribed from and complained about so many. The line of identity 0 holds no figures: it
    is there as soon as the campaign was counted.
    """

    __tablename__ = "fatigue"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    identity_id: int = Field(primary_key=True, sa_type=BigId)
    before: int = Field(primary_key=True, sa_type=sa.Integer)
    messages: int = Field(default=0, sa_type=BigId)
    clicked: int = Field(default=0, sa_type=BigId)
    unsubscribed: int = Field(default=0, sa_type=BigId)
    complained: int = Field(default=0, sa_type=BigId)
    counted_at: datetime = moment()
