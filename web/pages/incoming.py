"""What comes back after a message left: by which ways it reaches us, and whether anything stands in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import Response

from deliverability.signals.hooks import PROVIDERS, Provider
from models.event import Incoming
from models.seed import PolledMailbox
from store import identities, incoming, mailboxes, news, originals
from store.news import Heard
from web.access import Editor, Reader, Visit
from web.i18n import N_, Tongue
from web.view import page

router = APIRouter()
SHOWN = 20
UNMATCHED_SHOWN = 200
READABLE = 200_000
"""Octets of an original that a page shows; the file has all of it."""
CREDENTIALS = N_("name:password")
STEPS: Mapping[str, str] = MappingProxyType(
    {
        "amazon_ses": N_(
            "In Amazon SNS, subscribe this address over HTTPS to the topic that gets the events of SES, with"
            " the original headers switched on in SES. Write the topic’s ARN into the setting. The"
            " subscription is confirmed by itself."
        ),
        "sendgrid": N_(
            "In SendGrid, Settings, Mail Settings, Event Webhook: paste this address and switch on the signed"
            " webhook. Write its verification key into the setting."
        ),
        "mailgun": N_(
            "In Mailgun, Sending, Webhooks: paste this address for each kind of event. Write the HTTP webhook"
            " signing key into the setting."
        ),
        "mailjet": N_(
            "In Mailjet, Account settings, Event notifications: paste this address for each kind of event,"
            " with a name and a password of your choice in it. Write name:password into the setting."
        ),
        "brevo": N_(
            "In Brevo, Transactional, Settings, Webhook: paste this address, with a name and a password of"
            " your choice in it. Write name:password into the setting."
        ),
        "postmark": N_(
            "In Postmark, your message stream, Webhooks: paste this address, with a name and a password of"
            " your choice. Write name:password into the setting."
        ),
        "sparkpost": N_(
            "In SparkPost, Configuration, Webhooks: paste this address with basic authentication, a name and"
            " a password of your choice. Write name:password into the setting."
        ),
        "mandrill": N_(
            "In Mandrill, Settings, Webhooks: paste this address. Write the key it shows into the setting."
        ),
        "resend": N_(
            "In Resend, Webhooks: paste this address. Write the signing secret (whsec_…) into the setting."
        ),
        "postal": N_(
            "In Postal, your mail server, Webhooks: paste this address. Write the public key that Postal"
            " signs with into the setting."
        ),
    }
)
"""What to do at the provider, and what to keep here."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One provider: `address` is what is pasted there; `heard` None: it never called."""

    provider: Provider
    address: str
    setting: str
    step: str
    set_up: bool
    heard: Heard | None

    @property
    def refused(self) -> int:
        """Calls that were not the provider's own, or came too late."""
        return self.heard.forged + self.heard.stale if self.heard else 0

    @property
    def looks_wrong(self) -> bool:
        """Whether it calls, and nothing of it could be believed: another key than ours, most likely."""
        told_at = self.heard.last_at if self.heard else None
        return self.refused > 0 and told_at is None

    @property
    def refused_since(self) -> bool:
        """Whether its last call was refused, though it was heard of before: a key changed on one side."""
        heard = self.heard
        return bool(heard and heard.last_at and heard.refused_at and heard.refused_at > heard.last_at)


@router.get("/incoming")
async def incoming_page(visit: Reader) -> Response:
    """The ways in, and what waits or was set aside."""
    context = visit.context
    async with context.database.read() as session:
        heard = {one.source: one for one in await news.heard(session)}
        hooks = [_hook(visit, one, heard.get(one.key)) for one in PROVIDERS.values()]
        mailbox = await _mailbox(session, context.bounce_place)
        aside = await incoming.count_aside(session)
        kept, unmatched = await incoming.count(session)
        senders = await identities.list_identities(session)
    return page(
        visit,
        "incoming.html",
        hooks=[one for one in hooks if one.set_up],
        others=[one for one in hooks if not one.set_up],
        mailbox=mailbox,
        place=context.bounce_place,
        listens=context.listens,
        domains=sorted({one.return_path_domain for one in senders if one.return_path_domain}),
        aside=aside,
        kept=kept,
        # The originals of news that was given up are among them.
        unmatched=max(0, unmatched - aside),
        deaf=not (context.listens or context.bounce_place or any(one.set_up for one in hooks)),
    )


