"""How much was counted when, so that a share can be taken of the last messages and not of all of them."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import BigId, moment


class RateMark(SQLModel, table=True):
    """When `whole` messages of a campaign had been answered, `part` of them were of a kind (`measure`).

    Few rows a campaign: those that are further back than any share goes are cleared away.
    """

    __tablename__ = "rate_mark"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    measure: str = Field(primary_key=True, max_length=20)
    whole: int = Field(primary_key=True, sa_type=BigId)
    part: int = Field(default=0, sa_type=BigId)
    at: datetime = moment()
