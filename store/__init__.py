"""The cellar: all SQL, sessions and migrations.

What comes in: values and rows of `models`. What goes out: rows, counts, answers; one function, one
question, each taking the session it works in, so that the caller decides what is one transaction.
Everything but `templates` and `sender` may call it. No other room writes SQL.
"""

from store.engine import insert_for
from store.session import Database

__all__ = ["Database", "insert_for"]
