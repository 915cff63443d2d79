"""What is read of a campaign and of its audience for a look before sending."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.clock import Clock
from models.identity import DkimKey, Identity
from models.states import (
    CampaignState,
    Channel,
    IdentityRule,
    IdentityState,
    LeftOutReason,
    LegalBasis,
    Purpose,
)
from models.template import TemplateVersion
from scheduler.advertising import UNBOUND, Advertising
from scheduler.campaigns import NewCampaign, parts_of
from scheduler.choosing import choose_for
from scheduler.completeness import fields_to_look_at, who_lacks
from scheduler.content import Content, label_of
from scheduler.forecast import ColdLane, ForecastOptions, forecast
from scheduler.preflight.examined import Crowd, VotesAhead
from scheduler.preflight.voting import votes_ahead
from scheduler.preflight.writing import Reader
from scheduler.senders import Chooser, can_send
from store import Database, audiences, campaigns, contacts, identities, preflights, templates
from store.audiences import Selection
from templates.label import Label

LOOKED_THROUGH = 1000
"""Targeted people among whom the readers and the longest values are looked for."""
BEFORE_LAUNCH = frozenset({CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.BLOCKED})


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign's parts, or a template's with one identity; `selection` None: there is no audience."""

    name: str
    channel: Channel
    version: TemplateVersion
    senders: Sequence[tuple[Identity, list[DkimKey]]]
    basis: LegalBasis = LegalBasis.CONSENT
    purpose: Purpose = Purpose.CAMPAIGN
    rule: IdentityRule = IdentityRule.ONE
    selection: Selection | None = None
    advertising: Advertising = UNBOUND
    label: Label | None = None
    campaign_id: int = 0
    parts: NewCampaign | None = None
    ahead: bool = False
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who would get it; `readers` some of them, by the number of the identity that writes to them."""

    people: int
    blanks: int
    fields: frozenset[str]
    first: frozenset[int]
    cold: Sequence[ColdLane]
    not_agreed: int = 0
    too_young: int = 0
    votes: VotesAhead | None = None
    readers: dict[int, list[Reader]] = field(default_factory=dict)

    def of(self, identity_id: int) -> Crowd:
        """As one identity's check sees it."""
        return Crowd(
            *(self.people, self.blanks, sorted(self.fields), identity_id in self.first, self.cold),
            not_agreed=self.not_agreed,
            too_young=self.too_young,
        )


async def read_campaign(
    database: Database,
    campaign_id: int,
    now: datetime,
    *,
    place_is_free: bool = False,
    starts_at: datetime | None = None,
) -> Draft:
    """A campaign's parts; NotFoundError when there is no such campaign.

    `place_is_free`: where people live is no choice to the rules of political advertising. `starts_at`: when
    it would start, if that is not what it says itself.
    """
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        parts = await parts_of(session, campaign)
        chosen = await choose_for(session, campaign, now, place_is_free=place_is_free)
        senders = await campaigns.identities_of(session, campaign_id)
        return Draft(
            name=campaign.name,
            channel=campaign.channel,
            version=await templates.get_version(session, campaign.template_version_id),
            senders=[(one, await identities.keys_of(session, one.id)) for one in senders],
            basis=campaign.basis,
            purpose=campaign.purpose,
            rule=campaign.identity_rule,
            selection=chosen.selection,
            advertising=chosen.advertising,
            label=await label_of(session, campaign),
            campaign_id=campaign_id,
            parts=parts,
            ahead=campaign.state in BEFORE_LAUNCH,
            starts_at=starts_at or campaign.starts_at,
        )


async def read_template(database: Database, version: TemplateVersion, identity: Identity) -> Draft:
    """A template as an identity would send it."""
    async with database.read() as session:
        template = await templates.template_of(session, version)
        keys = await identities.keys_of(session, identity.id)
        return Draft(template.name, template.channel, version, [(identity, keys)])


async def read_crowd(
    database: Database, draft: Draft, content: Content, clock: Clock, outlook: ForecastOptions
) -> Audience | None:
    """Who would get it, and who of them would see a blank; None where there is no audience."""
    if draft.selection is None:
        return None
    now = clock.now()
    able = [identity for identity, _ in draft.senders if can_send(identity, draft.channel)]
    chooser = Chooser(draft.rule, able, draft.channel)
    readers: dict[int, list[Reader]] = defaultdict(list)
    async with database.read() as session:
        counts = await audiences.count_by_reason(session, draft.selection, now)
        batch = await audiences.audience_batch(
            session, draft.selection, now, after_id=0, limit=LOOKED_THROUGH
        )
        getting = [contact for contact, reason in batch if reason is None]
        tags = await contacts.tags_of(session, [one.id for one in getting]) if content.tagged else {}
        for contact in getting:
            chosen = chooser.choose(contact)
            if chosen is not None:
                readers[chosen.id].append(Reader(contact, tags.get(contact.id, [])))
        warming = [one.id for one in able if one.state is IdentityState.WARMING]
        known = [one.id for one in able if one.id not in warming]
        first = await preflights.beginners(session, draft.campaign_id, known)
        votes: VotesAhead | None = None
        if draft.ahead:
            start = max(now, draft.starts_at or now)
            votes = await votes_ahead(session, draft.campaign_id, outlook, now=now, starts_at=start)
        cold: Sequence[ColdLane] = ()
        if warming and draft.ahead:
            cold = (await forecast(session, draft.campaign_id, now, outlook)).cold
    lacking = await who_lacks(
        database,
        draft.selection,
        chooser=chooser,
        content=content,
        fields=fields_to_look_at(content, draft.version, able),
        at=now,
    )
    return Audience(
        people=counts.get(None, 0),
        blanks=lacking.count,
        fields=frozenset(lacking.fields),
        first=frozenset(first),
        cold=cold,
        not_agreed=counts.get(LeftOutReason.NO_TARGETING_CONSENT, 0),
        too_young=counts.get(LeftOutReason.TOO_YOUNG, 0),
        votes=votes,
        readers=dict(readers),
    )
