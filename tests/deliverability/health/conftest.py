"""A house in order, on a DNS server of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.deliverability.health.houses import House, furnish
from tests.servers.dns import dns_server


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An identity with everything published."""
    async with dns_server() as server:
        furnish(server)
        yield House(server)
