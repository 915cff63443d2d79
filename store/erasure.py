"""What is left of an erased person (GDPR article 17): that somebody was written to, and what came of it.

Deliveries and events stay, since every figure is counted from them, without address, wording and number
of the person; so do messages that programs asked for, and people left out of a campaign, under a number
nobody has. Originals of news lose their
content, applied or still waiting. The fingerprint of a suppressed address survives: it names nobody, and
keeps a promise.
A blank address says of a delivery that its person was erased. The statements are run by the trigger of
`store.cascade`, with `old` for the contact, whoever deletes it.
"""

from typing import Any, Final, cast

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from models.contact import Contact
from models.delivery import Delivery
from models.event import IMPERSONAL
from models.states import DeliveryState, EventKind
from models.tally import Account
from store.session import Database

GOES_WITH: Final = ("contact_tag", "consent_record", "targeting_statement", "interaction", "webhook_notice")
AT_ONCE: Final = 1000
_USED: Final = (
    "INSERT INTO numbers_used (table_name, number) VALUES ('contact', old.id) ON CONFLICT (table_name) "
    "DO UPDATE SET number = max(numbers_used.number, excluded.number)"
)
"""SQLite gives the last number of a table again once its row is gone: see `models.worker.NumbersUsed`."""
_S = DeliveryState
UNENDED: Final = (_S.QUEUED, _S.CLAIMED, _S.SENDING, _S.DEFERRED, _S.HELD, _S.UNCERTAIN)
"""Who is in one of these keeps the number until the end: it tells the sender that somebody was there."""
_KEPT = ", ".join(f"'{name}'" for name in IMPERSONAL)
_OPEN = ", ".join(f"'{state.value}'" for state in UNENDED)
_OWN_WORDS = ", ".join(
    f"'{kind.value}'" for kind in (EventKind.COMPLAINED, EventKind.UNSUBSCRIBED, EventKind.RESUBSCRIBED)
)
_WORDLESS: Final = """address = '', reference = '', details = '{}', "values" = '{}', contact_id = NULL"""
_ENDED_SINCE: Final = sa.and_(
    col(Delivery.address) == "", col(Delivery.contact_id).is_not(None), col(Delivery.state).not_in(UNENDED)
)


def _details(*, sqlite: bool) -> str:
    if sqlite:
        return (
            "(SELECT json_group_object(key, value) FROM json_each(event.details) "  # noqa: S608 - our own words
            f"WHERE key IN ({_KEPT}))"
        )
    return (
        "(SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(event.details) "  # noqa: S608
        f"WHERE key IN ({_KEPT}))"
    )


def _nobody(*, sqlite: bool) -> str:
    """A number that no contact has. SQLite gives the last number of a table again: twice is not enough."""
    if not sqlite:
        return "-contact_id"
    return (
        "(SELECT min(0, min(others.contact_id)) - 1 FROM left_out AS others "
        "WHERE others.campaign_id = left_out.campaign_id)"
    )


def _told(*, sqlite: bool) -> str:
    """What is left of news that waits to be applied.

    A person's own word keeps its address for the second until it is applied: the fingerprint of it is what
    keeps the promise not to write again.
    """
    whose = f"CASE WHEN kind IN ({_OWN_WORDS}) THEN recipient END"
    if sqlite:
        return f"json_set(signal, '$.reply', NULL, '$.details', json('{{}}'), '$.recipient', {whose})"
    return f"signal || jsonb_build_object('reply', NULL, 'details', '{{}}'::jsonb, 'recipient', {whose})"


def _from_before(*, sqlite: bool) -> tuple[str, ...]:
    """What is done to messages that reached the address while nobody here was known to have it.

    One that is to leave yet keeps what it needs. Served by ix_delivery_address and ix_message_undelivered.
    """
    whose = "contact_id IS NULL AND address IN (old.email, old.phone)"
    ended = f"{whose} AND message_id <> 0 AND state NOT IN ({_OPEN})"
    mine = f"SELECT id FROM delivery WHERE {ended}"  # noqa: S608 - our own words
    asked = f"SELECT message_id FROM delivery WHERE {ended}"  # noqa: S608
    details = _details(sqlite=sqlite)
    return (
        f"UPDATE message SET {_WORDLESS} WHERE {whose} AND result = 'suppressed'",  # noqa: S608
        f"UPDATE message SET {_WORDLESS} WHERE id IN ({asked})",  # noqa: S608
        f"UPDATE event SET text = '', details = {details} WHERE delivery_id IN ({mine})",  # noqa: S608
        f"UPDATE delivery SET address = '', reason = '' WHERE {ended}",  # noqa: S608
    )


