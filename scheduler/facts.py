"""What is known of everybody in one call, looked up at once, and what follows from it for one wish."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.fields import contact_values
from models.contact import Contact
from models.identity import Identity, TerritoryKind
from models.magic import Magic, magic_of
from models.providers import OTHER, SANDBOX, SANDBOX_SMS, SMS
from models.states import Channel, ConsentStatus, IdentityRule, Purpose
from models.suppression import address_hash
from scheduler.asked import Asker, Refusal, Wish
from scheduler.destinations import providers_as_known
from scheduler.forms import Form
from scheduler.letters import sender_values
from scheduler.senders import Chooser
from store import contacts, messages, suppressions

_WORDS: Final = MappingProxyType(
    {Channel.EMAIL: ("e-mail", "no address to write from"), Channel.SMS: ("SMS", "no SMS sender")}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of everybody in one call. `rehearsers` choose for tests where nobody can send yet."""

    now: datetime
    people: Mapping[tuple[Channel, str], Contact]
    by_number: Mapping[int, Contact]
    tags: Mapping[int, Sequence[str]]
    suppressed: Collection[str]
    providers: Mapping[str, str]
    choosers: Mapping[Channel, Chooser]
    identities: Mapping[int, Identity]
    rehearsers: Mapping[Channel, Chooser]


async def learn(
    session: AsyncSession,
    asker: Asker,
    wishes: Sequence[Wish],
    *,
    forms: Mapping[int, Form],
    senders: Sequence[Identity],
    now: datetime,
) -> Facts:
    """Look everybody up, once each."""
    people: dict[tuple[Channel, str], Contact] = {}
    suppressed: set[str] = set()
    by_number = await messages.people_with(session, [w.contact_id for w in wishes if w.contact_id])
    for channel in {wish.channel for wish in wishes}:
        addresses = {wish.address for wish in wishes if wish.channel is channel and wish.address}
        addresses |= {address_of(one, channel) or "" for one in by_number.values()} - {""}
        found = await messages.people_at(session, channel, addresses)
        people |= {(channel, address): contact for address, contact in found.items()}
        hashes = [address_hash(channel, address) for address in addresses]
        suppressed |= await suppressions.suppressed_hashes(session, channel, hashes, now)
    tagged = any("tags" in form.compiled.fields for form in forms.values())
    everybody = [contact.id for contact in (*people.values(), *by_number.values())]
    domains = {address.rpartition("@")[2] for channel, address in people if channel is Channel.EMAIL}
    domains |= {wish.address.rpartition("@")[2] for wish in wishes if wish.channel is Channel.EMAIL}
    able = [one for one in senders if not asker.identity_ids or one.id in asker.identity_ids]
    return Facts(
        now=now,
        people=people,
        by_number=by_number,
        tags=await contacts.tags_of(session, everybody) if tagged else {},
        suppressed=suppressed,
        providers=await providers_as_known(session, domains - {""}),
        choosers={channel: Chooser(IdentityRule.TERRITORY, able, channel) for channel in Channel},
        identities={identity.id: identity for identity in able},
        rehearsers={
            channel: Chooser(IdentityRule.TERRITORY, able, channel, rehearsing=True)
            for channel in (Channel if asker.test else ())
        },
    )


def person_of(wish: Wish, facts: Facts) -> Contact | None:
    """Whom it is for, where they are known."""
    if wish.contact_id is not None:
        return facts.by_number.get(wish.contact_id)
    return facts.people.get((wish.channel, wish.address))


def address_of(contact: Contact, channel: Channel) -> str | None:
    """Where somebody is reached."""
    return contact.email if channel is Channel.EMAIL else contact.phone


def sender_of(asker: Asker, wish: Wish, contact: Contact | None, facts: Facts) -> Identity | Refusal:
    """The identity asked for, or whoever speaks for where the person lives.

    A test, of which nothing leaves, may have one that cannot send yet.
    """
    chooser, rehearser = facts.choosers[wish.channel], facts.rehearsers.get(wish.channel)
    if wish.identity_id is not None:
        identity = facts.identities.get(wish.identity_id)
        if identity is None or (asker.identity_ids and identity.id not in asker.identity_ids):
            return Refusal("identity_not_allowed", "This key may not write as that identity.", ("identity",))
        if identity not in (rehearser or chooser).able:
            return Refusal("identity_unable", _why_unable(identity, wish.channel), ("identity",))
        return identity
    found = _chosen_by(chooser, contact)
    if found is None and rehearser is not None:
        found = _chosen_by(rehearser, contact)
    if found is None:
        problem = "No identity speaks for that person: name one."
        if not (rehearser or chooser).able:
            problem = f"No identity this key may write as sends {_WORDS[wish.channel][0]} at present."
        return Refusal("identity_required", problem, ("identity",))
    return found


def _why_unable(identity: Identity, channel: Channel) -> str:
    what, lack = _WORDS[channel]
    if not (identity.sms_sender if channel is Channel.SMS else identity.from_email):
        return f"The identity “{identity.key}” sends no {what}: it has {lack}."
    return f"The identity “{identity.key}” cannot send at present: its state is {identity.state}."


def _chosen_by(chooser: Chooser, contact: Contact | None) -> Identity | None:
    if len(chooser.able) == 1:
        return chooser.able[0]
    found = chooser.choose(contact) if contact is not None else None
    if found is None:
        # Of somebody unknown nothing tells the territory: who speaks for everybody does.
        nationwide = [one for one in chooser.able if one.territory is TerritoryKind.NATIONAL]
        found = nationwide[0] if nationwide else None
    return found


def values_of(
    wish: Wish, contact: Contact | None, identity: Identity, form: Form, facts: Facts
) -> dict[str, str]:
    """What the message says: of its person, what the program says goes first, of the sender nobody else."""
    known: dict[str, str] = {}
    if contact is not None:
        known = contact_values(contact, facts.tags.get(contact.id, ()))
    return {**known, **wish.variables, **sender_values(identity), "campaign_name": form.name}


def reason_against(wish: Wish, contact: Contact | None, facts: Facts, *, test: bool) -> str:
    """Why this person must not be written to, "" when they may be."""
    if test:
        return "suppressed" if magic_of(wish.channel, wish.address) is Magic.SUPPRESSED else ""
    if address_hash(wish.channel, wish.address) in facts.suppressed:
        return "suppressed"
    consent = ConsentStatus.UNKNOWN
    if contact is not None:
        email = wish.channel is Channel.EMAIL
        consent = contact.email_consent if email else contact.sms_consent
    if consent is ConsentStatus.WITHDRAWN:
        return "withdrawn"
    return "no_consent" if wish.purpose is Purpose.CAMPAIGN and consent is not ConsentStatus.GRANTED else ""


def provider_of(wish: Wish, facts: Facts, *, test: bool) -> str:
    """Who takes it for the recipient."""
    if wish.channel is Channel.SMS:
        return SANDBOX_SMS if test else SMS
    return SANDBOX if test else facts.providers.get(wish.address.rpartition("@")[2], OTHER)
