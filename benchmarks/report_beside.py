"""What lies beside the messages in a ledger for measuring pages: seeds, reports, figures, incidents."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from models.authentication import DmarcReport, DmarcRow
from models.campaign import Campaign, CampaignLane
from models.declared import DeclaredFigure, DeclaredSource
from models.delivery import Delivery
from models.event import Event
from models.incident import Incident, IncidentKind, IncidentLevel
from models.seed import SeedMailbox
from models.states import Channel, DeliveryState, EventKind
from store import Database

SEEDS = 24
DAYS = 30
REPORTERS = 10
ROWS_A_REPORT = 10
PLACES = (EventKind.PLACED_INBOX, EventKind.PLACED_INBOX, EventKind.PLACED_TAB, EventKind.PLACED_SPAM)


async def add_seeds(database: Database, providers: tuple[str, ...]) -> None:
    """Mailboxes that nobody will ever read."""
    rows = [
        {
            "address": f"seed{number}@example.net",
            "provider": providers[number % len(providers)],
            "imap_host": "127.0.0.1",
            "username": "seed",
            "sealed_password": "",
        }
        for number in range(SEEDS)
    ]
    async with database.write() as session:
        await _insert(session, SeedMailbox, rows)


async def add_lanes(
    session: AsyncSession, campaign: Campaign, identities: int, providers: tuple[str, ...], now: datetime
) -> None:
    """Where a campaign's mail goes, and its mails to seeds, each found."""
    await _insert(
        session,
        CampaignLane,
        [
            {"campaign_id": campaign.id, "identity_id": number + 1, "provider": provider}
            for number in range(identities)
            for provider in providers
        ],
    )
    mails = [
        _seed_mail(campaign.id, place, providers, identities, now) for place in range(SEEDS * identities)
    ]
    await _insert(session, Delivery, mails)
    wanted = sa.select(sa.inspect(Delivery).local_table).where(
        sa.inspect(Delivery).local_table.c.campaign_id == campaign.id,
        sa.inspect(Delivery).local_table.c.seed_id > 0,
    )
    rows = (await (await session.connection()).execute(wanted)).all()
    await _insert(session, Event, [_found(row, now) for row in rows])


def _seed_mail(
    campaign_id: int, place: int, providers: tuple[str, ...], identities: int, now: datetime
) -> dict[str, Any]:
    return {
        "campaign_id": campaign_id,
        "channel": Channel.EMAIL,
        "seed_id": place % SEEDS + 1,
        "identity_id": place // SEEDS % identities + 1,
        "provider": providers[place % SEEDS % len(providers)],
        "address": f"seed{place % SEEDS}@example.net",
        "state": DeliveryState.ACCEPTED,
        "due_at": now,
        "settled_at": now,
        "attempts": 1,
    }


def _found(mail: Any, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": mail.id,
        "campaign_id": mail.campaign_id,
        "identity_id": mail.identity_id,
        "provider": mail.provider,
        "seed": True,
        "kind": PLACES[mail.id % len(PLACES)],
        "source": "bench-seed",
        "source_id": str(mail.id),
        "details": {"latency_seconds": "40"},
        "at": now,
        "recorded_at": now,
    }


async def add_news(database: Database, domain: str, now: datetime) -> None:
    """A month of reports on authentication and of declared figures, and incidents that are over or open."""
    days = [now - timedelta(days=day) for day in range(DAYS)]
    reports = [
        {
            "org": f"receiver{number}.example",
            "report_key": f"{day:%Y%m%d}",
            "domain": domain,
            "begins_at": day - timedelta(days=1),
            "ends_at": day,
            "received_at": day,
        }
        for number in range(REPORTERS)
        for day in days
    ]
    async with database.write() as session:
        await _insert(session, DmarcReport, reports)
        await _insert(
            session, DmarcRow, [_row(number, domain) for number in range(len(reports) * ROWS_A_REPORT)]
        )
        await _insert(session, DeclaredFigure, [_figure(day, domain, now) for day in days])
        await _insert(session, Incident, [_incident(number, days[number % DAYS]) for number in range(200)])


def _row(number: int, domain: str) -> dict[str, Any]:
    return {
        "report_id": number // ROWS_A_REPORT + 1,
        "source_ip": f"192.0.2.{number % 200}",
        "messages": number % 900,
        "dkim": number % 7 > 0,
        "spf": number % 5 > 0,
        "header_from": domain,
        "dkim_domain": domain,
        "dkim_selector": "t1",
        "dkim_result": "pass",
        "spf_domain": domain,
        "spf_result": "pass",
    }


def _figure(day: datetime, domain: str, now: datetime) -> dict[str, Any]:
    return {
        "source": DeclaredSource.GMAIL_POSTMASTER,
        "subject": domain,
        "provider": "gmail",
        "metric": "spam_rate",
        "day": day.date(),
        "value": 0.0004,
        "imported_at": now,
    }


def _incident(number: int, day: datetime) -> dict[str, Any]:
    return {
        "scope": f"deferrals/{number}",
        "kind": IncidentKind.HEALTH,
        "level": IncidentLevel.AMBER,
        "identity_id": number % 5 + 1,
        "began_at": day,
        "seen_at": day,
        "ended_at": day if number % 40 else None,
    }


async def _insert(session: AsyncSession, table: type[SQLModel], rows: list[dict[str, Any]]) -> None:
    await (await session.connection()).execute(sa.insert(table), rows)
