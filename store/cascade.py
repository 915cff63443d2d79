"""What goes with a person, and why the largest tables do not check their references row by row.

PostgreSQL looks a referenced row up, and writes a lock into it, for every row that refers to it: with
tags, proofs of consent and deliveries by the million that is more than half of the work of an import or
a launch, and it rewrites every contact. These rows are made in the transaction that has just made or read
the contact, so there is nothing to find. What a reference promised besides, that the rows go when the
person goes, is kept by a trigger: `store.erasure` says which go and what becomes of the others.

Like the counters' (`store.tally_triggers`) it is put in place after the migrations, not by one of them.
"""

from typing import Final

import sqlalchemy as sa

from store.erasure import statements

NAME: Final = "contact_takes_along"


def remove(connection: sa.Connection) -> None:
    """On SQLite, take the trigger away: while a migration copies a table it names, nothing may be changed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {NAME}")


def install(connection: sa.Connection) -> None:
    """Put the trigger in place, within the caller's transaction, once the tables are as they should be."""
    if not _is_recent(connection):
        if connection.dialect.name != "sqlite":
            # Of a version before: it would look for columns that are not there.
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {NAME} CASCADE")
        return
    if connection.dialect.name == "sqlite":
        remove(connection)
        connection.exec_driver_sql(_sqlite_trigger())
        return
    body = _body(sqlite=False)
    function = connection.exec_driver_sql("SELECT prosrc FROM pg_proc WHERE proname = %s", (NAME,)).scalar()
    if function != body:
        # Replaced where it stands: whoever is writing contacts need not be waited for.
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        )
    # Not made again: that would wait for whoever is writing contacts.
    if not _is_fired(connection):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {NAME} ON contact")
        connection.exec_driver_sql(
            f"CREATE TRIGGER {NAME} AFTER DELETE ON contact FOR EACH ROW EXECUTE FUNCTION {NAME}()"
        )


def is_installed(connection: sa.Connection) -> bool:
    """Whether the trigger is there and does what this version wants."""
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (NAME,)).scalar()
        return bool(found == _sqlite_trigger())
    function = connection.exec_driver_sql("SELECT prosrc FROM pg_proc WHERE proname = %s", (NAME,)).scalar()
    return bool(function == _body(sqlite=False)) and _is_fired(connection)


def _is_recent(connection: sa.Connection) -> bool:
    # The last that came of all the tables the trigger names.
    return sa.inspect(connection).has_table("numbers_used")


def _is_fired(connection: sa.Connection) -> bool:
    there = connection.exec_driver_sql(
        "SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = 'contact'::regclass AND tgenabled <> 'D'",
        (NAME,),
    )
    return there.scalar() is not None


def _sqlite_trigger() -> str:
    return f"CREATE TRIGGER {NAME} AFTER DELETE ON contact BEGIN {_body(sqlite=True)} END"


def _body(*, sqlite: bool) -> str:
    steps = " ".join(f"{statement};" for statement in statements(sqlite=sqlite))
    return steps if sqlite else f" BEGIN {steps} RETURN NULL; END "
