"""A program with a key, and the listener it hands mail over on."""

from collections.abc import AsyncIterator

import pytest

from tests.web.browsers import Site
from tests.web.conftest import site
from tests.web.programs import Program, a_program
from tests.web.submission.senders import Post

__all__ = ["site"]


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


@pytest.fixture
async def post(program: Program) -> AsyncIterator[Post]:
    """In the clear, on the loopback."""
    opened = await Post(program).open()
    yield opened
    await opened.stop()
