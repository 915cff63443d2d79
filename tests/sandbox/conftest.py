"""The world under test and a service for it to talk to: plain stdlib servers, nothing of the product."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox import World, WorldOptions
from tests.sandbox.letters import Visit, Website, WorldMaker
from tests.servers.sink import Sink


@pytest.fixture
def website() -> Iterator[Website]:
    site = Website()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.visits.append(Visit(self.command, self.path, headers, body))
            status = site.statuses.get(self.path.split("/")[1], 302 if self.path.startswith("/c/") else 200)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "https://www.example.org/programme")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 (http.server's names)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        block_on_close = True

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def make_world(website: Website, sink: Sink) -> AsyncIterator[WorldMaker]:
    """Starts a fast world that talks to `website` and `sink`; keyword arguments are `WorldOptions`."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> World:
            given = {
                "inbound": ("127.0.0.1", sink.smtp_port),
                "web_base": website.url,
                "speed": 1000.0,
                "keep_letters": True,
                **options,
            }
            return await stack.enter_async_context(World(WorldOptions(**given)))

        yield make
