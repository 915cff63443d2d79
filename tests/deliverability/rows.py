"""Rows a test of this room begins with: a campaign that was launched, and deliveries of it."""

import itertools
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.contact import Contact
from models.delivery import Delivery
from models.event import Event
from models.identity import Identity
from models.keyring import Keyring
from models.providers import SMS, provider_of
from models.seed import SeedMailbox
from models.states import (
    BounceClass,
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    Fault,
    Permanence,
)
from models.suppression import address_hash
from models.template import Template, TemplateVersion
from models.tokens import Tokens
from models.values import Signal
from tests.clocks import START

KEYRING = Keyring("a secret for tests, long enough to be one")
TOKENS = Tokens(KEYRING)
_numbers = itertools.count(1)


async def an_identity(session: AsyncSession, name: str = "Le Parti") -> Identity:
    identity = Identity(
        key=f"identity-{next(_numbers)}",
        name=name,
        from_email="contact@parti.example",
        return_path_domain="retour.parti.example",
        dkim_domain="parti.example",
        created_at=START,
    )
    session.add(identity)
    await session.flush()
    return identity


async def a_launched_campaign(
    session: AsyncSession, *, channel: Channel = Channel.EMAIL, targeted: int = 0, frozen: int = 0
) -> Campaign:
    number = next(_numbers)
    template = Template(name=f"modele {number}", channel=channel, created_at=START)
    session.add(template)
    await session.flush()
    version = TemplateVersion(template_id=template.id, number=1, body="", created_at=START)
    session.add(version)
    await session.flush()
    campaign = Campaign(
        name=f"campagne {number}",
        channel=channel,
        template_version_id=version.id,
        state=CampaignState.SENDING,
        expanded=True,
        targeted=targeted,
        frozen=frozen,
        created_at=START,
        updated_at=START,
    )
    session.add(campaign)
    await session.flush()
    return campaign


async def a_contact(session: AsyncSession, *, email: str = "", phone: str | None = None) -> Contact:
    address = email or f"personne.{next(_numbers)}@exemple.fr"
    contact = Contact(
        email=address,
        email_hash=address_hash(Channel.EMAIL, address),
        email_domain=address.rpartition("@")[2],
        phone=phone,
        phone_hash=address_hash(Channel.SMS, phone) if phone else None,
        email_consent=ConsentStatus.GRANTED,
        sms_consent=ConsentStatus.GRANTED,
        created_at=START,
        updated_at=START,
    )
    session.add(contact)
    await session.flush()
    return contact


async def a_seed(session: AsyncSession, *, port: int = 993, provider: str = "gmail") -> SeedMailbox:
    seed = SeedMailbox(
        address=f"temoin.{next(_numbers)}@{provider}.example",
        provider=provider,
        imap_host="127.0.0.1",
        imap_port=port,
        tls=False,
        username="temoin",
        sealed_password=KEYRING.encrypt("ouvre-toi"),
    )
    session.add(seed)
    await session.flush()
    return seed


async def a_delivery(
    session: AsyncSession,
    *,
    campaign: Campaign | None = None,
    identity: Identity | None = None,
    contact: Contact | None = None,
    seed: SeedMailbox | None = None,
    channel: Channel = Channel.EMAIL,
    state: DeliveryState = DeliveryState.ACCEPTED,
    provider: str = "",
    provider_message_id: str | None = None,
) -> Delivery:
    """A delivery that left an instant ago, to a new person unless one, or a seed, is given."""
    campaign = campaign or await a_launched_campaign(session, channel=channel)
    identity = identity or await an_identity(session)
    if seed is None and contact is None:
        contact = await a_contact(session, phone=f"+3361{next(_numbers):07d}")
    address = seed.address if seed is not None else _address(contact, channel)
    delivery = Delivery(
        campaign_id=campaign.id,
        contact_id=contact.id if contact is not None else None,
        seed_id=seed.id if seed is not None else None,
        channel=channel,
        identity_id=identity.id,
        provider=provider or (SMS if channel is Channel.SMS else provider_of(address)),
        address=address,
        state=state,
        due_at=START,
        settled_at=START,
        provider_message_id=provider_message_id,
    )
    session.add(delivery)
    await session.flush()
    return delivery


def heard(
    kind: EventKind, source: str, source_id: str, *, channel: Channel = Channel.EMAIL, **given: Any
) -> Signal:
    """News of that moment, with whatever else is `given` of a Signal."""
    return Signal(kind=kind, channel=channel, source=source, source_id=source_id, at=START, **given)


def _address(contact: Contact | None, channel: Channel) -> str:
    assert contact is not None
    address = contact.email if channel is Channel.EMAIL else contact.phone
    assert address is not None
    return address


def put_off_unread(
    delivery: Delivery, at: datetime, number: float, *, provider: str = "orange", source: str = "dispatch"
) -> Event:
    """A deferral in words that no shipped rule knows; `number` tells it from others."""
    return Event(
        delivery_id=delivery.id,
        campaign_id=delivery.campaign_id,
        identity_id=delivery.identity_id,
        provider=provider,
        kind=EventKind.DEFERRED,
        code=450,
        text="Come back another day",
        bounce_class=BounceClass.UNKNOWN,
        fault=Fault.UNKNOWN,
        permanence=Permanence.SOFT,
        source=source,
        source_id=f"{source}{provider}{number}",
        at=at,
        recorded_at=at,
    )
