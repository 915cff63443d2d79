"""The event loop everything runs on: uvloop where it is installed, asyncio's own elsewhere.

uvloop writes to sockets in about two thirds of the time. It does not exist for Windows, and nothing depends
on it.
"""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")
GARBAGE = (10_000, 20, 20)
"""After how many new objects the garbage is looked for, and how often among older ones."""

TURN_S = 0.001
"""How long a thread of Python runs at most while another waits: a fifth of the custom."""


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end on a loop of its own, as `asyncio.run` does."""
    # What is loaded by now stays: looked through again and again, as is Python's custom, it takes a sending
    # process a twelfth of its time. Rings of garbage are rare here, and wait.
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    # The database's thread waits so long for its turn, twice a statement, while the loop is busy.
    sys.setswitchinterval(TURN_S)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
