"""The client itself: an address and a key, and the nouns of the API."""

from types import TracebackType
from typing import Self

import httpx

from tocsin_client.conversation import Patience
from tocsin_client.nouns import AsyncNouns, Nouns
from tocsin_client.wire import TIMEOUT_S, USUAL_PATIENCE, AsyncWire, Wire


class Tocsin(Nouns):
    """Calls that wait for their answer: `Tocsin(address, key).messages.send(to=…, template=…)`."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        patience: Patience = USUAL_PATIENCE,
        timeout: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`base_url`: of the installation; `timeout`: seconds for each step of an attempt."""
        self._wire = Wire(base_url, key, patience, timeout, transport)
        super().__init__(self._wire)

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closed."""
        self.close()


class AsyncTocsin(AsyncNouns):
    """The same, awaited: `await AsyncTocsin(address, key).messages.send(…)`; lists by `async for`."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        patience: Patience = USUAL_PATIENCE,
        timeout: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Tocsin`."""
        self._wire = AsyncWire(base_url, key, patience, timeout, transport)
        super().__init__(self._wire)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._wire.close()

    async def __aenter__(self) -> Self:
        """For `async with`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closed."""
        await self.close()
