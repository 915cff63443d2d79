"""The client for programs, against the real application: done once, told in types, patient."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from models.api import KeyMode
from tests.factories import a_contact
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from tocsin_client import ApiProblemError, AsyncTocsin, NoAnswerError, Patience, Tocsin

QUICK = Patience(attempts=4, first_wait=0.01, longest_wait=2.0)
WISH: Any = {
    "to": {"email": "camille@gmail.com"},
    "template": {"id": "Reçu"},
    "variables": {"first_name": "Camille"},
}


class Wobbly(httpx.AsyncBaseTransport):
    """A way to the application on which some answers, or questions, are lost or are somebody else's."""

    def __init__(self, site: Site, *faults: Any) -> None:
        self.inner = httpx.ASGITransport(site.app, raise_app_exceptions=False)
        self.faults = list(faults)
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, httpx.ConnectError):
            raise fault
        answer = await self.inner.handle_async_request(request)
        await answer.aread()
        if fault is not None:
            raise fault
        return answer

    @property
    def keys(self) -> set[str | None]:
        return {request.headers.get("idempotency-key") for request in self.seen}


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


def client_of(
    program: Program, *faults: Any, key: str = "", patience: Patience = QUICK
) -> tuple[AsyncTocsin, Wobbly]:
    wire = Wobbly(program.site, *faults)
    secret = key or program.secret
    return AsyncTocsin(program.site.public_url, secret, patience=patience, transport=wire), wire


async def test_a_message_is_handed_over_and_followed(program: Program) -> None:
    tocsin, wire = client_of(program)
    async with tocsin:
        message = await tocsin.messages.send(**WISH, reference="don 42")
        assert message["status"] == "accepted"
        assert wire.seen[0].headers["user-agent"].startswith("tocsin-client/")
        await program.drain()
        found = await tocsin.messages.get(message["id"])
        assert (found["status"], found["reference"]) == ("sent", "don 42")
        assert (await tocsin.key.get())["name"] == "CRM"


async def test_a_message_whose_answer_was_lost_is_sent_once(program: Program) -> None:
    lost = httpx.ReadError("the line dropped")
    tocsin, wire = client_of(program, lost, lost)
    message = await tocsin.messages.send(**WISH)
    assert message["status"] == "accepted"
    assert len(wire.seen) == 3
    assert len(wire.keys) == 1
    assert None not in wire.keys
    assert len(await program.deliveries()) == 1


async def test_two_calls_never_share_a_key_and_ones_own_is_kept(program: Program) -> None:
    tocsin, wire = client_of(program)
    await tocsin.messages.send(**WISH)
    await tocsin.messages.send(**WISH)
    assert len(wire.keys) == 2
    first = await tocsin.messages.send(**WISH, idempotency_key="order-1")
    again = await tocsin.messages.send(**WISH, idempotency_key="order-1")
    assert first == again
    assert len(await program.deliveries()) == 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_failures_in_between_are_tried_again(program: Program, status: int) -> None:
    tocsin, wire = client_of(program, httpx.Response(status, text="<html>proxy</html>"))
    await tocsin.messages.send(**WISH)
    assert len(wire.seen) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_service_that_is_elsewhere_is_no_success(program: Program, status: int) -> None:
    moved = httpx.Response(status, headers={"Location": "https://tocsin.example/v1/messages"})
    tocsin, wire = client_of(program, moved)
    with pytest.raises(ApiProblemError, match=r"elsewhere, at https://tocsin\.example/") as caught:
        await tocsin.messages.send(**WISH)
    assert (caught.value.status, len(wire.seen)) == (status, 1)
    assert await program.deliveries() == []


@pytest.mark.parametrize("text", ["", "<html>Sign in to the wireless network</html>", "{"])
async def test_what_somebody_between_says_is_no_success(program: Program, text: str) -> None:
    tocsin, wire = client_of(program, httpx.Response(200, text=text))
    assert (await tocsin.messages.send(**WISH))["status"] == "accepted"
    assert len(wire.seen) == 2
    tocsin, wire = client_of(program, *[httpx.Response(200, text=text)] * 9)
    with pytest.raises(NoAnswerError, match="without the JSON") as caught:
        await tocsin.messages.send(**WISH)
    assert {caught.value.key} == wire.keys
    tocsin, wire = client_of(program, httpx.Response(200, text=text))
    with pytest.raises(NoAnswerError):
        await tocsin.messages.cancel("msg_a")
    assert len(wire.seen) == 1


