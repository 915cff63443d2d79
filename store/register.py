"""The register of political advertising: one row for each campaign that was one, as it was sent.

Regulation (EU) 2024/900 asks for records of each political advertisement, kept for seven years (article 9).
Little is copied for it: versions of templates never change, a campaign keeps its segments and its senders as
they stood at its launch, and its counters stay when the people are long erased.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import AudienceRole, Campaign, CampaignIdentity, CampaignSegment
from models.identity import Identity
from models.segment import Segment
from models.states import (
    CampaignState,
    Channel,
    EventKind,
    IdentityRule,
    LeftOutReason,
    LegalBasis,
    Nature,
)
from models.tally import Account, Tally
from models.template import Template, TemplateVersion
from store.engine import is_among

LAUNCHED: Final = frozenset(CampaignState) - {
    CampaignState.DRAFT,
    CampaignState.SCHEDULED,
    CampaignState.BLOCKED,
}
NAMED_BY: Final = 80
"""Characters of what has no name that are shown in place of one."""
REMEMBERED: Final = ("name", "organisation", "postal_address")
_CAMPAIGN = sa.inspect(Campaign).local_table.c
_TALLY = sa.inspect(Tally).local_table.c


@dataclass(frozen=True, slots=True)
class RegisterSegment:
    """One segment of the audience: its name today, and its rule as it stood at the launch."""

    role: AudienceRole
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RegisterSender:
    """One identity it may have been sent from, as it was at the launch; `address`: where it is now."""

    id: int
    name: str
    organisation: str
    postal_address: str
    address: str


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One political advertisement.

    `sponsor` "": the senders' organisation pays. `audience` were targeted, `left_out` of them by reason got
    nothing; `messages` were made, seeds not included, `accepted` of them taken and `returned` sent back
    later; `clicked`, `unsubscribed` and `complained` count people. `version_id` names the content, which
    never changes (`store.templates.get_version`). `by_program`: a program asked for each message, and chose
    whom it went to.
    """

    campaign_id: int
    name: str
    channel: Channel
    state: CampaignState
    sponsor: str
    vote: str
    spent: str
    basis: LegalBasis
    identity_rule: IdentityRule
    starts_at: datetime | None
    launched_at: datetime | None
    finished_at: datetime | None
    template: str
    version: int
    version_id: int
    subject: str
    senders: tuple[RegisterSender, ...]
    segments: tuple[RegisterSegment, ...]
    audience: int
    messages: int
    left_out: Mapping[LeftOutReason, int]
    accepted: int = 0
    returned: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0
    by_program: bool = False

    @property
    def payer(self) -> str:
        """Who paid for it: the sponsor that was named, else the organisations it was sent from."""
        named = dict.fromkeys(one.organisation or one.name for one in self.senders)
        return self.sponsor or ", ".join(named)


async def register_rows(
    session: AsyncSession, *, before_id: int | None = None, limit: int | None = None
) -> list[RegisterRow]:
    """Every political campaign that was launched, the newest first; `limit` of them before `before_id`.

    Four questions, however many campaigns: the primary keys of campaign_segment, campaign_identity and tally
    serve all but the first. Counters are some seconds behind, as everywhere (`store.comparisons`).
    """
    wanted = _CAMPAIGN.state.in_([state.value for state in LAUNCHED]) & _CAMPAIGN.launched_at.is_not(None)
    if before_id is not None:
        wanted &= _CAMPAIGN.id < before_id
    return await _rows(session, (_CAMPAIGN.nature == Nature.POLITICAL) & wanted, limit)


async def register_row(session: AsyncSession, campaign_id: int) -> RegisterRow | None:
    """The row of one campaign, launched or not; None unless it is political advertising."""
    wanted = (_CAMPAIGN.id == campaign_id) & (_CAMPAIGN.nature == Nature.POLITICAL)
    return next(iter(await _rows(session, wanted, 1)), None)


async def remember_senders(session: AsyncSession, campaign_id: int) -> None:
    """Keep who a campaign is sent by as they are now: identities change, what was sent does not."""
    wanted = (
        select(CampaignIdentity, Identity)
        .join(Identity, col(Identity.id) == CampaignIdentity.identity_id)
        .where(CampaignIdentity.campaign_id == campaign_id)
    )
    for tie, one in (await session.exec(wanted)).all():
        tie.frozen_as = {name: getattr(one, name) for name in REMEMBERED}
        session.add(tie)


async def contents_of(session: AsyncSession, rows: Collection[RegisterRow]) -> dict[int, TemplateVersion]:
    """What these campaigns said, by `version_id`; tens of kilobytes each."""
    wanted = select(TemplateVersion).where(
        is_among(session, col(TemplateVersion.id), {row.version_id for row in rows})
    )
    return {version.id: version for version in (await session.exec(wanted)).all()}


