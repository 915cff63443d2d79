"""Messages over HTTP: taken on once, refused by name, found again."""

import asyncio
from datetime import timedelta

import pytest

from models.api import KeyMode, Scope
from models.states import DeliveryState
from tests.factories import a_contact
from tests.web.browsers import Site
from tests.web.programs import Program, a_program, a_wish
from web.api.waking import Bell


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def test_a_message_is_taken_on_sent_and_found_again(program: Program) -> None:
    answer = await program.send(reference="don 42", metadata={"campaign": "dons"})
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["status"], told["channel"], told["identity"]["key"]) == ("accepted", "email", "national")
    assert told["template"]["version"] == 1
    assert await program.drain() == ["camille@gmail.com"]
    found = (await program.call("GET", told["links"]["self"].partition("/v1")[2])).json()
    assert (found["id"], found["status"], found["reference"]) == (told["id"], "sent", "don 42")
    assert found["metadata"] == {"campaign": "dons"}


async def test_missing_variables_are_refused_by_name_before_anything_is_queued(program: Program) -> None:
    answer = await program.send(variables={})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "missing_variables"
    assert problem["errors"] == [
        {
            "field": "variables.first_name",
            "code": "missing_variables",
            "message": "The message would lack: first_name.",
        }
    ]
    assert problem["request_id"] == answer.headers["request-id"]
    assert await program.deliveries() == []


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": {"email": "no address"}}, "invalid", "to.email"),
        ({"to": {"phone": "+33612345678"}}, "channel_mismatch", "to"),
        ({"to": {}}, "invalid", "to"),
        ({"to": {"email": "a@b.fr", "phone": "+33612345678"}}, "invalid", "to"),
        ({"template": {"id": "Nulle part"}}, "not_found", "template"),
        ({"template": {"id": "Reçu", "version": 9}}, "not_found", "template"),
        ({"identity": "nobody"}, "not_found", "identity"),
        ({"send_at": "2026-03-01T10:00:00"}, "invalid", "send_at"),
        ({"surprise": 1}, "invalid", "surprise"),
        ({"to": {"external_id": "42"}}, "not_found", "to.external_id"),
    ],
)
async def test_what_cannot_be_sent_as_asked_is_refused_with_the_part(
    program: Program, changes: dict[str, object], code: str, field: str
) -> None:
    answer = await program.send(**changes)
    assert answer.status_code == (404 if code == "not_found" else 422), answer.text
    assert answer.json()["code"] == code
    assert answer.json()["errors"][0]["field"] == field
    assert await program.deliveries() == []


async def test_a_batch_gives_one_result_each_and_one_bad_message_keeps_no_other(program: Program) -> None:
    wishes = [
        a_wish(),
        a_wish(variables={}),
        a_wish(to={"email": "x"}),
        a_wish(to={"email": "b@gmail.com"}),
        a_wish(to={"contact": "ctc_nobody"}),
        a_wish(identity="idt_nobody"),
        a_wish(template={"id": "tpl_none"}),
        a_wish(refrence="7", send_at="tomorrow"),
        "camille@gmail.com",
    ]
    answer = await program.call("POST", "/messages/batch", {"messages": wishes})
    assert answer.status_code == 207, answer.text
    told = answer.json()
    assert (told["accepted"], told["refused"]) == (2, 7)
    assert [one["status"] for one in told["results"]] == [202, 422, 422, 202, 404, 404, 404, 422, 422]
    fields = [fault["field"] for one in told["results"][4:] for fault in one["problem"]["errors"]]
    assert fields == [
        *("messages.4.to.contact", "messages.5.identity", "messages.6.template"),
        *("messages.7.send_at", "messages.7.refrence", "messages.8"),
    ]
    assert told["results"][1]["problem"]["errors"][0]["field"] == "messages.1.variables.first_name"
    assert told["results"][2]["problem"]["errors"][0]["field"] == "messages.2.to.email"
    assert sorted(await program.drain()) == ["b@gmail.com", "camille@gmail.com"]


@pytest.mark.parametrize("text", ["{{ 12 // amount|int }}", "{{ amount[9] }}"], ids=["division", "index"])
async def test_what_a_template_cannot_compute_with_keeps_no_other_back(program: Program, text: str) -> None:
    sms = {"content": {"text": text}, "to": {"phone": "+33612345678"}}
    good, bad = ({**sms, "variables": {"amount": amount}} for amount in ("1234567890", "0"))
    answer = await program.call("POST", "/messages/batch", {"messages": [good, bad]})
    assert [one["status"] for one in answer.json()["results"]] == [202, 422]


async def test_the_same_call_gets_the_same_answer_and_does_nothing_new(program: Program) -> None:
    answers = await asyncio.gather(
        *(program.call("POST", "/messages", a_wish(), idempotency_key="order-1") for _ in range(50))
    )
    taken = [answer for answer in answers if answer.status_code == 202]
    busy = [answer for answer in answers if answer.status_code == 409]
    assert len(taken) + len(busy) == 50
    assert len({answer.text for answer in taken}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in taken) == 1
    assert all(answer.headers["retry-after"] == "1" for answer in busy)
    assert len(await program.deliveries()) == 1
    other = await program.call("POST", "/messages", a_wish(reference="x"), idempotency_key="order-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    again = await program.call("POST", "/messages", a_wish(), idempotency_key="order-1")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.text == taken[0].text


async def test_a_suppressed_person_is_a_result_and_no_error(program: Program) -> None:
    async with program.site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    answer = await program.send(purpose="campaign", to={"email": "unknown@gmail.com"})
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["reason"]) == ("suppressed", "no_consent")
    assert (await program.send(purpose="campaign")).json()["status"] == "accepted"


