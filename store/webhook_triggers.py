"""The triggers that note in the outbox what somebody subscribed to, on both databases.

Triggers, because then whatever writes an event notes it as well, in its own transaction: nothing that is on
record can go untold, and nothing is told that was rolled back. On PostgreSQL they work statement by
statement, on SQLite row by row. Without an enabled endpoint they look into an empty table and end.

Like the counters' (`store.tally_triggers`) they are put in place after the migrations, not by one of them.
"""

from typing import Final

import sqlalchemy as sa

from models.webhook_types import OF_CAMPAIGNS, OF_EVENTS

PREFIX: Final = "webhook_note_"
EVENT, CAMPAIGN = f"{PREFIX}event", f"{PREFIX}campaign"
_TABLES: Final = {EVENT: "event", CAMPAIGN: "campaign"}
_SOMEBODY: Final = "EXISTS (SELECT 1 FROM webhook_endpoint WHERE state = 'enabled')"
_PUT: Final = "INSERT INTO webhook_outbox (event_type, mode, subject_id, at)"
_KINDS: Final = ", ".join(f"'{kind.value}'" for kind in OF_EVENTS)
_STATES: Final = ", ".join(f"'{state.value}'" for state in OF_CAMPAIGNS)


def remove(connection: sa.Connection) -> None:
    """On SQLite, take them away: while a migration copies a table they name, nothing may be changed."""
    if connection.dialect.name == "sqlite":
        for name in _TABLES:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def install(connection: sa.Connection) -> None:
    """Put the triggers in place, within the caller's transaction, once the tables are as they should be."""
    if not sa.inspect(connection).has_table("webhook_outbox"):
        if connection.dialect.name == "postgresql":
            for name in _TABLES:
                connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name} CASCADE")
        return
    if connection.dialect.name == "sqlite":
        remove(connection)
        for text in _sqlite_triggers().values():
            connection.exec_driver_sql(text)
        return
    for name, body in _postgresql_bodies().items():
        if _found_postgresql(connection, name) == body:
            continue
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        )
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {_TABLES[name]}")
        connection.exec_driver_sql(_postgresql_trigger(name))


def are_installed(connection: sa.Connection) -> bool:
    """Whether all of them are there, at work, and those of this version."""
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name IN (?, ?)", tuple(_TABLES)
        )
        return {str(name): str(text) for name, text in found} == _sqlite_triggers()
    return all(_found_postgresql(connection, name) == body for name, body in _postgresql_bodies().items())


def _word(table: dict[str, str], column: str) -> str:
    """The type of what is told, by the word it is stored by."""
    cases = " ".join(f"WHEN '{stored}' THEN '{told}'" for stored, told in table.items())
    return f"CASE {column} {cases} END"


def _type_of_event(row: str) -> str:
    return _word({kind.value: told for kind, told in OF_EVENTS.items()}, f"{row}.kind")


def _type_of_campaign(row: str) -> str:
    return _word({state.value: told for state, told in OF_CAMPAIGNS.items()}, f"{row}.state")


def _mode(test: str) -> str:
    return f"CASE WHEN {test} THEN 'test' ELSE 'live' END"


def _wanted(told: str, mode: str, *, sqlite: bool) -> str:
    """Whether an enabled endpoint of that mode hears of that type."""
    if sqlite:
        named = f"{told} IN (SELECT value FROM json_each(hearing.event_types))"  # noqa: S608 - our own words
        every = "json_array_length(hearing.event_types) = 0"
    else:
        named = f"hearing.event_types @> to_jsonb({told})"
        every = "hearing.event_types = '[]'::jsonb"
    return (
        "EXISTS (SELECT 1 FROM webhook_endpoint AS hearing WHERE hearing.state = 'enabled' "  # noqa: S608
        f"AND hearing.mode = {mode} AND ({every} OR {named}))"
    )


def _sqlite_triggers() -> dict[str, str]:
    """Name → the statement that makes the trigger."""
    told = _type_of_event("new")
    mode = _mode("(SELECT campaign.test FROM campaign WHERE campaign.id = new.campaign_id)")
    of_event = (
        f"CREATE TRIGGER {EVENT} AFTER INSERT ON event "
        # Who listens is asked first: the list of kinds costs more than an empty table.
        f"WHEN {_SOMEBODY} AND NOT new.seed AND new.kind IN ({_KINDS}) "
        f"BEGIN {_PUT} SELECT {told}, {mode}, new.id, NULL WHERE {_wanted(told, mode, sqlite=True)}; END"
    )
    told, mode = _type_of_campaign("new"), _mode("new.test")
    of_campaign = (
        f"CREATE TRIGGER {CAMPAIGN} AFTER UPDATE OF state ON campaign "
        f"WHEN new.state IN ({_STATES}) AND new.state <> old.state AND new.stream_key IS NULL "
        f"AND {_SOMEBODY} "
        f"BEGIN {_PUT} SELECT {told}, {mode}, new.id, new.updated_at "
        f"WHERE {_wanted(told, mode, sqlite=True)}; END"
    )
    return {EVENT: of_event, CAMPAIGN: of_campaign}


def _postgresql_bodies() -> dict[str, str]:
    """Name → what its function does."""
    rows = (
        f"SELECT {_type_of_event('new_rows')} AS told, {_mode('campaign.test')} AS mode, new_rows.id "  # noqa: S608
        "FROM new_rows LEFT JOIN campaign ON campaign.id = new_rows.campaign_id "
        f"WHERE new_rows.kind IN ({_KINDS}) AND NOT new_rows.seed"
    )
    of_event = (
        f" BEGIN IF {_SOMEBODY} THEN {_PUT} SELECT told, mode, id, NULL FROM ({rows}) AS heard "  # noqa: S608
        f"WHERE {_wanted('heard.told', 'heard.mode', sqlite=False)} ORDER BY id; END IF; RETURN NULL; END "
    )
    told, mode = f"({_type_of_campaign('new')})", _mode("new.test")
    of_campaign = (
        # Not in the trigger's condition, by which the column could not be dropped.
        f" BEGIN IF new.stream_key IS NULL AND {_wanted(told, mode, sqlite=False)} THEN "
        f"{_PUT} VALUES ({told}, {mode}, new.id, new.updated_at); END IF; RETURN NULL; END "
    )
    return {EVENT: of_event, CAMPAIGN: of_campaign}


def _postgresql_trigger(name: str) -> str:
    if name == EVENT:
        return (
            f"CREATE TRIGGER {name} AFTER INSERT ON event REFERENCING NEW TABLE AS new_rows "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    return (
        f"CREATE TRIGGER {name} AFTER UPDATE OF state ON campaign FOR EACH ROW "
        f"WHEN (new.state IN ({_STATES}) AND new.state <> old.state) "
        f"EXECUTE FUNCTION {name}()"
    )


def _found_postgresql(connection: sa.Connection, name: str) -> str | None:
    """What is done by such a trigger; None when nothing is."""
    found: str | None = connection.exec_driver_sql(
        "SELECT prosrc FROM pg_proc WHERE proname = %s AND EXISTS (SELECT 1 FROM pg_trigger "
        "WHERE tgname = %s AND tgrelid = %s::regclass AND tgenabled <> 'D')",
        (name, name, _TABLES[name]),
    ).scalar()
    return found
