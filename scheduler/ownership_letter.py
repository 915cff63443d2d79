"""The letter to a sender's own address: whoever follows its link reads that mailbox.

It comes from an identity that sends already, if there is one: a domain whose records are not there yet makes
a poor letterhead, and mail that comes from outside in its own name is what mailboxes distrust most. The link
leads to a page with a button, because scanners follow links and press none.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from models.clock import Clock
from models.errors import ConflictError
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.states import Channel, IdentityState
from models.tokens import Tokens
from models.values import Accepted, EmailEnvelope, EmailMessage, Outcome
from scheduler.destinations import providers_for
from scheduler.lifecycle import may_send
from scheduler.ownership import draw_link, proof_of_link
from scheduler.post import Desk, open_desk
from sender import Transport
from store import Database, identities
from templates.transfer import encode_html, encode_text

PROBLEM_LENGTH = 300


class Wording(NamedTuple):
    """What the letter says, to be filled in with `address`, `name` and `link`."""

    subject: str
    greeting: str
    what: str
    button: str
    until: str
    otherwise: str


WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        "fr": Wording(
            "Confirmez l’adresse {address}",
            "Bonjour,",
            "« {name} » va envoyer des campagnes de la part de {address}. Pour montrer que cette boîte est la"
            " vôtre, ouvrez cette page et appuyez sur son bouton :",
            "Confirmer cette adresse",
            "Le lien est valable trois jours et ne sert qu’une fois.",
            "Si vous n’attendiez pas ce message, ne faites rien : rien ne partira de cette adresse.",
        ),
        "en": Wording(
            "Confirm the address {address}",
            "Hello,",
            "“{name}” is about to send campaigns from {address}. To show that this mailbox is yours, open"
            " this page and press its button:",
            "Confirm this address",
            "The link is good for three days, and once.",
            "If you did not expect this message, do nothing: nothing will leave from this address.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PostRoom:
    """What is needed to write and send such letters; `public_url` leads to the page, `language`: fr, en."""

    database: Database
    clock: Clock
    transports: Mapping[Channel, Transport]
    keyring: Keyring
    tokens: Tokens
    public_url: str
    language: str


async def send_link(room: PostRoom, identity_id: int) -> Outcome:
    """Send the letter and say what came of it; ConflictError without a mail relay, or nothing to show.

    With a fresh link older ones are worth nothing any more.
    """
    transport = room.transports.get(Channel.EMAIL)
    if transport is None:
        raise ConflictError(
            "This installation sends no e-mail, so the letter cannot leave.", "Set TOCSIN_SMTP_URL first."
        )
    async with room.database.write() as session:
        identity = await identities.get_identity(session, identity_id)
        _, token = await draw_link(session, identity, room.tokens, room.clock.now())
        writer, keys = await _writer(session, identity)
    link = f"{room.public_url.rstrip('/')}/mailbox/{token}"
    desk = await asyncio.to_thread(open_desk, writer, keys, room.keyring, Channel.EMAIL)
    envelope = await asyncio.to_thread(_write, room, desk, identity, link)
    domain = envelope.recipient.rpartition("@")[2]
    provider = (await providers_for(room.database, [domain], room.clock))[domain]
    outcome = await transport.send(envelope, provider=provider)
    await _record(room, token, outcome)
    return outcome


async def _writer(session: AsyncSession, identity: Identity) -> tuple[Identity, list[DkimKey]]:
    """Who signs the letter: somebody who sends already, or else the identity itself."""
    known = [
        each
        for each in await identities.list_identities(session)
        if each.from_email and each.state is not IdentityState.CONFIRMED and may_send(each, Channel.EMAIL)
    ]
    writer = next((each for each in known if each.id != identity.id), identity)
    return writer, await identities.keys_of(session, writer.id)


def _write(room: PostRoom, desk: Desk, identity: Identity, link: str) -> EmailEnvelope:
    writer = desk.identity
    if desk.builder is None or writer.from_email is None or identity.from_email is None:
        raise ConflictError(f"The identity {writer.key!r} has no e-mail address.", "Complete it.")
    domain = writer.dkim_domain or writer.from_email.rpartition("@")[2]
    return desk.builder.build(
        compose(identity.name, identity.from_email, link, room.language),
        recipient=identity.from_email,
        return_path=f"owner@{writer.return_path_domain or domain}",
        message_id=f"owner.{uuid.uuid4().hex}@{domain}",
        date=room.clock.now(),
        headers=[("Auto-Submitted", "auto-generated")],
        for_relay=(),
    )


def compose(name: str, address: str, link: str, language: str) -> EmailMessage:
    """The letter, in the installation's language."""
    words = WORDINGS.get(language, WORDINGS["en"])
    values = {"address": address, "name": " ".join(name.split()), "link": link}
    what, until, otherwise = words.what.format(**values), words.until, words.otherwise
    text = f"{words.greeting}\n\n{what}\n\n{link}\n\n{until}\n{otherwise}\n"
    html = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(words.subject.format(**values))}</title></head>\n"
        '<body style="font-family:sans-serif;line-height:1.5;max-width:36em">\n'
        f"<p>{words.greeting}</p>\n<p>{escape(what)}</p>\n"
        f'<p><a href="{escape(link)}">{escape(words.button)}</a><br>\n<small>{escape(link)}</small></p>\n'
        f"<p>{escape(until)}<br>\n{escape(otherwise)}</p>\n</body></html>\n"
    )
    return EmailMessage(
        words.subject.format(**values), encode_text(text).encode("ascii"), encode_html(html).encode("ascii")
    )


async def _record(room: PostRoom, token: str, outcome: Outcome) -> None:
    async with room.database.write() as session:
        proof = await proof_of_link(session, room.tokens, token)
        if proof is None:
            return  # asked for anew meanwhile
        if isinstance(outcome, Accepted):
            proof.mailed_at, proof.problem = room.clock.now(), ""
        else:
            proof.mailed_at, proof.problem = None, outcome.reply.text[:PROBLEM_LENGTH]
        session.add(proof)
