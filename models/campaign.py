"""A campaign: a segment, a template version, a rule for the sender, a moment."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, choice, document, foreign_key, moment, primary_key
from models.states import (
    CampaignState,
    Channel,
    IdentityRule,
    LatePolicy,
    LeftOutReason,
    LegalBasis,
    Nature,
    Purpose,
)


class Campaign(SQLModel, table=True):
    """What goes to whom, from whom and when.

    `local_time` is what the person typed (ISO 8601 without offset) and `zone` the IANA name they meant
    it in; `starts_at` is the instant computed from both. `problem` says in one line why the campaign is
    blocked or incomplete; `problem_contacts` names the people concerned (contact ids).
    `frozen` counts the deliveries made at launch, seeds not included: the left side of the proof;
    `reconciled_at` is when it was last found to equal the sum of the final states. An `urgent` campaign
    goes before others in every lane. A start that comes later than `late_minutes` (the service was down)
    is what `late_policy` decides. `windows`: when messages may arrive, in each recipient's own zone, as
    `scheduler.calendar` writes them; empty: the installation's.
    One with a `stream_key` has no audience: it carries what programs ask for, message by message
    (`scheduler.streams`), and `test` ones leave for nowhere.
    `nature`: which rules of elections and of political advertising bind it (Regulation (EU) 2024/900);
    `sponsor` pays for it ("": the identity's organisation), `vote` is the election or referendum it is
    about, `spent` what it cost and where the money came from, in words.
    """

    __tablename__ = "campaign"
    __table_args__ = (sa.Index("ix_campaign_state_starts_at", "state", "starts_at"),)

    id: int = primary_key()
    name: str = Field(max_length=200)
    channel: Channel = choice(Channel)
    template_version_id: int = foreign_key("template_version.id", index=True)
    identity_rule: IdentityRule = choice(IdentityRule, default=IdentityRule.ONE)
    basis: LegalBasis = choice(LegalBasis, default=LegalBasis.CONSENT)
    state: CampaignState = choice(CampaignState, default=CampaignState.DRAFT)
    local_time: str | None = Field(default=None, max_length=30)
    zone: str = Field(default="Europe/Paris", max_length=60)
    starts_at: datetime | None = moment(nullable=True)
    not_after: datetime | None = moment(nullable=True)
    launched_at: datetime | None = moment(nullable=True)
    finished_at: datetime | None = moment(nullable=True)
    expanded: bool = False
    frozen: int = 0
    targeted: int = 0
    problem: str = ""
    problem_contacts: list[int] = document([])
    with_seeds: bool = True
    purpose: Purpose = choice(Purpose, default=Purpose.CAMPAIGN, server_default=True)
    urgent: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    late_policy: LatePolicy = choice(LatePolicy, default=LatePolicy.SEND, server_default=True)
    late_minutes: int = Field(default=60, sa_column_kwargs={"server_default": "60"})
    windows: list[dict[str, str]] = document([], server_default=True)
    nature: Nature = choice(Nature, default=Nature.UNSAID, server_default=True)
    sponsor: str = Field(default="", max_length=300, sa_column_kwargs={"server_default": ""})
    vote: str = Field(default="", max_length=200, sa_column_kwargs={"server_default": ""})
    spent: str = Field(default="", max_length=300, sa_column_kwargs={"server_default": ""})
    stream_key: str | None = Field(default=None, unique=True, max_length=100)
    test: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    reconciled_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class AudienceRole(StrEnum):
    """Whether a segment of a campaign brings people in or keeps people out."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


class CampaignSegment(SQLModel, table=True):
    """One segment of a campaign's audience. `frozen_text` is the rule as it stood at launch."""

    __tablename__ = "campaign_segment"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    segment_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="segment.id")
    role: AudienceRole = choice(AudienceRole)
    frozen_text: str | None = None


class CampaignIdentity(SQLModel, table=True):
    """One identity a campaign may send from; `position` is its place in the rotation, from 0.

    `frozen_as`: its name, organisation and postal address at launch, as the messages tell them.
    """

    __tablename__ = "campaign_identity"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    identity_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="identity.id")
    position: int = 0
    frozen_as: dict[str, str] = document({}, server_default=True)


class CampaignLink(SQLModel, table=True):
    """Where link number `position` of a campaign leads; a link itself carries no address (no open redirect).

    `target` may hold merge fields; it is rendered for the person who follows it.
    """

    __tablename__ = "campaign_link"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    position: int = Field(primary_key=True, sa_type=sa.Integer)
    target: str


UNTIL_TOLD: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Stands for no moment at all: a person decides."""


class CampaignLane(SQLModel, table=True):
    """A campaign has deliveries of an identity to a provider: where to look for what is due.

    `halted_until`: nothing of it leaves before then; `UNTIL_TOLD`: before a person lets it.
    """

    __tablename__ = "campaign_lane"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    identity_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="identity.id")
    provider: str = Field(primary_key=True, max_length=60)
    halted_until: datetime | None = moment(nullable=True)


class LeftOut(SQLModel, table=True):
    """A targeted person who got no delivery, and why; `next_at`: when a cap would let one through again.

    `contact_id` is a contact's number, unchecked: see `store.cascade`.
    """

    __tablename__ = "left_out"

    campaign_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="campaign.id", ondelete="CASCADE")
    contact_id: int = Field(primary_key=True, sa_type=BigId)
    reason: LeftOutReason = choice(LeftOutReason)
    next_at: datetime | None = moment(nullable=True)
