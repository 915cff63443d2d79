"""Questions that no program in its right mind asks get a clear answer all the same."""

import json

import pytest

from tests.web.browsers import Site
from tests.web.programs import Program, a_program, a_wish


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


ODD = ("%00", "a%00b", "%ED%A0%80", "%F0%9F%94%94", "%27%3B--")


@pytest.mark.parametrize("odd", ODD)
async def test_odd_questions_are_answered_clearly(program: Program, odd: str) -> None:
    for path in (
        *(
            f"/messages?{name}={odd}"
            for name in ("reference", "to", "template", "cursor", "status", "fields")
        ),
        *(f"/events?{name}={odd}" for name in ("message", "campaign", "contact", "type", "since")),
        *(f"/campaigns?{name}={odd}" for name in ("name", "state", "channel")),
        *(f"/segments?name={odd}", f"/templates?name={odd}", f"/identities/{odd}", f"/templates/{odd}"),
        *(f"/campaigns/{odd}", f"/segments/{odd}", f"/messages/{odd}", f"/messages/{odd}/events"),
    ):
        assert (await program.call("GET", path)).status_code in {200, 404, 422}, path


@pytest.mark.parametrize("odd", ["\0", "a\0b", "\ud800", "🔔", "{{", "{%", "<", "\u202e"])
async def test_odd_words_are_refused_or_kept_and_break_nothing(program: Program, odd: str) -> None:
    bodies = [
        ("/segments", {"name": odd, "rule": "everyone"}),
        ("/segments", {"name": "a", "rule": f'commune:"{odd}"'}),
        ("/segments:explain", {"rule": f'commune:"{odd}"'}),
        ("/messages", a_wish(variables={"first_name": odd})),
        ("/messages", a_wish(variables={"first_name": "a", odd: "b"})),
        ("/messages", a_wish(metadata={"a": odd}, reference="a")),
        ("/messages", a_wish(metadata={odd: "a"}, to={"external_id": odd})),
        ("/messages", {"to": {"email": "a@gmail.com"}, "content": {"subject": odd, "html": "<p>a</p>"}}),
        ("/messages", {"to": {"email": "a@gmail.com"}, "content": {"subject": "a", "html": odd}}),
        ("/messages", {"to": {"email": "a@gmail.com"}, "content": {"subject": "a", "mjml": odd}}),
        ("/messages", {"to": {"phone": "+33612345678"}, "content": {"text": odd}}),
        ("/campaigns", {"name": odd, "template": {"id": odd}, "include": [odd], "identities": [odd]}),
        (
            "/campaigns",
            {"name": "a", "template": {"id": "Reçu"}, "include": [odd], "identities": ["national"]},
        ),
    ]
    for path, body in bodies:
        told = {"authorization": f"Bearer {program.secret}", "content-type": "application/json"}
        answer = await program.client.post(f"/v1{path}", content=json.dumps(body), headers=told)
        assert answer.status_code in {200, 201, 202, 404, 422}, (path, body, answer.text)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_what_is_no_number_is_no_variable(program: Program, word: str) -> None:
    raw = json.dumps(a_wish()).replace('"Camille"', word)
    headers = {"authorization": f"Bearer {program.secret}", "content-type": "application/json"}
    answer = await program.client.request("POST", "/v1/messages", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "variables.first_name")
    assert (await program.send(variables={"first_name": 10**400})).status_code == 202
