"""The event loop everything runs on: uvloop where it is installed, asyncio's own elsewhere.

uvloop writes to sockets in about two thirds of the time. It does not exist for Windows, and nothing depends
on it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end on a loop of its own, as `asyncio.run` does."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