@router.get("/incoming/unmatched")
async def unmatched_page(visit: Reader) -> Response:
    """What led to nobody, and what could not be read at all."""
    async with visit.context.database.read() as session:
        told = await news.list_unmatched(session, limit=UNMATCHED_SHOWN)
        kept = await originals.unmatched(session, limit=UNMATCHED_SHOWN)
        aside = await incoming.list_aside(session, limit=UNMATCHED_SHOWN, content=False)
    apart = {one.id for one in aside}
    return page(
        visit,
        "incoming_unmatched.html",
        news=told,
        originals=[one for one in kept if one.id not in apart],
        aside=aside,
        providers=PROVIDERS,
        source_name=source_name,
        size=partial(show_size, tongue=visit.tongue),
    )


@router.get("/incoming/originals/{number}")
async def original_page(visit: Editor, number: int) -> Response:
    """An original to read. It may be a person's letter: for those who write to people, not for all."""
    original = await _original(visit, number)
    text = original.raw[:READABLE].decode("utf-8", "replace").replace("\r\n", "\n")
    return page(
        visit,
        "incoming_original.html",
        original=original,
        text=readable(text),
        cut=len(original.raw) > READABLE,
        shown_size=show_size(len(original.raw), visit.tongue),
        source=source_name(original.source),
    )


@router.get("/incoming/originals/{number}/file")
async def original_file(visit: Editor, number: int) -> Response:
    """The original as it came, to keep; a browser shows nothing of it."""
    original = await _original(visit, number)
    ending = "json" if original.source in PROVIDERS else "eml"
    return Response(
        original.raw,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="original-{original.id}.{ending}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        },
    )


def readable(text: str) -> str:
    """`text` without signs that have no shape, which could make it look like something else."""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def show_size(octets: int, tongue: Tongue) -> str:
    """`12 kB`, at least one."""
    return tongue.say("%(number)s kB", number=tongue.number(max(1, round(octets / 1000))))


def source_name(source: str) -> str:
    """By which way news came, as it is called on pages."""
    known = PROVIDERS.get(source)
    return known.name if known is not None else SOURCES.get(source, source)


SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "dsn": N_("Delivery report by mail"),
        "mail": N_("Mail"),
        "arf": N_("Complaint by mail"),
        "aside": N_("Mail that could not be read"),
        "unsubscribe mail": N_("Unsubscription by mail"),
        "unsubscribe": N_("Unsubscription"),
        "twilio": "Twilio",
        "twilio inbound": "Twilio",
        "dispatch": N_("Sending"),
        "sweep": N_("Sending"),
        "campaign": N_("Sending"),
        "click": N_("Link in the message"),
        "seed": N_("Seed mailbox"),
        "evidence": N_("Concluded from later news"),
    }
)


async def _original(visit: Visit, number: int) -> Incoming:
    async with visit.context.database.read() as session:
        found = await originals.get(session, number)
        session.expunge(found)
    return found


def _hook(visit: Visit, provider: Provider, heard: Heard | None) -> Hook:
    context = visit.context
    address = f"{context.public_url}/hooks/{provider.key}"
    if provider.check is None:
        # Who signs nothing brings a name and a password in the address.
        scheme, _, rest = address.partition("://")
        address = f"{scheme}://{visit.tongue.say(CREDENTIALS)}@{rest}"
    return Hook(
        provider,
        address,
        f"TOCSIN_HOOK_{provider.key.upper()}",
        STEPS.get(provider.key, ""),
        bool(context.hook_secrets.get(provider.key)),
        heard,
    )


async def _mailbox(session: AsyncSession, place: str) -> PolledMailbox | None:
    return await mailboxes.mailbox_at(session, place) if place else None
