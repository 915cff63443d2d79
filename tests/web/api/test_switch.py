"""What the settings say of the API: whether it answers, and how many calls are usual."""

from dataclasses import replace

from httpx import ASGITransport, AsyncClient

from tests.web.browsers import Site
from tests.web.programs import a_program
from web import create_app


async def test_a_key_without_a_limit_of_its_own_has_the_usual_one(site: Site) -> None:
    site.app = create_app(replace(site.context, api_per_minute=2))
    program = await a_program(site)
    assert [(await program.send()).status_code for _ in range(3)] == [202, 202, 429]


async def test_an_api_that_is_switched_off_answers_nobody(site: Site) -> None:
    site.app = create_app(replace(site.context, api=False))
    program = await a_program(site)
    answer = await program.send()
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "switched off" in answer.json()["detail"]
    async with AsyncClient(transport=ASGITransport(site.app), base_url=site.public_url) as anybody:
        assert (await anybody.get("/v1/openapi.json")).status_code == 404
        assert (await anybody.get("/healthz")).status_code != 404


async def test_an_address_with_a_line_break_is_answered_as_any_other_of_the_api(site: Site) -> None:
    program = await a_program(site)
    answer = await program.call("GET", "/messages/%0A/events")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