def statements(*, sqlite: bool) -> tuple[str, ...]:
    """What is done when the contact `old` goes, in this order."""
    nothing, wording = ("x''", "instr(text, {0})") if sqlite else ("''::bytea", "position({0} IN text)")
    mentioned = " OR ".join(f"{wording.format(f'old.{name}')} > 0" for name in ("email", "phone"))
    mine, said = "WHERE contact_id = old.id", f"account = '{Account.SAID.value}'"
    kept = f"CASE WHEN state IN ({_OPEN}) THEN contact_id END"
    # Named, so that the primary keys serve, which begin with the campaign.
    anywhere = "campaign_id IN (SELECT id FROM campaign)"
    addresses = f"SELECT lower(old.email) UNION ALL SELECT address FROM delivery {mine} AND address <> ''"  # noqa: S608
    told, waits = _told(sqlite=sqlite), f"state = 'waiting' AND recipient IN ({addresses})"
    written_to = f"campaign_id IN (SELECT campaign_id FROM delivery {mine})"  # noqa: S608
    return (
        *((_USED,) if sqlite else ()),
        *(f"DELETE FROM {table} WHERE contact_id = old.id" for table in GOES_WITH),  # noqa: S608 - our own words
        f"UPDATE left_out SET contact_id = {_nobody(sqlite=sqlite)} {mine} AND {anywhere}",  # noqa: S608
        f"UPDATE incoming SET raw = {nothing}, sender = '', problem = '', contact_id = NULL {mine}",  # noqa: S608
        f"UPDATE news SET raw = {nothing}, recipient = NULL, signal = {told} WHERE {waits}",  # noqa: S608
        f"UPDATE tally SET text = '' WHERE {said} AND ({mentioned}) AND {written_to}",  # noqa: S608
        f"UPDATE event SET contact_id = NULL, text = '', details = {_details(sqlite=sqlite)} {mine}",  # noqa: S608
        f"UPDATE message SET {_WORDLESS} {mine}",  # noqa: S608
        f"UPDATE delivery SET address = '', reason = '', contact_id = {kept} {mine}",  # noqa: S608
        *_from_before(sqlite=sqlite),
    )


def unless_erased(text: Any, delivery: Any) -> sa.ColumnElement[str]:
    """A wording, blank where the person behind `delivery` (its columns) was erased while it was under way."""
    return sa.case((delivery.address == "", sa.literal("", sa.Text)), else_=text)


async def left_behind(session: AsyncSession, campaign_id: int) -> list[int]:
    """Deliveries of a campaign, at most `AT_ONCE`, that still know a person who is gone, by number.

    The person was erased just while the launch wrote them, or while they were under way. Reads the
    campaign's deliveries by uq_delivery_campaign_contact and contacts by their primary key.
    """
    there = sa.exists().where(col(Contact.id) == col(Delivery.contact_id))
    named = sa.and_(col(Delivery.address) != "", ~there)
    wanted = sa.or_(named, _ENDED_SINCE)
    return await _numbers(
        session, col(Delivery.campaign_id) == campaign_id, col(Delivery.contact_id).is_not(None), wanted
    )


async def ended_since(session: AsyncSession) -> list[int]:
    """The same, of all campaigns, for people erased while something of theirs was open that has ended since.

    SQLite gives a number to somebody else, whose history this would become. Served by ix_delivery_address.
    """
    return await _numbers(session, _ENDED_SINCE)


async def _numbers(session: AsyncSession, *which: sa.ColumnElement[bool]) -> list[int]:
    wanted = sa.select(col(Delivery.id)).where(*which).limit(AT_ONCE)
    return list((await (await session.connection()).scalars(wanted)).all())


async def forget(database: Database, campaign_id: int | None = None) -> None:
    """Blank what is left of erased people in a campaign (`left_behind`), or in all (`ended_since`)."""
    while True:
        async with database.read() as session:
            numbers = await (
                ended_since(session) if campaign_id is None else left_behind(session, campaign_id)
            )
        if not numbers:
            return
        async with database.write() as session:
            await blank(session, numbers)


async def blank(session: AsyncSession, numbers: list[int]) -> None:
    """Take out of these deliveries, and their events, what names a person. Served by the primary key."""
    connection = await session.connection()
    sqlite = connection.dialect.name == "sqlite"
    among: sa.BindParameter[list[int]] = sa.bindparam("numbers", expanding=True)
    events = sa.text(
        f"UPDATE event SET contact_id = NULL, text = '', details = {_details(sqlite=sqlite)} "  # noqa: S608
        "WHERE delivery_id IN :numbers"
    )
    await connection.execute(events.bindparams(among), {"numbers": numbers})
    table = cast("Any", Delivery).__table__
    kept = sa.case((table.c.state.in_(UNENDED), table.c.contact_id))
    emptied = sa.update(table).where(table.c.id.in_(numbers))
    await connection.execute(emptied.values(address="", reason="", contact_id=kept))
