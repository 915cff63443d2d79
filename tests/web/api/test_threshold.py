"""Whatever a program asks, and however it asks, it is answered in one form: a problem with a stable code."""

import gzip
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.web.browsers import Site
from tests.web.programs import Program, a_program, a_wish

JSON = {"content-type": "application/json"}
WISH = json.dumps(a_wish()).encode()
pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def ask(
    program: Program, method: str, url: str, content: bytes | None = None, **headers: str
) -> httpx.Response:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    told["authorization"] = f"Bearer {program.secret}"
    return await program.client.request(method, url, content=content, headers=told)


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert told["type"].endswith(f"/v1/errors/{code}")
    assert told["request_id"] == answer.headers["request-id"]


async def test_a_body_that_is_announced_too_large_is_a_problem_like_any_other(program: Program) -> None:
    answer = await ask(program, "POST", "/v1/messages", b"x" * 3_000_000, **JSON)
    assert_problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_page_is_told_so_in_a_line_of_text(program: Program) -> None:
    answer = await ask(program, "POST", "/sign-in", b"x" * 9_000)
    assert (answer.status_code, answer.text) == (413, "This request is too large.\n")


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=iso-8859-1"]
)
async def test_a_body_of_another_kind_is_not_read(program: Program, kind: str) -> None:
    answer = await ask(program, "POST", "/v1/messages", WISH, content_type=kind)
    assert_problem(answer, 415, "unsupported_media_type")
    assert answer.headers["accept"] == "application/json"
    assert not await program.deliveries()


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.api+json"]
)
async def test_json_is_read_however_it_is_called(program: Program, kind: str) -> None:
    assert (await ask(program, "POST", "/v1/messages", WISH, content_type=kind)).status_code == 202


async def test_a_packed_body_is_told_to_come_unpacked(program: Program) -> None:
    packed = {**JSON, "content_encoding": "gzip"}
    answer = await ask(program, "POST", "/v1/messages", gzip.compress(WISH), **packed)
    assert_problem(answer, 415, "unsupported_media_type")
    assert "not packed" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/messages/", "/v1/messages/a%0ab"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_where_nothing_is_nobody_is_sent_elsewhere(program: Program, method: str, path: str) -> None:
    assert_problem(await ask(program, method, path), 404, "not_found")


async def test_an_address_names_all_its_methods(program: Program) -> None:
    answer = await ask(program, "DELETE", "/v1/messages")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert (await ask(program, "OPTIONS", "/v1/key")).headers["allow"] == "GET"


async def test_whoever_has_no_key_is_told_so_before_megabytes_of_theirs_are_read(program: Program) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(15):
            read += 1
            yield b"[" + b"[]," * 300_000

    headers = {**JSON, "content-length": str(15 * 900_001)}
    answer = await program.client.request("POST", "/v1/messages/batch", content=body(), headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert read <= 1


async def test_a_call_counts_once_in_what_its_key_may_make(program: Program) -> None:
    left = [(await program.send()).headers["ratelimit"] for _ in range(2)]
    first, second = (int(re.findall(r"r=(\d+)", told)[0]) for told in left)
    assert first - second == 1


async def test_when_the_database_is_away_it_is_said_so_and_when_to_come_back(
    site: Site, program: Program
) -> None:
    async with site.database.write() as session:
        await (await session.connection()).exec_driver_sql("ALTER TABLE api_key RENAME TO elsewhere")
    answer = await program.call("POST", "/messages", a_wish())
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"