async def test_an_answer_that_cannot_be_unpacked_is_a_lost_one(program: Program) -> None:
    broken = httpx.Response(202, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    tocsin, wire = client_of(program, broken)
    assert (await tocsin.messages.send(**WISH))["status"] == "accepted"
    assert len(wire.seen) == 2


async def test_a_moment_to_come_back_without_a_zone_is_understood(program: Program) -> None:
    past = {"Retry-After": "Sun, 01 Mar 2026 10:00:00 -0000"}
    busy = httpx.Response(429, json={"code": "rate_limited", "detail": ""}, headers=past)
    tocsin, wire = client_of(program, busy)
    await tocsin.messages.send(**WISH)
    assert len(wire.seen) == 2


async def test_the_same_call_in_flight_is_waited_for(program: Program) -> None:
    busy = httpx.Response(409, json={"code": "call_in_flight", "detail": ""}, headers={"Retry-After": "0"})
    tocsin, wire = client_of(program, busy)
    await tocsin.messages.send(**WISH)
    assert len(wire.seen) == 2


async def test_fifty_at_once_under_one_key_are_one(program: Program) -> None:
    tocsin, _ = client_of(program, patience=Patience(attempts=8, first_wait=0.05, longest_wait=3))
    told = await asyncio.gather(*(tocsin.messages.send(**WISH, idempotency_key="one") for _ in range(50)))
    assert len({message["id"] for message in told}) == 1
    assert len(await program.deliveries()) == 1


async def test_what_would_change_nothing_is_not_tried_again(program: Program) -> None:
    tocsin, wire = client_of(program)
    with pytest.raises(ApiProblemError) as caught:
        await tocsin.messages.send(to={"email": "camille@gmail.com"}, template={"id": "Reçu"})
    problem = caught.value
    assert (problem.status, problem.code) == (422, "missing_variables")
    assert problem.faults[0]["field"] == "variables.first_name"
    assert problem.request_id.startswith("req_")
    assert len(wire.seen) == 1
    stranger, wire = client_of(program, key="tcn_live_wrong")
    with pytest.raises(ApiProblemError, match="unauthenticated"):
        await stranger.key.get()
    assert len(wire.seen) == 1
    conflict = httpx.Response(409, json={"code": "conflict", "detail": "no"})
    tocsin, wire = client_of(program, conflict)
    with pytest.raises(ApiProblemError, match="conflict"):
        await tocsin.messages.send(**WISH)
    assert len(wire.seen) == 1


async def test_too_many_calls_wait_as_long_as_they_are_told(program: Program) -> None:
    wait = httpx.Response(429, json={"code": "rate_limited", "detail": ""}, headers={"Retry-After": "1"})
    tocsin, wire = client_of(program, wait)
    began = asyncio.get_running_loop().time()
    await tocsin.messages.send(**WISH)
    assert asyncio.get_running_loop().time() - began >= 1
    assert len(wire.seen) == 2
    long = httpx.Response(429, json={"code": "rate_limited", "detail": ""}, headers={"Retry-After": "3600"})
    tocsin, wire = client_of(program, long)
    with pytest.raises(ApiProblemError, match="rate_limited"):
        await tocsin.messages.send(**WISH)
    assert len(wire.seen) == 1


async def test_nobody_there_is_told_in_the_end_with_the_key_to_go_on(program: Program) -> None:
    tocsin, wire = client_of(program, *[httpx.ConnectError("refused")] * 9)
    with pytest.raises(NoAnswerError, match="refused") as caught:
        await tocsin.messages.send(**WISH)
    assert len(wire.seen) == QUICK.attempts
    assert {caught.value.key} == wire.keys
    wire.faults.clear()
    message = await tocsin.messages.send(**WISH, idempotency_key=caught.value.key)
    assert message["status"] == "accepted"


async def test_a_deed_without_a_key_is_not_done_twice_on_a_guess(program: Program) -> None:
    tocsin, wire = client_of(program)
    moment = "2027-03-01T10:00:00Z"
    message = await tocsin.messages.send(**WISH, send_at=moment)
    wire.faults = [httpx.ReadError("the line dropped")]
    with pytest.raises(NoAnswerError):
        await tocsin.messages.cancel(message["id"])
    assert len(wire.seen) == 2
    wire.faults = [httpx.ConnectError("refused")]
    # It never left: nothing can have been done.
    assert (await tocsin.messages.cancel(message["id"]))["status"] == "cancelled"
    assert len(wire.seen) == 4


async def test_long_lists_are_asked_for_a_page_at_a_time(program: Program) -> None:
    async with program.site.database.write() as session:
        for number in range(7):
            await a_contact(session, email=f"p{number}@gmail.com")
    tocsin, wire = client_of(program)
    found = [person["email"] async for person in tocsin.contacts.list(limit=3, fields="email")]
    assert sorted(str(email) for email in found) == [f"p{number}@gmail.com" for number in range(7)]
    assert len(wire.seen) == 3
    async for _ in tocsin.contacts.list(limit=3):
        break
    assert len(wire.seen) == 4


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """The application behind a real port, in a thread: whoever waits must not hold it up."""
    server = uvicorn.Server(uvicorn.Config(site.app, port=0, log_config=None, lifespan="off", ws="none"))
    ready = threading.Event()

    async def serve() -> None:
        config = server.config
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        ready.set()
        await server.main_loop()
        await server.shutdown()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


async def test_whoever_waits_gets_the_same(site: Site, address: str) -> None:
    program = await a_program(site, mode=KeyMode.TEST)
    async with site.database.write() as session:
        for number in range(5):
            await a_contact(session, email=f"p{number}@gmail.com")

    def work() -> tuple[str, int, str]:
        with Tocsin(f"{address}/v1/", program.secret, patience=QUICK) as tocsin:
            message = tocsin.messages.send(**WISH)
            people = len(list(tocsin.contacts.list(limit=2)))
            try:
                tocsin.messages.get("msg_nothing")
            except ApiProblemError as problem:
                return message["status"], people, problem.code
            return message["status"], people, ""

    assert await asyncio.to_thread(work) == ("accepted", 5, "not_found")


def test_whoever_waits_is_told_when_nobody_is_there() -> None:
    with Tocsin("http://127.0.0.1:9", "tcn_test_x", patience=QUICK) as tocsin, pytest.raises(NoAnswerError):
        tocsin.key.get()
