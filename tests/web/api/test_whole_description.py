"""Whatever the description allows is answered as it says: no failure, no answer of another shape.

Examples are drawn by schemathesis from the description, the same ones each time; the service is a real one.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from store import Database
from tests.clocks import ManualClock
from tests.factories import a_contact
from tests.web.api_description import described
from tests.web.browsers import Site
from tests.web.programs import a_program
from web.api.description import operations

GIVEN, BEYOND = 12, 6
"""Examples of what each operation takes, and of what it does not take."""
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DESCRIPTION = described()
LABELS = [f"{method.upper()} {path}" for path, method, _ in operations(DESCRIPTION)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a furnished service, and a key that opens everything."""
    folder: Path = tmp_path_factory.mktemp("service")
    door = socket.create_server(("127.0.0.1", 0))
    told: list[str] = []
    ready = threading.Event()
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder}/tocsin.db")
        await database.migrate()
        site = Site(database, ManualClock(), folder, public_url=f"http://127.0.0.1:{door.getsockname()[1]}")
        program = await a_program(site, per_minute=1_000_000)
        async with database.write() as session:
            await a_contact(session, email="camille@gmail.com")
        await program.client.aclose()
        told.append(program.secret)
        server.append(uvicorn.Server(uvicorn.Config(site.app, log_config=None, ws="none", lifespan="off")))
        ready.set()
        await server[0].serve(sockets=[door])
        await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    yield f"http://127.0.0.1:{door.getsockname()[1]}/v1", told[0]
    server[0].should_exit = True
    thread.join(20)
    door.close()


def put_to_the_test(
    service: tuple[str, str], label: str, mode: schemathesis.GenerationMode, count: int
) -> set[int]:
    """Ask one operation `count` times; the status codes of its answers."""
    address, key = service
    method, _, path = label.partition(" ")
    operation = schemathesis.openapi.from_dict(DESCRIPTION)[path][method]
    headers = {"Authorization": f"Bearer {key}"}
    statuses: set[int] = set()

    @seed(20260301)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=address, headers=headers)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS, headers=headers)

    ask()
    return statuses


@pytest.mark.parametrize("label", LABELS)
def test_whatever_the_description_allows_is_answered_as_it_says(service: tuple[str, str], label: str) -> None:
    statuses = put_to_the_test(service, label, schemathesis.GenerationMode.POSITIVE, GIVEN)
    assert not {401, 429} & statuses
    if "{" not in label and label.startswith("GET "):
        assert 200 in statuses


@pytest.mark.parametrize("label", [label for label in LABELS if not label.endswith(" /key")])
def test_what_it_does_not_allow_is_refused_in_form(service: tuple[str, str], label: str) -> None:
    statuses = put_to_the_test(service, label, schemathesis.GenerationMode.NEGATIVE, BEYOND)
    # What it does not allow may be the key itself.
    assert statuses & {400, 401, 403, 404, 405, 422}