async def test_a_later_message_is_scheduled(program: Program) -> None:
    moment = program.site.clock.now() + timedelta(hours=3)
    told = (await program.send(send_at=moment.isoformat())).json()
    assert told["status"] == "scheduled"
    assert await program.drain() == []
    program.site.clock.advance(timedelta(hours=3))
    assert await program.drain() == ["camille@gmail.com"]


async def test_a_test_key_reaches_nobody_and_sees_no_live_message(site: Site, program: Program) -> None:
    live = (await program.send()).json()
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    told = (await tester.send()).json()
    assert told["test"] is True
    assert (await tester.call("GET", f"/messages/{live['id']}")).status_code == 404
    assert {row.provider for row in await program.deliveries()} == {"gmail", "sandbox"}


async def test_a_key_opens_only_what_its_scopes_name(site: Site) -> None:
    reader = await a_program(site, scopes=[Scope.MESSAGES_READ])
    answer = await reader.send()
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("secret", ["", "tcn_live_wrong", "tcn_live_" + "0" * 38])
async def test_without_a_valid_key_nothing_is_done(program: Program, secret: str) -> None:
    program.secret = secret
    answer = await program.send()
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_opens_nothing(program: Program) -> None:
    from store import api_keys

    assert (await program.send()).status_code == 202
    async with program.site.database.write() as session:
        await api_keys.revoke_key(session, program.key_id, by="test", now=program.site.clock.now())
    program.site.clock.advance(timedelta(seconds=3))
    assert (await program.send()).status_code == 401


async def test_a_key_bound_to_networks_is_refused_elsewhere(site: Site) -> None:
    away = await a_program(site, networks=["203.0.113.0/24"])
    answer = await away.send()
    assert (answer.status_code, answer.json()["code"]) == (403, "key_not_allowed_here")


async def test_calls_beyond_the_limit_wait(site: Site) -> None:
    slow = await a_program(site, per_minute=3)
    answers = [await slow.send() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[0].headers["ratelimit"].startswith('"key";r=2;')
    assert int(answers[3].headers["retry-after"]) >= 1
    site.clock.advance(timedelta(seconds=20))
    assert (await slow.send()).status_code == 202


async def test_what_is_no_json_or_too_large_is_one_clear_problem(program: Program) -> None:
    told = {"authorization": f"Bearer {program.secret}", "content-type": "application/json"}
    answer = await program.client.post("/v1/messages", content=b"{", headers=told)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    answer = await program.client.get("/v1/nowhere", headers=told)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_messages_are_kept_apart_from_what_campaigns_write(program: Program) -> None:
    async with program.site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    for _ in range(3):
        await program.send()
    await program.drain()
    assert [row.state for row in await program.deliveries()] == [DeliveryState.ACCEPTED] * 3


async def test_whoever_sends_is_woken_once_for_many_calls_and_no_call_fails_by_it(site: Site) -> None:
    program = await a_program(site)

    async def broken() -> None:
        site.woken += 1
        raise RuntimeError

    for _ in range(5):
        assert (await program.send()).status_code == 202
    async with asyncio.timeout(10):
        while site.woken < 1:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert 1 <= site.woken <= 3
    bell = Bell(broken)
    before = site.woken
    bell.ring()
    await asyncio.sleep(0.01)
    bell.ring()
    bell.ring()
    await asyncio.sleep(0.5)
    assert site.woken == before + 2


async def test_what_is_wrong_with_a_request_is_told_in_words_of_json(program: Program) -> None:
    answer = await program.call("POST", "/messages", a_wish(refrence="7"))
    assert answer.status_code == 422
    assert answer.json()["detail"] == "refrence: There is no such field."
    assert answer.json()["errors"][0]["code"] == "unknown"
    answer = await program.call("GET", "/messages?since=yesterday")
    assert answer.json()["errors"][0]["field"] == "since"


async def test_a_method_that_is_not_there_is_answered_with_all_that_are(program: Program) -> None:
    answer = await program.call("PUT", "/messages", {})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_parameter_nobody_knows_is_refused_wherever_it_stands(program: Program) -> None:
    answer = await program.call("POST", "/messages?dry_run=1", a_wish())
    assert answer.json()["detail"] == "There is no parameter “dry_run”; there is none here."
    assert await program.deliveries() == []


async def test_a_key_with_a_slip_in_it_is_told_so(program: Program) -> None:
    told = {"authorization": f"Bearer {program.secret[:-1]}"}
    answer = await program.client.get("/v1/key", headers=told)
    assert answer.json()["detail"] == "This is no key: one of its characters is wrong, or some are missing."
