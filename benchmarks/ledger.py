"""A database for one measurement: made, filled with people in bulk, and gone afterwards.

People are written with one statement a few thousand; everything after that (the freeze, the claims, the
records) is what the product itself does.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from audience.segments import parse_segment
from benchmarks import newsletter
from benchmarks.processes import TICKS, cost, helpers_of
from models.clock import SystemClock
from models.contact import Contact
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.pace import MailDomain
from models.signing import DkimAlgorithm
from models.states import Channel, ConsentStatus, IdentityState
from models.suppression import address_hash
from models.text import fold
from scheduler import NewCampaign, create_campaign
from scheduler.campaigns import schedule
from sender.dkim import dns_record, make_key
from store import Database, identities, segments, templates
from store.engine import make_engine, parse_url

SIGNING_DOMAIN = "association.example"
RECIPIENT_DOMAIN = "boites.example"
AT_ONCE = 5_000
NO_LIMIT = 10_000_000.0
"""Messages a second: the rates are there and asked for, and hold nothing back."""


@asynccontextmanager
async def temporary_database(server_url: str, folder: Path) -> AsyncIterator[str]:
    """The address of a database with all tables: on the PostgreSQL server of that address, or a file."""
    if not server_url:
        url = f"sqlite:///{folder}/tocsin.db"
        await _migrate(url)
        yield url
        return
    server = parse_url(server_url)
    name = f"tocsin_bench_{os.getpid()}"
    engine = make_engine(server, writes=True, pooled=False).execution_options(isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            await connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0"))
        url = server.set(database=name).render_as_string(hide_password=False)
        await _migrate(url)
        yield url
    finally:
        async with engine.connect() as connection:
            await connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        await engine.dispose()


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await database.migrate()
    finally:
        await database.close()


async def add_people(database: Database, first: int, count: int, group: str) -> None:
    """`count` people numbered from `first` who agreed to be written to, all of the group of that name."""
    now = SystemClock().now()
    for start in range(first, first + count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, first + count))
        async with database.write() as session:
            await session.connection()
            await (await session.connection()).execute(
                sa.insert(Contact), [_person(number, group, now) for number in numbers]
            )


def recipient(number: int) -> str:
    """The address of one of them."""
    return f"r{number}@{RECIPIENT_DOMAIN}"


def _person(number: int, group: str, now: datetime) -> dict[str, object]:
    values = newsletter.person(number)
    address = recipient(number)
    free = {name: values[name] for name in ("points", "derniere", "sujets", "code")}
    return {
        "email": address,
        "email_hash": address_hash(Channel.EMAIL, address),
        "email_domain": RECIPIENT_DOMAIN,
        "first_name": values["first_name"],
        "commune": values["commune"],
        "commune_key": fold(values["commune"]),
        "level": values["level"],
        "level_key": fold(values["level"]),
        "canton": group,
        "canton_key": fold(group),
        "language": "fr",
        "attributes": free,
        "attributes_key": {name: fold(text) for name, text in free.items()},
        "email_consent": ConsentStatus.GRANTED,
        "sms_consent": ConsentStatus.UNKNOWN,
        "created_at": now,
        "updated_at": now,
    }


async def add_sender(database: Database, keyring: Keyring, algorithms: tuple[DkimAlgorithm, ...]) -> int:
    """An identity with a key of each algorithm, the people's mail domain looked up already; its number."""
    now = SystemClock().now()
    keys = []
    for algorithm in algorithms:
        made = make_key(algorithm)
        keys.append(
            DkimKey(
                identity_id=0,
                selector=algorithm.value.partition("-")[0],
                algorithm=algorithm,
                sealed_private_pem=keyring.encrypt(made.private_pem),
                public_base64=made.public_base64,
                created_at=now,
            )
        )
    identity = Identity(
        key="association",
        name="L’Association",
        from_email=f"lettre@{SIGNING_DOMAIN}",
        reply_to=f"contact@{SIGNING_DOMAIN}",
        return_path_domain=f"retours.{SIGNING_DOMAIN}",
        dkim_domain=SIGNING_DOMAIN,
        organisation="L’Association",
        postal_address="1 rue du Banc d’essai, 75000 Paris",
        emails_per_second=NO_LIMIT,
        state=IdentityState.ACTIVE,
        created_at=now,
    )
    async with database.write() as session:
        known = await identities.add_identity(session, identity, keys)
        # No resolver is asked: the domain is made up, and what DNS takes is not what is measured.
        session.add(
            MailDomain(
                domain=RECIPIENT_DOMAIN,
                provider="other",
                exchangers=[f"mx.{RECIPIENT_DOMAIN}"],
                looked_up_at=now,
                expires_at=now + timedelta(days=30),
            )
        )
        return known.id


async def key_records(database: Database, identity_id: int) -> dict[str, str]:
    """What DNS would say of the sender's keys, by name."""
    async with database.read() as session:
        keys = await identities.keys_of(session, identity_id)
    records = (
        dns_record(
            selector=key.selector,
            domain=SIGNING_DOMAIN,
            algorithm=key.algorithm,
            public_base64=key.public_base64,
        )
        for key in keys
    )
    return {record.name: record.value for record in records}


async def start_campaign(database: Database, identity_id: int, group: str) -> int:
    """A campaign to the group of that name, due at once; its number."""
    now = SystemClock().now()
    text = f"canton = {group}"
    async with database.write() as session:
        version = await templates.save_version(
            session,
            name="lettre",
            channel=Channel.EMAIL,
            subject=newsletter.SUBJECT,
            preheader=newsletter.PREHEADER,
            body=newsletter.mjml(),
            fallbacks={},
            now=now,
        )
        segment = await segments.save_segment(
            session, name=group, text=text, tree=parse_segment(text), now=now
        )
        wanted = NewCampaign(
            name=f"Lettre {group}",
            template_version_id=version.id,
            include=[segment.id],
            identity_ids=[identity_id],
        )
        campaign = await create_campaign(session, wanted, now)
        await schedule(session, campaign.id, now.astimezone(UTC).replace(tzinfo=None), "UTC", now)
        return campaign.id


async def server_cpu_s(database: Database) -> float:
    """Of all processes of a PostgreSQL server here, those that have ended included; 0 of one elsewhere."""
    if database.is_sqlite:
        return 0.0
    async with database.read() as session:
        connection = await session.connection()
        pid = int(await connection.scalar(sa.text("SELECT pg_backend_pid()")) or 0)
    return _family_cpu_s(pid)


def _family_cpu_s(backend: int) -> float:
    try:
        head = int(_fields(backend)[1])
        if "postgres" not in Path(f"/proc/{head}/comm").read_text():
            return 0.0
        ended = _fields(head)
    except OSError:
        return 0.0
    living = sum(cost(one).cpu_s for one in (head, *helpers_of(head)))
    return living + (int(ended[13]) + int(ended[14])) / TICKS


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
