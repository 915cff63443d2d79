"""A campaign as it is typed, in names; made into one in numbers, which is what the scheduler takes."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.errors import BadInputError, NotFoundError
from models.identity import Identity
from models.segment import Segment
from models.states import IdentityRule, LegalBasis
from models.template import TemplateVersion

if TYPE_CHECKING:
    from scheduler.campaigns import NewCampaign
    from scheduler.rhythm import Rhythm

NOW = "now"


@dataclass(frozen=True, slots=True)
class Wish:
    """Names of the parts; the template's newest version is meant."""

    name: str
    template: str
    segments: tuple[str, ...]
    exclude: tuple[str, ...]
    identities: tuple[str, ...]
    rule: IdentityRule = IdentityRule.ONE
    basis: LegalBasis = LegalBasis.CONSENT
    with_seeds: bool = True


async def resolve(session: AsyncSession, wish: Wish, zone: str) -> "NewCampaign":
    """The same campaign in numbers; NotFoundError for a name that names nothing."""
    from scheduler.campaigns import NewCampaign

    version = await wanted_version(session, wish.template)
    return NewCampaign(
        name=wish.name,
        template_version_id=version.id,
        include=[(await wanted_segment(session, name)).id for name in wish.segments],
        exclude=[(await wanted_segment(session, name)).id for name in wish.exclude],
        identity_ids=[(await wanted_identity(session, key)).id for key in wish.identities],
        identity_rule=wish.rule,
        basis=wish.basis,
        with_seeds=wish.with_seeds,
        zone=zone,
    )


async def tell_reach(
    session: AsyncSession, wanted: "NewCampaign", rhythm: "Rhythm", now: datetime, *, campaign_id: int = 0
) -> str:
    """One sentence saying how many it would reach at this moment, and who is left out for what."""
    from scheduler.choosing import Advert
    from scheduler.preview import preview_audience
    from service.forecast_view import reach_sentence
    from store.templates import get_version, template_of

    template = await template_of(session, await get_version(session, wanted.template_version_id))
    preview = await preview_audience(
        session,
        include=wanted.include,
        exclude=wanted.exclude,
        channel=template.channel,
        basis=wanted.basis,
        now=now,
        rhythm=rhythm,
        purpose=wanted.purpose,
        windows=wanted.windows,
        campaign_id=campaign_id,
        advert=Advert(
            nature=wanted.nature,
            rule=wanted.identity_rule,
            identity_ids=wanted.identity_ids,
            version_id=wanted.template_version_id,
            place_is_free=rhythm.place_is_free,
        ),
    )
    return reach_sentence(preview)


def moment_of(text: str, zone: str, now: datetime) -> tuple[datetime, str]:
    """The wall-clock time, without offset, that `text` names in `zone`; "now" is the present."""
    try:
        known = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"There is no time zone {zone!r}.", "Write a name such as Europe/Paris or America/Cayenne."
        ) from error
    if text.strip().lower() == NOW:
        return now.astimezone(known).replace(tzinfo=None), zone
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInputError(f"{text!r} is no time.", "Write now, or a time as '2026-12-01 18:30'.") from error
    if moment.tzinfo is not None:
        raise BadInputError(
            f"{text!r} carries an offset.", "Write the time on the wall, and the zone with --zone."
        )
    return moment, zone


async def wanted_campaign(session: AsyncSession, which: str) -> Campaign:
    """The campaign of that number or, failing that, the newest of that name; NotFoundError."""
    from store.campaigns import find_campaign, get_campaign

    if which.isascii() and which.isdigit():
        return await get_campaign(session, int(which))
    campaign = await find_campaign(session, which)
    if campaign is None:
        raise NotFoundError(
            f"There is no campaign {which!r}.", "`tocsin campaign list` shows those there are."
        )
    return campaign


async def wanted_segment(session: AsyncSession, name: str) -> Segment:
    """The segment of that name; NotFoundError."""
    from store.segments import find_segment

    segment = await find_segment(session, name)
    if segment is None:
        raise NotFoundError(f"There is no segment {name!r}.", "`tocsin segment list` shows those there are.")
    return segment


async def wanted_identity(session: AsyncSession, key: str) -> Identity:
    """The identity of that short name; NotFoundError."""
    from store.identities import find_identity

    identity = await find_identity(session, key)
    if identity is None:
        raise NotFoundError(f"There is no identity {key!r}.", "`tocsin identity list` shows those there are.")
    return identity


async def wanted_version(session: AsyncSession, name: str) -> TemplateVersion:
    """The newest version of the template of that name; NotFoundError."""
    from store.templates import latest_version

    version = await latest_version(session, name)
    if version is None:
        raise NotFoundError(
            f"There is no template {name!r}.", "`tocsin template list` shows those there are."
        )
    return version
