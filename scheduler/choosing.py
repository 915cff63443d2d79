"""Who a campaign is for, and whether the rules of political advertising let it choose them: read together.

The preview, the forecast, the look before sending and the freeze all ask here, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segments import parse_segment
from models.campaign import AudienceRole, Campaign
from models.segment_tree import Node
from models.states import Channel, IdentityRule, LegalBasis, Nature
from models.template import TemplateVersion
from scheduler.advertising import UNBOUND, Advertising, advertising_of
from scheduler.letters import GIVEN
from store import audiences, campaigns, identities, segments, templates
from store.audiences import Selection
from templates.choices import deciding_fields

__all__ = ["NO_ADVERT", "Advert", "Chosen", "choose", "choose_for"]


@dataclass(frozen=True, slots=True)
class Advert:
    """What of a campaign, besides its segments, the rules of political advertising look at.

    `version_id` None: there is no message yet. `place_is_free`: the installation does not count where people
    live as a choice.
    """

    nature: Nature = Nature.UNSAID
    rule: IdentityRule = IdentityRule.ONE
    identity_ids: Sequence[int] = ()
    version_id: int | None = None
    place_is_free: bool = False


NO_ADVERT: Final = Advert()


@dataclass(frozen=True, slots=True)
class Chosen:
    """An audience as conditions, and what the rules of political advertising say of it."""

    selection: Selection
    advertising: Advertising


async def choose(
    session: AsyncSession,
    *,
    include: Sequence[int],
    exclude: Sequence[int],
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
    advert: Advert = NO_ADVERT,
) -> Chosen:
    """The audience of a choice of segment numbers."""

    async def trees(numbers: Sequence[int]) -> list[Node]:
        return [parse_segment((await segments.get_segment(session, number)).text) for number in numbers]

    return await _chosen(
        *(session, await trees(include), await trees(exclude)),
        channel=channel,
        basis=basis,
        now=now,
        advert=advert,
    )


async def choose_for(
    session: AsyncSession,
    campaign: Campaign,
    now: datetime,
    *,
    place_is_free: bool = False,
    sender: int | None = None,
) -> Chosen:
    """The audience of a campaign, by its rules as they stand; once launched, as they stood then.

    `sender`: as if this identity alone wrote.
    """
    trees: dict[AudienceRole, list[Node]] = {role: [] for role in AudienceRole}
    for segment, tie in await campaigns.audience_of(session, campaign.id):
        frozen = tie.frozen_text if campaign.launched_at is not None else None
        trees[tie.role].append(parse_segment(frozen or segment.text))
    all_of_them = [identity.id for identity in await campaigns.identities_of(session, campaign.id)]
    advert = Advert(
        nature=campaign.nature,
        rule=campaign.identity_rule,
        identity_ids=all_of_them if sender is None else [sender],
        version_id=campaign.template_version_id,
        place_is_free=place_is_free,
    )
    return await _chosen(
        *(session, trees[AudienceRole.INCLUDE], trees[AudienceRole.EXCLUDE]),
        channel=campaign.channel,
        basis=campaign.basis,
        now=now,
        advert=advert,
    )


async def _chosen(
    session: AsyncSession,
    include: Sequence[Node],
    exclude: Sequence[Node],
    *,
    channel: Channel,
    basis: LegalBasis,
    now: datetime,
    advert: Advert,
) -> Chosen:
    advertising = await _advertising(session, include, exclude, advert)
    selection = audiences.select_people(
        include=include,
        exclude=exclude,
        channel=channel,
        basis=basis,
        now=now,
        by_data=advertising.targeted,
    )
    return Chosen(selection, advertising)


async def _advertising(
    session: AsyncSession, include: Sequence[Node], exclude: Sequence[Node], advert: Advert
) -> Advertising:
    if advert.nature is not Nature.POLITICAL:
        return UNBOUND
    version: TemplateVersion | None = None
    if advert.version_id is not None:
        version = await templates.get_version(session, advert.version_id)
    asked = advert.identity_ids if advert.rule is IdentityRule.TERRITORY else ()
    senders = [await identities.get_identity(session, number) for number in asked]
    sources = () if version is None else (version.subject, version.preheader, version.body, version.text)
    return advertising_of(
        nature=advert.nature,
        include=include,
        exclude=exclude,
        rule=advert.rule,
        identities=senders,
        deciding=deciding_fields(*sources) - GIVEN,
        place_is_free=advert.place_is_free,
    )
