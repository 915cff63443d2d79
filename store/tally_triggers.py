"""The triggers that keep the counters of states and of people left out, on both databases.

Triggers, because every statement that moves a delivery is counted by them, also one that is written
later, in its own transaction, whether it moves one row or a million. On SQLite they work row by row and
only where a delivery crosses from one counted group to another; on PostgreSQL statement by statement,
each connection into counters of its own (`shard`), so that no two transactions wait for one another.

They are put in place after the migrations, not by one of them: a migration that copies a table on
SQLite drops its triggers without a word.
"""

import sqlalchemy as sa

GROUP = "CASE WHEN {0}.state IN ('claimed', 'sending') THEN 'queued' ELSE {0}.state END"
PROVIDER = "CASE WHEN substr({0}.provider, 1, 3) = 'mx:' THEN 'other' ELSE {0}.provider END"
"""Thousands of small domains are one provider here, or the counters would be as many as the messages."""
KEY = "campaign_id, account, identity_id, provider, word, shard"
DELIVERIES_COUNTED = (
    f"SELECT campaign_id, 'state', identity_id, {PROVIDER.format('delivery')}, "  # noqa: S608 - our own words
    f"{GROUP.format('delivery')}, 0, count(*), '' FROM delivery WHERE seed_id IS NULL "
    "GROUP BY campaign_id, identity_id, 4, 5"
)
LEFT_OUT_COUNTED = (
    "SELECT campaign_id, 'left_out', 0, '', reason, 0, count(*), '' FROM left_out "
    "GROUP BY campaign_id, reason"
)
TABLES = ("delivery", "left_out")
EVENTS = ("INSERT", "UPDATE", "DELETE")


def install(connection: sa.Connection) -> None:
    """Put the triggers in place; counters are taken anew when they were not there, or not these.

    Within the caller's transaction. While the tables are older than the counters there are none.
    """
    if not sa.inspect(connection).has_table("tally"):
        if connection.dialect.name == "postgresql":
            for name in (f"tally_{table}_{event.lower()}" for table in TABLES for event in EVENTS):
                connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name} CASCADE")
        return
    changed = (
        _install_sqlite(connection)
        if connection.dialect.name == "sqlite"
        else _install_postgresql(connection)
    )
    if changed:
        recount(connection)
    if connection.exec_driver_sql("SELECT count(*) FROM tally_mark WHERE shard = 0").scalar() == 0:
        connection.exec_driver_sql("INSERT INTO tally_mark (shard, event_id) VALUES (0, 0)")


def are_installed(connection: sa.Connection) -> bool:
    """Whether all of them are there, at work, and those of this version."""
    if connection.dialect.name == "sqlite":
        return _found_sqlite(connection) == _sqlite_triggers()
    return all(
        _found_postgresql(connection, event, table) == _postgresql_function(event, table).split("$$")[1]
        for table in TABLES
        for event in EVENTS
    )


