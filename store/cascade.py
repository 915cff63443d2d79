"""What goes with a person, and why the largest tables do not check their references row by row.

PostgreSQL looks a referenced row up, and writes a lock into it, for every row that refers to it: with
tags, proofs of consent and deliveries by the million that is more than half of the work of an import or
a launch, and it rewrites every contact. These rows are made in the transaction that has just made or read
the contact, so there is nothing to find. What a reference promised besides, that the rows go when the
person goes, is kept by a trigger. Deliveries stay: they are the evidence of what was sent.

Like the counters' (`store.tally_triggers`) it is put in place after the migrations, not by one of them.
"""

from typing import Final

import sqlalchemy as sa

GOES_WITH: Final = ("contact_tag", "consent_record", "left_out")
NAME: Final = "contact_takes_along"


def remove(connection: sa.Connection) -> None:
    """On SQLite, take the trigger away: while a migration copies a table it names, nothing may be changed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {NAME}")


def install(connection: sa.Connection) -> None:
    """Put the trigger in place, within the caller's transaction, once the tables are as they should be."""
    if not sa.inspect(connection).has_table("contact_tag"):
        return
    body = " ".join(f"DELETE FROM {table} WHERE contact_id = old.id;" for table in GOES_WITH)  # noqa: S608 - our own words
    if connection.dialect.name == "sqlite":
        remove(connection)
        connection.exec_driver_sql(f"CREATE TRIGGER {NAME} AFTER DELETE ON contact BEGIN {body} END")
        return
    there = connection.exec_driver_sql(
        "SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = 'contact'::regclass", (NAME,)
    )
    # Not made again: that would wait for whoever is writing contacts.
    if there.scalar() is None:
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {body} RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER {NAME} AFTER DELETE ON contact FOR EACH ROW EXECUTE FUNCTION {NAME}()"
        )
