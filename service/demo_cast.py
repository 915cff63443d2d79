"""Who plays in the rehearsal: three senders, two thousand people, seeds, templates, two campaigns."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.imports import ImportOptions, ImportResult, OnProgress, import_contacts
from audience.segments import parse_segment
from models.access import Role
from models.clock import Clock, SystemClock
from models.identity import DkimKey, Identity, TerritoryKind
from models.keyring import Keyring
from models.seed import SeedMailbox
from models.states import IdentityRule, IdentityState, Nature
from sandbox import World
from sandbox.contacts import ContactsFile, Mobiles, write_contacts
from scheduler import NewCampaign, create_campaign
from scheduler.campaigns import schedule
from scheduler.signing_keys import make_keys
from sender.dkim import dns_record
from service.assembly import Parts
from store import Database
from store.identities import add_identity, list_identities
from store.seeds import add_seed
from store.segments import save_segment
from store.templates import save_version
from store.users import add_user
from templates.gallery import Starter, starters
from web.passwords import hash_password

ADMINISTRATOR = "demo@elan-commun.example"
ORGANISATION = "Élan commun"
SPONSOR = "Association de financement d’Élan commun"
POSTAL_ADDRESS = "12 rue de la République, 75011 Paris"
DOMAIN = "elan-commun.example"
SENDERS = (
    ("national", "Élan commun", "contact", TerritoryKind.NATIONAL, ""),
    ("paca", "Élan commun Provence-Alpes-Côte d’Azur", "paca", TerritoryKind.REGION, "93"),
    ("aura", "Élan commun Auvergne-Rhône-Alpes", "aura", TerritoryKind.REGION, "84"),
)
DISLIKED = {"orange": [f"paca@paca.{DOMAIN}"]}
"""Orange puts the mail of one regional identity into spam: the report must show it."""
SEGMENTS = {
    "Tout le monde": "everyone",
    "Élus à ne pas solliciter": 'tag:"élu local" and not level:adhérent',
    "Militants joignables par SMS": (
        "(level:adhérent or tag:bénévole or tag:référent) and has:phone and not tag:pétition-2025"
    ),
}
EMAIL_CAMPAIGN, SMS_CAMPAIGN = "Réunion publique du printemps", "Rappel de la réunion"


@dataclass(frozen=True, slots=True)
class Plot:
    """The identities and their keys, and the DNS records that the outside world should find."""

    keyring: Keyring
    identities: list[tuple[Identity, list[DkimKey]]] = field(default_factory=list)
    dkim_records: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """A campaign that is scheduled."""

    campaign_id: int
    name: str
    local_time: str


async def write_plot(secret: str) -> Plot:
    """Three identities, each with a domain and two keys of its own."""
    plot = Plot(Keyring(secret))
    now = SystemClock().now()
    for key, name, local_part, territory, value in SENDERS:
        domain = DOMAIN if key == "national" else f"{key}.{DOMAIN}"
        identity = Identity(
            key=key,
            name=name,
            from_email=f"{local_part}@{domain}",
            return_path_domain=f"bounces.{domain}",
            dkim_domain=domain,
            sms_sender="ELANCOMMUN",
            territory=territory,
            territory_value=value,
            organisation=ORGANISATION,
            postal_address=POSTAL_ADDRESS,
            state=IdentityState.ACTIVE,
            created_at=now,
        )
        keys = await make_keys(plot.keyring, now)
        plot.identities.append((identity, keys))
        for made in keys:
            record = dns_record(
                selector=made.selector,
                domain=domain,
                algorithm=made.algorithm,
                public_base64=made.public_base64,
            )
            plot.dkim_records[made.selector, domain] = record.value
    return plot


async def set_the_stage(database: Database, plot: Plot, world: World) -> None:
    """Senders, seeds, segments and templates, as an administrator would have made them."""
    now = SystemClock().now()
    host, port = world.imap
    async with database.write() as session:
        for identity, keys in plot.identities:
            await add_identity(session, identity, keys)
        for account in world.seed_accounts:
            await add_seed(
                session,
                SeedMailbox(
                    address=account.address,
                    provider=account.provider,
                    imap_host=host,
                    imap_port=port,
                    tls=False,
                    username=account.username,
                    sealed_password=plot.keyring.encrypt(account.password),
                ),
            )
        for name, text in SEGMENTS.items():
            await save_segment(session, name=name, text=text, tree=parse_segment(text), now=now)
        for starter in starters():
            await _keep(session, starter)


async def _keep(session: AsyncSession, starter: Starter) -> None:
    await save_version(
        session,
        name=starter.name,
        channel=starter.channel,
        subject=starter.subject,
        preheader=starter.preheader,
        body=starter.body,
        fallbacks=starter.fallbacks,
        now=SystemClock().now(),
    )


async def bring_people(
    parts: Parts, folder: Path, count: int, on_progress: OnProgress
) -> tuple[ContactsFile, ImportResult]:
    """The people, out of a CSV file as another tool would have exported it."""
    file = write_contacts(folder / "contacts.csv", count, mobiles=Mobiles.FRENCH)
    options = ImportOptions(source="export de l’ancien outil")
    return file, await import_contacts(parts.database, file.path, options, parts.clock, on_progress)


async def plan_campaigns(parts: Parts, lead: timedelta) -> list[Planned]:
    """An e-mail from the sender of each person's territory and a text message, both `lead` from now."""
    zone = parts.settings.zone
    moment = (parts.clock.now() + lead).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    planned = []
    async with parts.database.write() as session:
        senders = [identity.id for identity in await list_identities(session)]
        for wanted in await _campaigns(session, senders, zone):
            campaign = await create_campaign(session, wanted, parts.clock.now())
            await schedule(session, campaign.id, moment, zone, parts.clock.now())
            planned.append(Planned(campaign.id, campaign.name, f"{moment:%H:%M:%S}, {zone}"))
    return planned


async def _campaigns(session: AsyncSession, senders: Sequence[int], zone: str) -> list[NewCampaign]:
    from store.segments import find_segment
    from store.templates import latest_version

    numbers = {}
    for name in SEGMENTS:
        found = await find_segment(session, name)
        numbers[name] = found.id if found else 0
    everyone, spared, activists = numbers.values()
    letter, text = await latest_version(session, "invitation"), await latest_version(session, "sms-reminder")
    return [
        NewCampaign(
            name=EMAIL_CAMPAIGN,
            template_version_id=letter.id if letter else 0,
            include=[everyone],
            exclude=[spared],
            identity_ids=senders,
            identity_rule=IdentityRule.TERRITORY,
            zone=zone,
            nature=Nature.POLITICAL,
            sponsor=SPONSOR,
        ),
        NewCampaign(
            name=SMS_CAMPAIGN,
            template_version_id=text.id if text else 0,
            include=[activists],
            identity_ids=senders[:1],
            zone=zone,
            nature=Nature.POLITICAL,
            sponsor=SPONSOR,
        ),
    ]


async def make_administrator(database: Database, clock: Clock) -> str:
    """The account to look at the pages with; its password, drawn anew each time.

    It chose no language: it reads in that of its browser, until it chooses one.
    """
    password = secrets.token_urlsafe(12)
    async with database.write() as session:
        await add_user(
            session,
            email=ADMINISTRATOR,
            name="Démonstration",
            password_hash=hash_password(password),
            role=Role.ADMIN,
            language="",
            now=clock.now(),
        )
    return password