def recount(connection: sa.Connection) -> None:
    """Count states and people left out again, while nobody may change them."""
    if connection.dialect.name == "postgresql":
        for table in TABLES:
            connection.exec_driver_sql(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
    connection.exec_driver_sql("DELETE FROM tally WHERE account IN ('state', 'left_out')")
    for counted in (DELIVERIES_COUNTED, LEFT_OUT_COUNTED):
        connection.exec_driver_sql(f"INSERT INTO tally ({KEY}, count, text) {counted}")


def _state_of(row: str) -> str:
    return f"{row}.campaign_id, 'state', {row}.identity_id, {PROVIDER.format(row)}, {GROUP.format(row)}"


def _reason_of(row: str) -> str:
    return f"{row}.campaign_id, 'left_out', 0, '', {row}.reason"


def _count_one(what: str, change: int) -> str:
    return (
        f"INSERT INTO tally ({KEY}, count, text) VALUES ({what}, 0, {change}, '') "  # noqa: S608 - our own words
        f"ON CONFLICT ({KEY}) DO UPDATE SET count = count + {change};"
    )


def _sqlite_triggers() -> dict[str, str]:
    """Name → the statement that makes the trigger."""
    lane = " OR ".join(f"old.{name} IS NOT new.{name}" for name in ("campaign_id", "identity_id", "provider"))
    moved = f"{GROUP.format('old')} <> {GROUP.format('new')} OR {lane}"
    made = {}
    for event, condition, steps in (
        ("INSERT", "new.seed_id IS NULL", [(_state_of("new"), 1)]),
        ("DELETE", "old.seed_id IS NULL", [(_state_of("old"), -1)]),
        (
            "UPDATE",
            f"new.seed_id IS NULL AND ({moved})",
            [(_state_of("old"), -1), (_state_of("new"), 1)],
        ),
    ):
        name = f"tally_delivery_{event.lower()}"
        body = " ".join(_count_one(what, change) for what, change in steps)
        made[name] = f"CREATE TRIGGER {name} AFTER {event} ON delivery WHEN {condition} BEGIN {body} END"
    for event, steps in (
        ("INSERT", [(_reason_of("new"), 1)]),
        ("DELETE", [(_reason_of("old"), -1)]),
        ("UPDATE", [(_reason_of("old"), -1), (_reason_of("new"), 1)]),
    ):
        name = f"tally_left_out_{event.lower()}"
        body = " ".join(_count_one(what, change) for what, change in steps)
        made[name] = f"CREATE TRIGGER {name} AFTER {event} ON left_out BEGIN {body} END"
    return made


def _found_sqlite(connection: sa.Connection) -> dict[str, str]:
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'tally\\_%' ESCAPE '\\'"
    )
    return {str(name): str(text) for name, text in found}


def _install_sqlite(connection: sa.Connection) -> bool:
    wanted, found = _sqlite_triggers(), _found_sqlite(connection)
    if found == wanted:
        return False
    for name in found:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for text in wanted.values():
        connection.exec_driver_sql(text)
    return True


def _postgresql_function(event: str, table: str) -> str:
    """What happens after a statement: its rows, grouped, into the counters of this connection."""
    what, seeds = (_state_of, "WHERE rows.seed_id IS NULL") if table == "delivery" else (_reason_of, "")
    sides = {"INSERT": ((1, "new_rows"),), "DELETE": ((-1, "old_rows"),)}.get(
        event, ((-1, "old_rows"), (1, "new_rows"))
    )
    changes = " UNION ALL ".join(
        f"SELECT {what('rows')}, {sign} FROM {name} AS rows {seeds}"  # noqa: S608 - our own words
        for sign, name in sides
    )
    return (
        f"CREATE OR REPLACE FUNCTION tally_{table}_{event.lower()}() RETURNS trigger LANGUAGE plpgsql AS $$ "  # noqa: S608 - our own words
        f"BEGIN INSERT INTO tally ({KEY}, count, text) "
        "SELECT one, two, three, four, five, pg_backend_pid(), sum(change), '' "
        f"FROM ({changes}) AS changes (one, two, three, four, five, change) "
        "GROUP BY one, two, three, four, five HAVING sum(change) <> 0 "
        f"ON CONFLICT ({KEY}) DO UPDATE SET count = tally.count + excluded.count; "
        "RETURN NULL; END $$"
    )


def _found_postgresql(connection: sa.Connection, event: str, table: str) -> str | None:
    """What is done after such statements; None when nothing is."""
    name = f"tally_{table}_{event.lower()}"
    found: str | None = connection.exec_driver_sql(
        "SELECT prosrc FROM pg_proc WHERE proname = %s AND EXISTS (SELECT 1 FROM pg_trigger "
        "WHERE tgname = %s AND tgrelid = %s::regclass AND tgenabled <> 'D')",
        (name, name, table),
    ).scalar()
    return found


def _install_postgresql(connection: sa.Connection) -> bool:
    changed = False
    for table in TABLES:
        for event in EVENTS:
            name = f"tally_{table}_{event.lower()}"
            text = _postgresql_function(event, table)
            if _found_postgresql(connection, event, table) == text.split("$$")[1]:
                continue
            changed = True
            connection.exec_driver_sql(text)
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            rows = " ".join(
                side
                for side, events in (
                    ("OLD TABLE AS old_rows", {"UPDATE", "DELETE"}),
                    ("NEW TABLE AS new_rows", {"UPDATE", "INSERT"}),
                )
                if event in events
            )
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            )
    return changed
