"""A ledger of millions for the measurement of pages: one statement a table and campaign."""

import sqlalchemy as sa

from models.campaign import Campaign
from models.clock import SystemClock
from models.contact import Contact
from models.identity import Identity
from models.states import CampaignState, Channel, IdentityState
from models.template import Template, TemplateVersion
from store import Database

EVENTS_A_MESSAGE = 2.43
"""By the shares in KINDS."""
LARGEST_BESIDE = 1_000_000
IDENTITIES = 5
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
    """People, campaigns, messages and events; the number of the largest campaign, which has `messages`."""
    version_id = await _add_parts(database)
    sizes = [messages]
    while sum(sizes) * EVENTS_A_MESSAGE < events:
        missing = int(events / EVENTS_A_MESSAGE) - sum(sizes)
        sizes.append(max(1, min(LARGEST_BESIDE, missing)))
    number = 0
    for size in reversed(sizes):
        number = await _add_campaign(database, version_id, size)
    return number


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
                    from_email=f"contact{number}@parti.example",
                    return_path_domain="retour.parti.example",
                    dkim_domain="parti.example",
                    state=IdentityState.ACTIVE,
                    created_at=now,
                )
            )
        await session.flush()
        return version.id


async def _add_campaign(database: Database, version_id: int, size: int) -> int:
    now = SystemClock().now()
    async with database.write() as session:
        campaign = Campaign(
            name=f"{size:,} messages",
            channel=Channel.EMAIL,
            template_version_id=version_id,
            state=CampaignState.SENDING,
            launched_at=now,
            starts_at=now,
            expanded=True,
            targeted=size,
            frozen=size,
            created_at=now,
            updated_at=now,
        )
        session.add(campaign)
        await session.flush()
    first = 1
    while first <= size:
        last = min(first + 499_999, size)
        async with database.write() as session:
            connection = await session.connection()
            for statement in _statements(sqlite=database.is_sqlite):
                await connection.execute(
                    sa.text(statement), {"campaign": campaign.id, "first": first, "last": last}
                )
        first = last + 1
    return campaign.id


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
        "strftime('%Y-%m-%d %H:%M:%S.000000', 1790000000 + i / 300, 'unixepoch')"
        if sqlite
        else "to_timestamp(1790000000 + i / 300)"
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
