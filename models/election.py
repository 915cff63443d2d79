"""The days on which people vote, and who may send all the same while propaganda must stop."""

from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, document, foreign_key, moment, primary_key
from models.identity import TerritoryKind

DAY_BEFORE: Final = ("971", "972", "973", "975", "977", "978", "987", "ZZ-01", "ZZ-02")
"""Who usually votes on the Saturday: départements of the Americas and of Polynesia, and the French who live
in the Americas, by their circonscription. A decree fixes it anew for each election, so each day has its own.
"""


class ElectionDay(SQLModel, table=True):
    """One day of voting: a round of an election, everywhere or within one territory.

    `day` is the one in mainland France; who lives in one of the places of `day_before` (INSEE codes of
    départements, circonscriptions abroad) votes the day before; `territory_value` as an identity writes it,
    `place` as people do ("Nîmes"), where it was typed.
    `departement` tells where a commune or a canton lies, for people of whom no more than that is known.
    The last polling stations close at `closes_at` (24 h, `20:00`) in `zone` (IANA) on `day`.
    Nothing of it is ever changed or deleted, since it decides what may leave: whoever corrects a day takes it
    away (`removed_at`, why) and enters another. One that is taken away binds nobody.
    """

    __tablename__ = "election_day"
    __table_args__ = (sa.Index("ix_election_day_day", "day"),)

    id: int = primary_key()
    name: str = Field(max_length=200)
    round: int = 1
    day: date
    territory: TerritoryKind = choice(TerritoryKind, default=TerritoryKind.NATIONAL)
    territory_value: str = Field(default="", max_length=200)
    place: str = Field(default="", max_length=200)
    departement: str | None = Field(default=None, max_length=10)
    day_before: list[str] = document([])
    closes_at: str = Field(default="20:00", max_length=5)
    zone: str = Field(default="Europe/Paris", max_length=60)
    created_by: str = Field(default="", max_length=254)
    created_at: datetime = moment()
    removed_by: str = Field(default="", max_length=254)
    removed_at: datetime | None = moment(nullable=True)
    removed_reason: str = Field(default="", max_length=500)


class SilenceWaiver(SQLModel, table=True):
    """Somebody asks that a campaign leave in spite of election silence, and somebody else agrees.

    It holds from the moment it is agreed to, for the campaign as it was then (`fingerprint`): whoever
    changes the campaign asks again. `refused_at`: the other said no, or one of the two took it back.
    """

    __tablename__ = "silence_waiver"

    id: int = primary_key()
    campaign_id: int = foreign_key("campaign.id", index=True, cascade=True)
    fingerprint: str = Field(default="", max_length=64)
    reason: str = Field(max_length=500)
    asked_by: str = Field(max_length=254)
    asked_at: datetime = moment()
    agreed_by: str = Field(default="", max_length=254)
    agreed_at: datetime | None = moment(nullable=True)
    refused_by: str = Field(default="", max_length=254)
    refused_at: datetime | None = moment(nullable=True)
