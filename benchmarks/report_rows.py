"""A ledger of millions for the measurement of pages: one statement a table and campaign.

A large campaign is looked at; beside it lie as many of an ordinary size as it takes to have the events.
Those are all alike, so one of them is counted and its counters stand for the others: counting is measured
on the large one.
"""

from datetime import timedelta

import sqlalchemy as sa

from benchmarks.report_beside import add_lanes, add_news, add_seeds
from models.campaign import Campaign
from models.clock import SystemClock
from models.contact import Contact
from models.identity import Identity
from models.states import CampaignState, Channel, IdentityState
from models.template import Template, TemplateVersion
from store import Database
from store.tally_fold import advance

EVENTS_A_MESSAGE = 2.43
"""By the shares in KINDS."""
BESIDE = 100_000
"""Messages of each of the other campaigns: fewer when all of them together would be fewer."""
APART = timedelta(days=2)
"""From one launch to the next."""
AT_ONCE = 500_000
IDENTITIES = 5
DOMAIN = "parti.example"
PROVIDERS = ("gmail", "orange", "free", "sfr", "laposte", "outlook", "yahoo", "other")
KINDS = (
    ("deferred", "state = 'deferred' OR id % 4 = 0", "'soft'", "'rate'", 451),
    ("accepted", "state = 'accepted'", "NULL", "NULL", 250),
    ("refused", "state = 'refused'", "'hard'", "'no_such_address'", 550),
    ("delivered", "state = 'accepted'", "NULL", "NULL", 250),
    ("clicked", "state = 'accepted' AND id % 3 = 0", "NULL", "NULL", 0),
    ("bounced", "state = 'accepted' AND id % 100 = 1", "'hard'", "'inactive'", 550),
)
"""Kind of event, which messages have one, permanence, class and code."""
MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Bonjour</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


