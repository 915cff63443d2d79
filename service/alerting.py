"""Who is told of incidents, put together from the settings: mails by the ordinary way out, signed webhooks.

An alert mail is a plain letter from an identity to somebody of the organisation: no segment, no suppression
and no counter knows of it, and it carries no token. If the identity's mail is not taken, the next one signs
the next try.
"""

import json
import quopri
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from models.clock import Clock
from models.identity import Identity
from models.incident import Alert, AlertWay, Incident, IncidentLevel
from models.keyring import Keyring
from models.providers import provider_of
from models.states import Channel
from models.values import Deferred, EmailMessage, Envelope, Outcome, Reply
from scheduler.alerts import ENDED, AlertDesk, Place
from scheduler.post import open_desk
from scheduler.senders import can_send
from sender import Transport
from sender.webhook import WebhookOptions, post
from service.settings import Settings
from store import Database, identities
from web.i18n import Tongue
from web.incident_view import IncidentLine, lines_of
from web.incident_words import letter_of, title_of, trial_of

NO_SENDER = Deferred(Reply(None, None, "No identity may send at present."))
NO_RELAY = Deferred(Reply(None, None, "No mail relay is set."))
PREFIX = "[Tocsin] "


class AlertPost:
    """Tells places of incidents by this installation's ways out."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        *,
        transports: Mapping[Channel, Transport],
        keyring: Keyring,
    ) -> None:
        """The parts it works with."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._transports = transports
        self._keyring = keyring
        self._tongue = Tongue(settings.language, ZoneInfo(settings.zone))

    def desk(self) -> AlertDesk:
        """Who is told of what, by the settings."""
        settings = self._settings
        places = [Place(AlertWay.MAIL, address) for address in settings.alert_mailboxes]
        places += [Place(AlertWay.WEBHOOK, url) for url in settings.alert_urls]
        return AlertDesk(places, IncidentLevel(settings.alert_level), self.carry)

    async def carry(self, alert: Alert, about: Incident) -> Outcome:
        """Tell a place of an incident, once."""
        line = await line_of(self._database, about, self._tongue)
        now = self._clock.now()
        number = f"tocsin-{about.id}-{alert.news}-{alert.id}"
        if alert.way is AlertWay.WEBHOOK:
            body = json.dumps(self._news(alert.news, line, now), ensure_ascii=False).encode()
            return await self._post(alert.target, body, number, now)
        subject, lines = letter_of(about, line.told, self._tongue, over=alert.news == ENDED)
        lines.append(self._address(about))
        return await self._mail(alert.target, PREFIX + subject, lines, number, turn=alert.tries)

    async def test(self, place: Place) -> Outcome:
        """A trial, to see whether a place can be told."""
        now = self._clock.now()
        number = f"tocsin-test-{int(now.timestamp())}"
        if place.way is AlertWay.WEBHOOK:
            body = json.dumps({"type": "test", "timestamp": now.isoformat(), "data": {}}).encode()
            return await self._post(place.target, body, number, now)
        subject, lines = trial_of(self._tongue)
        lines.append(self._settings.public_url)
        return await self._mail(place.target, PREFIX + subject, lines, number, turn=0)

    async def _post(self, url: str, body: bytes, number: str, now: datetime) -> Outcome:
        secret = self._settings.alert_webhook_secret
        options = WebhookOptions(
            secret="" if secret is None else secret.get_secret_value(), private=self._settings.alert_private
        )
        return await post(url, body, message_id=number, now=now, options=options)

    def _news(self, news: str, line: IncidentLine, now: datetime) -> dict[str, object]:
        """What a webhook is told."""
        about, told, names = line.row, line.told, line.names
        campaign = {"id": about.campaign_id, "name": names.campaign} if about.campaign_id else None
        identity = {"id": about.identity_id, "name": names.identity} if about.identity_id else None
        return {
            "type": f"incident.{news}",
            "timestamp": now.isoformat(),
            "data": {
                "id": about.id,
                "kind": about.kind.value,
                "level": about.level.value,
                "deed": about.deed.value,
                "provider": about.provider or None,
                "identity": identity,
                "campaign": campaign,
                "part": about.part,
                "whole": about.whole,
                "began_at": about.began_at.isoformat(),
                "ended_at": about.ended_at.isoformat() if about.ended_at else None,
                "ended_by": about.ended_by or None,
                "until": about.until.isoformat() if about.until else None,
                "title": title_of(told),
                "what": told.what,
                "done": told.done,
                "url": self._address(about),
            },
        }

    def _address(self, about: Incident) -> str:
        return f"{self._settings.public_url}/incidents/{about.id}"

    async def _mail(self, to: str, subject: str, lines: Sequence[str], number: str, *, turn: int) -> Outcome:
        transport = self._transports.get(Channel.EMAIL)
        if transport is None:
            return NO_RELAY
        async with self._database.read() as session:
            senders = _in_order(await identities.list_identities(session), self._settings.alert_from)
            if not senders:
                return NO_SENDER
            sender = senders[turn % len(senders)]
            keys = await identities.keys_of(session, sender.id)
        builder = open_desk(sender, keys, self._keyring, Channel.EMAIL).builder
        if builder is None:
            return NO_SENDER
        domain = sender.dkim_domain or (sender.from_email or "").rpartition("@")[2]
        envelope: Envelope = builder.build(
            letter(subject, lines),
            recipient=to,
            return_path=f"alerts@{sender.return_path_domain or domain}",
            message_id=f"{number}@{domain}",
            date=self._clock.now(),
            headers=[("Auto-Submitted", "auto-generated"), ("X-Tocsin-Alert", number)],
            # The relay may be one that puts a Message-ID of its own: what is not signed cannot break.
            for_relay=(),
        )
        return await transport.send(envelope, provider=provider_of(to))


def _in_order(senders: Sequence[Identity], first: str) -> list[Identity]:
    """Those that may send e-mail, the one that is set before all others."""
    able = [one for one in senders if one.from_email and can_send(one, Channel.EMAIL)]
    return sorted(able, key=lambda one: one.key != first)


def letter(subject: str, lines: Sequence[str]) -> EmailMessage:
    """A plain letter: a paragraph a line."""
    clean = [" ".join(line.split()) for line in lines if line]
    text = quopri.encodestring("\n\n".join(clean).encode() + b"\n").replace(b"\n", b"\r\n")
    paragraphs = "\r\n".join(f"<p>{escape(line[:800])}</p>" for line in clean)
    html = f"<html><body>\r\n{paragraphs}\r\n</body></html>\r\n".encode("ascii", "xmlcharrefreplace")
    return EmailMessage(subject=" ".join(subject.split())[:200], text=text, html=html)


async def line_of(database: Database, incident: Incident, tongue: Tongue) -> IncidentLine:
    """An incident in words."""
    async with database.read() as session:
        (line,) = await lines_of(session, [incident], tongue)
    return line
