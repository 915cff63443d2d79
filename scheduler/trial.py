"""A campaign's message to oneself, before it goes to anybody else.

As true as it can be: the pinned version, read by one real person of the audience, from the first
identity, signed, through the real transport. And without a trace in the figures: there is no delivery, so
nothing in it carries a token of anybody's, its links lead straight to where they lead, and nobody can be
unsubscribed by it.
"""

import asyncio
import quopri
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.addresses import read_email, read_phone
from models.campaign import Campaign
from models.clock import Clock
from models.errors import ConflictError
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.providers import SMS
from models.states import Channel
from models.suppression import address_hash
from models.template import TemplateVersion
from models.tokens import Tokens
from models.values import EmailMessage, Envelope, Outcome, SmsEnvelope
from scheduler.choosing import choose_for
from scheduler.content import Content, compile_version, label_of, people, values_for
from scheduler.destinations import providers_for
from scheduler.dispatch import NO_TRANSPORT
from scheduler.letters import NOBODY, notice_address
from scheduler.lifecycle import may_send, tell_state
from scheduler.post import Desk, open_desk
from scheduler.senders import can_send
from sender import Transport
from store import Database, audiences, campaigns, identities, suppressions, users
from store import templates as template_rows
from store.people import Person
from templates import CompiledEmail, CompiledSms, render_target
from templates.label import Label
from templates.transfer import LINE_OCTETS, longest_line, rewrap

LOOK_UP = timedelta(seconds=5)
"""How long somebody waits for name servers before the test message leaves as to anybody."""
LOOKED_THROUGH = 500
"""Targeted people among whom one who would get the message is looked for."""
_CLICK_BASE = "https://link.invalid/c"
_NUMBERED = re.compile(rf"{re.escape(_CLICK_BASE)}/(\d+)")


@dataclass(frozen=True, slots=True)
class _Parts:
    campaign: Campaign
    version: TemplateVersion
    identity: Identity
    keys: list[DkimKey]
    person: tuple[Person | None, list[str]]
    label: Label | None


async def send_trial(
    database: Database,
    clock: Clock,
    *,
    transports: Mapping[Channel, Transport],
    keyring: Keyring,
    campaign_id: int,
    to: str,
    public_url: str,
    insist: bool = False,
    language: str = "fr",
) -> Outcome:
    """Send the campaign's message to `to`, an e-mail address or a telephone number, and say what came of it.

    A suppressed address is written to only if it is a user's own, or with `insist`: whoever typed it at
    the command line answers for it. AddressError for what is no address of the campaign's channel,
    ConflictError when the address is suppressed or the campaign cannot be sent from here, TemplateError.
    """
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        address = read_email(to) if campaign.channel is Channel.EMAIL else read_phone(to)
        if campaign.channel not in transports:
            raise ConflictError(NO_TRANSPORT[campaign.channel])
        if not insist:
            await _require_welcome(session, campaign.channel, address, clock)
        parts = await _gather(session, campaign, clock)
    envelope = await asyncio.to_thread(
        _write,
        parts,
        address,
        keyring=keyring,
        public_url=public_url.rstrip("/"),
        language=language,
        clock=clock,
    )
    provider = await _provider_of(database, address, campaign.channel, clock)
    return await transports[campaign.channel].send(envelope, provider=provider)


async def _provider_of(database: Database, address: str, channel: Channel, clock: Clock) -> str:
    """By the mail exchangers, as for a campaign: it may decide which way the message leaves."""
    if channel is Channel.SMS:
        return SMS
    domain = address.rpartition("@")[2]
    return (await providers_for(database, [domain], clock, budget=LOOK_UP))[domain]


async def _require_welcome(session: AsyncSession, channel: Channel, address: str, clock: Clock) -> None:
    print_ = address_hash(channel, address)
    if not await suppressions.suppressed_hashes(session, channel, [print_], clock.now()):
        return
    if channel is Channel.EMAIL and await users.find_user(session, address) is not None:
        return
    raise ConflictError(
        "This address must not be written to any more: it is suppressed.", "Send the test to another one."
    )


