"""One step of the measurement of a large audience: `python -m benchmarks.audience_steps STEP URL FILE`.

Only what a year of use leaves behind is written here at one go: suppressed addresses, and what people were
sent lately, for the caps to count.
"""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from audience.imports import ImportOptions, import_contacts
from audience.segments import count, parse_segment
from models.clock import SystemClock
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityRule, IdentityState, LegalBasis
from scheduler import NewCampaign, create_campaign
from scheduler.calendar import UsualWindows, read_sending_windows
from scheduler.campaigns import schedule
from scheduler.expansion import launch
from scheduler.frequency import USUAL
from scheduler.preview import selection_of
from scheduler.rhythm import Rhythm
from store import Database, audiences, campaigns, identities, segments, templates

SEGMENT = (
    '(tag:bénévole and level:adhérent) or (departement:13|59|75 and tag:écologie and not tag:"élu local")'
)
LOOKS = 5
RHYTHM = Rhythm(USUAL, UsualWindows(email=read_sending_windows("daily 08:00-20:00")), "Europe/Paris")
BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Bonjour {{ first_name }}, rendez-vous à {{ commune|default("la mairie") }}.</mj-text>
<mj-button href="https://exemple.fr/agir">Agir</mj-button>
</mj-column></mj-section></mj-body></mjml>"""
SUPPRESSED = (
    "INSERT INTO suppression (channel, address_hash, reason, evidence, created_at, lifted_why) "
    "SELECT 'email', email_hash, 'hard_bounce', '', :now, '' FROM contact "
    "WHERE id % 10 = 3 AND email IS NOT NULL"
)
SENT = (
    "INSERT INTO delivery (campaign_id, contact_id, channel, identity_id, provider, address, state, reason,"
    " due_at, attempts, settled_at) SELECT :campaign, id, 'email', :identity, 'other', email, 'accepted', '',"
    " :at, 1, :at FROM contact WHERE id % 10 IN (:one, :other) AND email IS NOT NULL"
)
Answer = dict[str, float | int | str]


async def import_step(database: Database, file: Path) -> Answer:
    """The whole file, validation, deduplication and report included."""
    started, busy = time.perf_counter(), time.process_time()
    options = ImportOptions(source="formulaire", report_path=file.with_suffix(".report.csv"))
    result = await import_contacts(database, file, options, SystemClock())
    answer = _answer([time.perf_counter() - started], time.process_time() - busy, result.rows_created)
    file.with_suffix(".report.csv").unlink(missing_ok=True)
    rejected = (
        f"{result.rows_created:,} new, {result.rows_updated:,} again, {result.rows_rejected:,} rejected"
    )
    return answer | {"note": rejected}


async def segment_step(database: Database, _file: Path) -> Answer:
    """Three nested clauses over tags, level and territory."""
    tree = parse_segment(SEGMENT)
    now = SystemClock().now()

    async def ask(session: AsyncSession) -> int:
        return await count(session, tree, now)

    return await _asked(database, ask, "people")


async def preview_step(database: Database, _file: Path) -> Answer:
    """How many would get a message, and why the others would not."""
    now = SystemClock().now()
    await _leave_traces(database, now)
    async with database.write() as session:
        everyone = await segments.save_segment(
            session, name="tous", text="everyone", tree=parse_segment("everyone"), now=now
        )

    async def ask(session: AsyncSession) -> int:
        selection = await selection_of(
            session,
            include=[everyone.id],
            exclude=[],
            channel=Channel.EMAIL,
            basis=LegalBasis.CONSENT,
            now=now,
        )
        return (await audiences.count_by_reason(session, selection, now)).get(None, 0)

    return await _asked(database, ask, "would get a message")


async def freeze_step(database: Database, _file: Path) -> Answer:
    """Everybody, from the identity of their territory, with everything that keeps some from it."""
    clock = SystemClock()
    now = clock.now()
    async with database.write() as session:
        senders = [await identities.add_identity(session, one, []) for one in _identities(now)]
        campaign_id = await _draft(session, "freeze", [one.id for one in senders], now)
        await schedule(session, campaign_id, now.astimezone(UTC).replace(tzinfo=None), "UTC", now)
    started, busy = time.perf_counter(), time.process_time()
    await launch(database, campaign_id, now, language="fr", rhythm=RHYTHM, clock=clock)
    answer = _answer([time.perf_counter() - started], time.process_time() - busy, 0)
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        left_out = await campaigns.left_out(session, campaign_id)
    reasons = ", ".join(f"{number:,} {reason.value}" for reason, number in sorted(left_out.items()))
    return answer | {"result": campaign.frozen, "note": f"{campaign.frozen:,} deliveries; {reasons}"}


async def _leave_traces(database: Database, now: datetime) -> None:
    """A tenth of the addresses suppressed; two tenths of the people written to today, two this week."""
    async with database.write() as session:
        identity = _identities(now)[0]
        identity.key = "avant"
        sender = await identities.add_identity(session, identity, [])
        connection = await session.connection()
        await connection.execute(sa.text(SUPPRESSED), {"now": now})
        for name, ago, one, other in (("today", 0.5, 1, 2), ("this week", 4, 4, 5)):
            campaign_id = await _draft(session, name, [sender.id], now)
            values = {"campaign": campaign_id, "identity": sender.id, "one": one, "other": other}
            await connection.execute(sa.text(SENT), values | {"at": now - timedelta(days=ago)})


async def _draft(session: AsyncSession, name: str, senders: list[int], now: datetime) -> int:
    version = await templates.save_version(
        session,
        name="lettre",
        channel=Channel.EMAIL,
        subject="Bonjour {{ first_name }}",
        preheader="",
        body=BODY,
        fallbacks={},
        now=now,
    )
    everyone = await segments.save_segment(
        session, name="tous", text="everyone", tree=parse_segment("everyone"), now=now
    )
    wanted = NewCampaign(
        name=name,
        template_version_id=version.id,
        include=[everyone.id],
        identity_ids=senders,
        identity_rule=IdentityRule.TERRITORY,
    )
    return (await create_campaign(session, wanted, now)).id


def _identities(now: datetime) -> list[Identity]:
    """A national one and those of three régions."""
    places = [(TerritoryKind.NATIONAL, ""), *((TerritoryKind.REGION, code) for code in ("93", "11", "32"))]
    return [
        Identity(
            key=f"identite-{value or 'nationale'}",
            name="L’Association",
            from_email=f"lettre{value}@association.example",
            return_path_domain="retours.association.example",
            dkim_domain="association.example",
            organisation="L’Association",
            postal_address="1 rue du Banc d’essai, 75000 Paris",
            territory=kind,
            territory_value=value,
            state=IdentityState.ACTIVE,
            created_at=now,
        )
        for kind, value in places
    ]


async def _asked(database: Database, ask: Callable[[AsyncSession], Awaitable[int]], what: str) -> Answer:
    """A question asked several times, the first time apart: it reads what the others find in memory."""
    times = []
    found, busy = 0, time.process_time()
    for _ in range(LOOKS + 1):
        async with database.read() as session:
            started = time.perf_counter()
            found = await ask(session)
            times.append(time.perf_counter() - started)
    answer = _answer(times[1:], time.process_time() - busy, found)
    return answer | {"note": f"{found:,} {what}; at first {times[0]:.2f} s"}


def _answer(times: list[float], busy: float, result: int) -> Answer:
    own, beside = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "seconds": statistics.median(times),
        "cpu_s": busy + beside.ru_utime + beside.ru_stime,
        "peak_mb": own.ru_maxrss / 1024,
        "beside_mb": beside.ru_maxrss / 1024,
        "result": result,
    }


STEPS = {"import": import_step, "segment": segment_step, "preview": preview_step, "freeze": freeze_step}


async def main(step: str, url: str, file: str) -> None:
    """Do the step, and say in one line what it took."""
    database = Database(url)
    try:
        answer = await STEPS[step](database, Path(file))
    finally:
        await database.close()
    print(json.dumps(answer), flush=True)  # noqa: T201 - what is asked for


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
