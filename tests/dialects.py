"""What SQLAlchemy has learnt of a kind of database is kept for all tests of a process.

A service opens its database once; tests open thousands, each with an engine of its own, and every engine
would ask the server the same questions and write the same statements anew: a fifth of all the work.
"""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg, PGDialectAsync_psycopg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

__all__ = ["keep_what_is_learnt"]

STATEMENTS = 2_000


def keep_what_is_learnt() -> None:
    """From now on the engines of one kind of database share a dialect and the statements it has compiled."""
    postgresql, sqlite = _shared(PGDialectAsync_psycopg), _shared(SQLiteDialect_aiosqlite)
    PGDialect_psycopg.get_async_dialect_cls = lambda url: postgresql  # type: ignore[method-assign]
    SQLiteDialect_aiosqlite.get_async_dialect_cls = lambda url: sqlite  # type: ignore[method-assign]


def _shared(kind: Any) -> Any:
    """The same kind of dialect, of which there is but one, and which asks a server about itself but once."""
    compiled: LRUCache[Any, Any] = LRUCache(STATEMENTS)

    class Shared(kind):  # type: ignore[misc]
        supports_statement_cache = True
        only: Any = None
        knows = False

        def __new__(cls, **_given: Any) -> Any:
            cls.only = cls.only or super().__new__(cls)
            return cls.only

        def __init__(self, **given: Any) -> None:
            if not vars(self):
                super().__init__(**given)

        def initialize(self, connection: Connection) -> None:
            if not self.knows:
                super().initialize(connection)
                self.knows = True

        @classmethod
        def engine_created(cls, engine: Engine) -> None:
            engine._compiled_cache = compiled

    return Shared