async def _gather(session: AsyncSession, campaign: Campaign, clock: Clock) -> _Parts:
    senders = await campaigns.identities_of(session, campaign.id)
    if not senders:
        raise ConflictError("A campaign needs a sender identity.", "Choose at least one.")
    if not may_send(senders[0], campaign.channel):
        raise ConflictError(tell_state(senders[0]), "Put that right, or choose another identity.")
    if not can_send(senders[0], campaign.channel):
        raise ConflictError(
            "The campaign's first identity lacks an address for this channel.",
            "Complete it, or choose another.",
        )
    return _Parts(
        campaign=campaign,
        version=await template_rows.get_version(session, campaign.template_version_id),
        identity=senders[0],
        keys=await identities.keys_of(session, senders[0].id),
        person=await _somebody(session, campaign, clock),
        label=await label_of(session, campaign),
    )


async def _somebody(
    session: AsyncSession, campaign: Campaign, clock: Clock
) -> tuple[Person | None, list[str]]:
    """The first of the audience who would get the message; nobody when there is none."""
    now = clock.now()
    selection = (await choose_for(session, campaign, now)).selection
    found = await audiences.audience_batch(session, selection, now, after_id=0, limit=LOOKED_THROUGH)
    chosen = next((contact for contact, left_out in found if left_out is None), None)
    if chosen is None:
        return None, []
    return (await people(session, [chosen.id])).get(chosen.id, (None, []))


def _write(
    parts: _Parts, to: str, *, keyring: Keyring, public_url: str, language: str, clock: Clock
) -> Envelope:
    channel = parts.campaign.channel
    compiled = compile_version(parts.version, channel, language=language, label=parts.label)
    notice = notice_address(Tokens(keyring), public_url, parts.campaign.id)
    desk = open_desk(parts.identity, parts.keys, keyring, channel)
    contact, tags = parts.person
    content = Content(parts.campaign.name, compiled, notice_url=notice)
    values = values_for(contact, tags, parts.identity, content)
    values.update(dict.fromkeys(compiled.missing(values), NOBODY))
    if isinstance(compiled, CompiledSms):
        return SmsEnvelope(parts.identity.sms_sender or "", to, compiled.render(values).text)
    message = _without_tokens(compiled, values, parts.version.fallbacks, public_url)
    return _build(desk, message, to, clock)


def _build(desk: Desk, message: EmailMessage, to: str, clock: Clock) -> Envelope:
    identity = desk.identity
    if desk.builder is None or identity.from_email is None:
        raise ConflictError(f"The identity {identity.key!r} has no e-mail address.", "Complete it.")
    domain = identity.dkim_domain or identity.from_email.rpartition("@")[2]
    return desk.builder.build(
        replace(message, subject=f"[Test] {message.subject}"),
        recipient=to,
        return_path=f"test@{identity.return_path_domain or domain}",
        message_id=f"test.{uuid.uuid4().hex}@{domain}",
        date=clock.now(),
        # The relay may be one that puts a Message-ID of its own: what is not signed cannot break.
        for_relay=(),
    )


def _without_tokens(
    compiled: CompiledEmail, values: Mapping[str, str], fallbacks: Mapping[str, str], public_url: str
) -> EmailMessage:
    """The message as that person reads it, each numbered link replaced by where it leads."""
    message = compiled.render(values, click_base=_CLICK_BASE, unsubscribe_url=f"{public_url}/u/preview")

    def target(link: re.Match[str]) -> str:
        return render_target(compiled.links[int(link[1])], values, fallbacks)

    html = _NUMBERED.sub(lambda link: escape(target(link)), message.html.decode("ascii"))
    if longest_line(html) > LINE_OCTETS:
        html = rewrap(html)
    text = _NUMBERED.sub(target, quopri.decodestring(message.text).decode())
    lines = text.replace("\r\n", "\n").encode()
    return replace(
        message,
        html=html.encode("ascii"),
        text=quopri.encodestring(lines, quotetabs=False).replace(b"\n", b"\r\n"),
    )
