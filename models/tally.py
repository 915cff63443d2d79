"""Counters that stand for rows nobody wants to count again each time a page is looked at."""

from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice


class Account(StrEnum):
    """What a counter counts.

    STATE: deliveries that stand in a state (claimed and sending ones as queued). LEFT_OUT: people, by
    reason. NEWS: deliveries that had news of a kind; HARD: those of them refused for good; TRIED: those
    tried at least once. SAID: deliveries that heard an answer. MOMENT: answers by time. SPAN: when the
    first and the last answer came, and the step of the chart.
    """

    STATE = "state"
    LEFT_OUT = "left_out"
    NEWS = "news"
    HARD = "hard"
    TRIED = "tried"
    SAID = "said"
    MOMENT = "moment"
    SPAN = "span"


class Tally(SQLModel, table=True):
    """One counter of a campaign, seeds not included. `store.tallies` reads them.

    STATE and LEFT_OUT are kept by triggers, in the transaction that changes the rows; there `shard` is
    the connection that counted, so that none waits for another, and the counter is the sum over shards.
    The others are folded from the events up to the `TallyMark`; there `shard` is 0, or 1 while they are
    counted anew. `identity_id` 0 and `provider` "": not about one. `text`: one wording of what was said.
    """

    __tablename__ = "tally"

    campaign_id: int = Field(primary_key=True, sa_type=BigId)
    account: Account = choice(Account, primary_key=True)
    identity_id: int = Field(primary_key=True, sa_type=BigId)
    provider: str = Field(primary_key=True, max_length=60)
    word: str = Field(primary_key=True, max_length=160)
    shard: int = Field(primary_key=True, sa_type=sa.Integer)
    count: int = Field(default=0, sa_type=BigId)
    text: str = Field(default="", max_length=2000)


class PlaceTally(SQLModel, table=True):
    """What a campaign's events say of the people of one département ("": not known), seeds not included.

    Each column counts deliveries, and those are people: a campaign writes to nobody twice. Where somebody
    lives is looked up once, when the news is counted: whoever moves or is erased later stays counted there.
    `heard`: accepted by providers that tell who complained. `store.territory_fold` keeps them.
    """

    __tablename__ = "place_tally"
    __table_args__ = ({"sqlite_with_rowid": False},)

    campaign_id: int = Field(primary_key=True, sa_type=BigId)
    departement: str = Field(primary_key=True, max_length=10)
    accepted: int = Field(default=0, sa_type=BigId)
    heard: int = Field(default=0, sa_type=BigId)
    bounced: int = Field(default=0, sa_type=BigId)
    clicked: int = Field(default=0, sa_type=BigId)
    unsubscribed: int = Field(default=0, sa_type=BigId)
    complained: int = Field(default=0, sa_type=BigId)


PLACES = 2
"""The shard of the mark up to which events are in the `PlaceTally`."""


class TallyMark(SQLModel, table=True):
    """Events with a number up to `event_id` are in the counters of `shard`, later ones are not."""

    __tablename__ = "tally_mark"

    shard: int = Field(primary_key=True, sa_type=sa.Integer)
    event_id: int = Field(default=0, sa_type=BigId)