async def _rows(
    session: AsyncSession, condition: sa.ColumnElement[bool], limit: int | None
) -> list[RegisterRow]:
    wanted = (
        select(Campaign, _name(), TemplateVersion.number, TemplateVersion.subject)
        .join(TemplateVersion, col(TemplateVersion.id) == Campaign.template_version_id)
        .join(Template, col(Template.id) == TemplateVersion.template_id)
        .where(condition)
        .order_by(col(Campaign.id).desc())
        .limit(limit)
    )
    found = (await session.exec(wanted)).all()
    numbers = [campaign.id for campaign, *_ in found]
    segments, senders = await _segments(session, numbers), await _senders(session, numbers)
    counted = await _counted(session, numbers)
    return [
        _row(
            campaign,
            (template, version, subject),
            segments.get(campaign.id, ()),
            senders.get(campaign.id, ()),
            counted.get(campaign.id, {}),
        )
        for campaign, template, version, subject in found
    ]


def _name() -> Any:
    """The template's; of content that a program brought how it begins, since nobody gave it a name."""
    begun = sa.func.coalesce(sa.func.nullif(col(TemplateVersion.subject), ""), col(TemplateVersion.body))
    return sa.case((col(Template.hidden), sa.func.substr(begun, 1, NAMED_BY)), else_=col(Template.name))


def _row(
    campaign: Campaign,
    content: tuple[str, int, str],
    segments: Sequence[RegisterSegment],
    senders: Sequence[RegisterSender],
    counted: Mapping[Account, Mapping[str, int]],
) -> RegisterRow:
    template, version, subject = content
    news = counted.get(Account.NEWS, {})
    return RegisterRow(
        campaign_id=campaign.id,
        name=campaign.name if campaign.stream_key is None else template,
        channel=campaign.channel,
        state=campaign.state,
        sponsor=campaign.sponsor,
        vote=campaign.vote,
        spent=campaign.spent,
        basis=campaign.basis,
        identity_rule=campaign.identity_rule,
        starts_at=campaign.starts_at,
        launched_at=campaign.launched_at,
        finished_at=campaign.finished_at,
        template=template,
        version=version,
        version_id=campaign.template_version_id,
        subject=subject,
        senders=tuple(senders),
        segments=tuple(segments),
        audience=campaign.targeted,
        messages=campaign.frozen,
        left_out={
            reason: count
            for reason in LeftOutReason
            if (count := counted.get(Account.LEFT_OUT, {}).get(reason, 0))
        },
        accepted=news.get(EventKind.ACCEPTED, 0),
        returned=news.get(EventKind.BOUNCED, 0),
        clicked=news.get(EventKind.CLICKED, 0),
        unsubscribed=news.get(EventKind.UNSUBSCRIBED, 0),
        complained=news.get(EventKind.COMPLAINED, 0),
        by_program=campaign.stream_key is not None,
    )


async def _segments(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, list[RegisterSegment]]:
    """In the order of their numbers. Served by the primary key of campaign_segment."""
    tie = CampaignSegment
    text = sa.func.coalesce(col(tie.frozen_text), col(Segment.text))
    wanted = (
        select(tie.campaign_id, tie.role, Segment.name, text)
        .join(Segment, col(Segment.id) == tie.segment_id)
        .where(is_among(session, col(tie.campaign_id), campaign_ids))
        .order_by(col(tie.campaign_id), col(tie.segment_id))
    )
    found: dict[int, list[RegisterSegment]] = {}
    for campaign_id, role, name, rule in (await session.exec(wanted)).all():
        found.setdefault(campaign_id, []).append(RegisterSegment(AudienceRole(role), name, rule))
    return found


async def _senders(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, list[RegisterSender]]:
    """In the order of the rotation. Served by the primary key of campaign_identity."""
    tie = CampaignIdentity
    wanted = (
        select(tie, Identity)
        .join(Identity, col(Identity.id) == tie.identity_id)
        .where(is_among(session, col(tie.campaign_id), campaign_ids))
        .order_by(col(tie.campaign_id), col(tie.position), col(tie.identity_id))
    )
    found: dict[int, list[RegisterSender]] = {}
    for row, one in (await session.exec(wanted)).all():
        as_it_was = {name: row.frozen_as.get(name, getattr(one, name)) for name in REMEMBERED}
        contact = one.reply_to or one.from_email or ""
        found.setdefault(row.campaign_id, []).append(RegisterSender(one.id, **as_it_was, address=contact))
    return found


async def _counted(
    session: AsyncSession, campaign_ids: Collection[int]
) -> dict[int, dict[Account, dict[str, int]]]:
    """What had news of each kind, and who was left out. Served by the primary key of tally."""
    # What is being counted anew stands in shard 1; the triggers' own counters are the sum over all shards.
    counts = ((_TALLY.account == Account.NEWS) & (_TALLY.shard == 0)) | (_TALLY.account == Account.LEFT_OUT)
    wanted: Any = (
        sa.select(
            _TALLY.campaign_id, _TALLY.account, _TALLY.word, sa.cast(sa.func.sum(_TALLY.count), sa.BigInteger)
        )
        .where(is_among(session, _TALLY.campaign_id, campaign_ids), counts)
        .group_by(_TALLY.campaign_id, _TALLY.account, _TALLY.word)
    )
    found: dict[int, dict[Account, dict[str, int]]] = {}
    for campaign_id, account, word, count in (await session.exec(wanted)).all():
        found.setdefault(campaign_id, {}).setdefault(Account(account), {})[word] = int(count)
    return found
