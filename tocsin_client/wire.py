"""The two ways to take the steps of a call: waiting, and awaiting. Everything else is shared."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from importlib import metadata
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import httpx

from tocsin_client.conversation import Ask, Call, Lost, Patience, Pause, Reply, converse

USUAL_PATIENCE: Final = Patience()
TIMEOUT_S: Final = 30.0
NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def _options(base_url: str, key: str, timeout: float) -> dict[str, Any]:
    """`base_url`: of the installation, with or without `/v1`."""
    base = base_url.rstrip("/")
    try:
        version = metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        version = "0"
    return {
        "base_url": base if base.endswith("/v1") else f"{base}/v1",
        "timeout": timeout,
        "headers": {"Authorization": f"Bearer {key}", "User-Agent": f"tocsin-client/{version}"},
    }


def _asked(ask: Ask) -> dict[str, Any]:
    """As httpx takes it."""
    call = ask.call
    query = {name: value for name, value in call.query.items() if value is not None}
    told: dict[str, Any] = {"params": query, "headers": dict(ask.headers)}
    match call.body:
        case None:
            pass
        case bytes():
            told["content"] = call.body
            told["headers"]["Content-Type"] = call.content_type
        case _:
            told["json"] = call.body
    return {"method": call.method, "url": call.path, **told}


def _reply(answer: httpx.Response) -> Reply:
    try:
        told = answer.json() if answer.content else None
    except ValueError:
        told = None
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, told)


def _lost(error: httpx.RequestError) -> Lost:
    return Lost(str(error) or type(error).__name__, sent=not isinstance(error, NEVER_SENT))


class Wire:
    """Makes calls and waits for them."""

    def __init__(
        self,
        base_url: str,
        key: str,
        patience: Patience,
        timeout: float,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """`timeout`: seconds for each step of an attempt; `transport`: httpx's own unless given."""
        self._patience = patience
        self._client = httpx.Client(transport=transport, **_options(base_url, key, timeout))

    def make(self, call: Call) -> Any:
        """The JSON of the answer; ApiProblemError, NoAnswerError."""
        steps = converse(call, self._patience)
        back: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(back)
            except StopIteration as end:
                return end.value
            back = self._take(step)

    def pages(self, call: Call) -> Iterator[Any]:
        """Everything of a list, asked for a page at a time as it is wanted."""
        while True:
            page = self.make(call)
            yield from page["data"]
            if not page["has_more"]:
                return
            call = following(call, page["next_cursor"])

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _take(self, step: Ask | Pause) -> Reply | Lost | None:
        match step:
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case Ask():
                try:
                    return _reply(self._client.request(**_asked(step)))
                except httpx.RequestError as error:
                    return _lost(error)


class AsyncWire:
    """Makes calls and awaits them."""

    def __init__(
        self,
        base_url: str,
        key: str,
        patience: Patience,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """As `Wire`."""
        self._patience = patience
        self._client = httpx.AsyncClient(transport=transport, **_options(base_url, key, timeout))

    async def make(self, call: Call) -> Any:
        """The JSON of the answer; ApiProblemError, NoAnswerError."""
        steps = converse(call, self._patience)
        back: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(back)
            except StopIteration as end:
                return end.value
            back = await self._take(step)

    async def pages(self, call: Call) -> AsyncIterator[Any]:
        """Everything of a list, asked for a page at a time as it is wanted."""
        while True:
            page = await self.make(call)
            for one in page["data"]:
                yield one
            if not page["has_more"]:
                return
            call = following(call, page["next_cursor"])

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _take(self, step: Ask | Pause) -> Reply | Lost | None:
        match step:
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case Ask():
                try:
                    return _reply(await self._client.request(**_asked(step)))
                except httpx.RequestError as error:
                    return _lost(error)


def part(value: str | int) -> str:
    """A part of a path, whatever is in it."""
    return quote(str(value), safe="")


def following(call: Call, cursor: str) -> Call:
    """The same question, from where its last page ended."""
    query: Mapping[str, Any] = MappingProxyType({**call.query, "cursor": cursor})
    return replace(call, query=query)
