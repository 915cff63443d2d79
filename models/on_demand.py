"""Names that a room offers at its door, loaded when somebody asks for them.

A process that writes letters needs values, tokens and a builder; with the tables, the transports and the
conductor that stand on the same doors it would take three times the memory, and there are several of them.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def offered(room: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room (PEP 562); `places`: of each name, the room's module that has it."""

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{places[name]}"), name)

    return find
