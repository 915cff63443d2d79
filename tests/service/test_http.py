"""HTTP on a real line: what has no end is cut off, whatever comes in pieces is understood."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service.pages import MOST_HEAD, BoundedHttp


async def _echo(request: Request) -> PlainTextResponse:
    body = await request.body()
    return PlainTextResponse(f"{request.url.path} {len(body)} {len(request.headers.get('x-long', ''))}")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/{path:path}", _echo, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHttp, ws="none", log_config=None, port=0))
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def told(port: int, *pieces: bytes, apart: float = 0.0) -> bytes:
    """What is answered until the line is closed; TimeoutError when nobody closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(apart)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(1 << 16), 20):
            answer += piece
    writer.close()
    return answer


CLOSE = b"Host: a\r\nConnection: close\r\n"


async def test_a_request_in_pieces_with_long_headers_and_a_body_is_read_whole(port: int) -> None:
    long = b"X-Long: " + b"x" * 40_000 + b"\r\n"
    head = b"POST /a HTTP/1.1\r\n" + CLOSE + long + b"Content-Length: 200000\r\n\r\n"
    answer = await told(port, head[:9], head[9:20_000], head[20_000:], b"b" * 200_000, apart=0.02)
    assert answer.endswith(b"/a 200000 40000")


async def test_requests_on_one_line_are_each_counted_by_themselves(port: int) -> None:
    long = b"X-Long: " + b"x" * 40_000 + b"\r\n"
    kept = b"GET /a HTTP/1.1\r\nHost: a\r\n" + long + b"\r\n"
    last = b"GET /b HTTP/1.1\r\n" + CLOSE + long + b"\r\n"
    answer = await told(port, kept, kept, kept, last, apart=0.05)
    assert answer.count(b"HTTP/1.1 200") == 4
    assert answer.endswith(b"/b 0 40000")


async def test_the_end_of_a_body_is_not_taken_for_the_beginning_of_the_next_request(port: int) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"
    last = b"GET /b HTTP/1.1\r\n" + CLOSE + b"\r\n"
    together = b"b" * 100_000 + last[:20]
    answer = await told(port, head, b"b" * 200_000, together, last[20:], apart=0.05)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.endswith(b"/b 0 0")


@pytest.mark.parametrize("piece", [b"X-Long: ", b"GET /"])
async def test_what_never_comes_to_its_body_is_cut_off(port: int, piece: bytes) -> None:
    start = b"GET / HTTP/1.1\r\nHost: a\r\n" if piece.startswith(b"X") else b""
    more = [b"x" * 16_000] * (4 * MOST_HEAD // 16_000)
    answer = await told(port, start + piece, *more, apart=0.005)
    assert b"200 OK" not in answer
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_many_small_headers_are_too_long_together(port: int) -> None:
    more = [b"".join(b"X-%d-%d: y\r\n" % (group, one) for one in range(1_000)) for group in range(20)]
    answer = await told(port, b"GET / HTTP/1.1\r\nHost: a\r\n", *more, apart=0.005)
    assert b"200 OK" not in answer
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    ],
)
async def test_what_two_servers_might_read_differently_is_refused(port: int, request_: bytes) -> None:
    assert (await told(port, request_)).startswith(b"HTTP/1.1 400")
