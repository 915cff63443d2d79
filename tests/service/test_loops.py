"""The event loop: the fast one where it is installed, and the usual one where it is not."""

import asyncio
import sys

import pytest

from service import loops


async def loop_in_use() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_the_fast_loop_is_used_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    assert loops.run(loop_in_use()).startswith("uvloop")


def test_without_the_fast_loop_the_usual_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loops.run(loop_in_use()).startswith("asyncio")


def test_an_error_comes_out_as_it_was() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        loops.run(fail())