async def fill(database: Database, events: int, messages: int) -> int:
    """People, campaigns, messages, events; the number of the campaign of `messages`, the last one.

    Its events are not counted yet; all others are.
    """
    version_id = await _add_parts(database)
    await add_seeds(database, PROVIDERS)
    await add_news(database, DOMAIN, SystemClock().now())
    missing = int(events / EVENTS_A_MESSAGE) - messages
    size = max(1, min(BESIDE, missing))
    await _beside(database, version_id, size, max(0, -(-missing // size)))
    return await _add_campaign(database, version_id, messages, timedelta(hours=1))


async def _beside(database: Database, version_id: int, size: int, count: int) -> None:
    """So many campaigns of `size`, two days apart, counted."""
    first = 0
    for place in range(count, 0, -1):
        number = await _add_campaign(database, version_id, size, APART * place)
        first = first or number
        if number == first:
            await advance(database, most=200_000)
        else:
            await _count_alike(database, first, number)


async def largest_of(database: Database) -> int:
    """The number of the campaign that `fill` made last; 0 when there is none."""
    async with database.read() as session:
        connection = await session.connection()
        return int((await connection.execute(sa.text("SELECT max(id) FROM campaign"))).scalar() or 0)


async def _count_alike(database: Database, first: int, number: int) -> None:
    """The counters of events of one campaign stand for another alike; its chart of time stays empty."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(
            sa.text(
                "INSERT INTO tally (campaign_id, account, identity_id, provider, word, shard, count, text) "
                "SELECT :number, account, identity_id, provider, word, shard, count, text FROM tally "
                "WHERE campaign_id = :first AND account NOT IN ('state', 'left_out', 'moment', 'span')"
            ),
            {"first": first, "number": number},
        )
        await connection.execute(sa.text("UPDATE tally_mark SET event_id = (SELECT max(id) FROM event)"))


async def _add_parts(database: Database) -> int:
    """Who sends, what, to whom; the number of the template's version."""
    now = SystemClock().now()
    async with database.write() as session:
        template = Template(name="bench", channel=Channel.EMAIL, created_at=now)
        session.add(template)
        await session.flush()
        version = TemplateVersion(
            template_id=template.id, number=1, subject="Bonjour", body=MJML, created_at=now
        )
        session.add(version)
        session.add(Contact(email="ada@example.org", first_name="Ada", created_at=now, updated_at=now))
        for number in range(IDENTITIES):
            session.add(
                Identity(
                    key=f"identity-{number}",
                    name=f"Identité {number}",
                    from_email=f"contact{number}@{DOMAIN}",
                    return_path_domain=f"retour.{DOMAIN}",
                    dkim_domain=DOMAIN,
                    state=IdentityState.ACTIVE,
                    created_at=now,
                )
            )
        await session.flush()
        return version.id


async def _add_campaign(database: Database, version_id: int, size: int, ago: timedelta) -> int:
    now = SystemClock().now() - ago
    async with database.write() as session:
        campaign = Campaign(
            name=f"{size:,} messages",
            channel=Channel.EMAIL,
            template_version_id=version_id,
            state=CampaignState.SENDING if ago < APART else CampaignState.FINISHED,
            launched_at=now,
            starts_at=now,
            finished_at=None if ago < APART else now + timedelta(hours=1),
            expanded=True,
            targeted=size,
            frozen=size,
            created_at=now,
            updated_at=now,
        )
        session.add(campaign)
        await session.flush()
        await add_lanes(session, campaign, IDENTITIES, PROVIDERS, now)
    first = 1
    while first <= size:
        last = min(first + AT_ONCE - 1, size)
        async with database.write() as session:
            connection = await session.connection()
            for statement in _statements(sqlite=database.is_sqlite):
                await connection.execute(
                    sa.text(statement), _values(statement, campaign.id, first, last, int(now.timestamp()))
                )
        first = last + 1
    return campaign.id


def _values(statement: str, campaign: int, first: int, last: int, began: int) -> dict[str, int]:
    """Those of them that the statement speaks of."""
    values = {"campaign": campaign, "first": first, "last": last, "began": began}
    return {name: value for name, value in values.items() if f":{name}" in statement}


def _statements(*, sqlite: bool) -> list[str]:
    """Messages numbered from :first to :last of a campaign, with their events."""
    return [_deliveries(sqlite=sqlite), *(_events(*kind) for kind in KINDS)]


def _deliveries(*, sqlite: bool) -> str:
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
        if sqlite
        else "WITH n(i) AS (SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint))) "
    )
    at = (
        "strftime('%Y-%m-%d %H:%M:%S.000000', :began + i / 300, 'unixepoch')"
        if sqlite
        else "to_timestamp(CAST(:began AS bigint) + i / 300)"
    )
    providers = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(PROVIDERS))
    return (
        f"{numbers}INSERT INTO delivery (campaign_id, channel, identity_id, provider, address, state, "  # noqa: S608 - our own words
        f"reason, due_at, exempt, attempts, settled_at) SELECT :campaign, 'email', 1 + i % {IDENTITIES}, "
        f"CASE i % {len(PROVIDERS)} {providers} END, 'person' || i || '@example.org', "
        "CASE WHEN i % 50 = 0 THEN 'refused' WHEN i % 20 = 7 THEN 'queued' "
        "WHEN i % 97 = 0 THEN 'deferred' ELSE 'accepted' END, "
        f"'', {at}, false, 1, {at} FROM n"
    )


def _events(kind: str, condition: str, permanence: str, bounce_class: str, code: int) -> str:
    return (
        "INSERT INTO event (delivery_id, campaign_id, identity_id, provider, seed, kind, permanence, "  # noqa: S608 - our own words
        "bounce_class, rule, code, text, source, source_id, details, at, recorded_at) "
        f"SELECT id, campaign_id, identity_id, provider, false, '{kind}', {permanence}, {bounce_class}, "
        f"'', {code}, '550 5.1.1 no mailbox here by that name (' || id % 40 || ')', 'bench', "
        f"'{kind}/' || id, '{{}}', settled_at, settled_at FROM delivery WHERE campaign_id = :campaign "
        f"AND id > (SELECT max(id) FROM delivery) - (:last - :first + 1) AND ({condition})"
    )


async def append(database: Database, campaign_id: int, count: int) -> None:
    """As many events as come in a few seconds, which the counters do not hold yet."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(
            sa.text(
                "INSERT INTO event (delivery_id, campaign_id, identity_id, provider, seed, kind, rule, text, "
                "source, source_id, details, at, recorded_at) SELECT id, campaign_id, identity_id, "
                "provider, false, 'accepted', '', '', 'bench', 'late/' || id, '{}', settled_at, settled_at "
                "FROM delivery WHERE campaign_id = :campaign AND state = 'queued' ORDER BY id LIMIT :count"
            ),
            {"campaign": campaign_id, "count": count},
        )
