"""Messages looked up, followed and taken back."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.api import KeyMode, Scope
from models.event import event_about
from models.states import DeliveryState, EventKind
from models.values import Refused, Reply
from models.webhook_types import OF_EVENTS
from store import events
from store.message_status import MessageStatus
from tests.factories import an_identity
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from web.api.event_schemas import EventType


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def found(program: Program, query: str = "") -> list[dict[str, Any]]:
    """The messages of one page."""
    answer = await program.call("GET", f"/messages{query}")
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def references(program: Program, query: str) -> list[str]:
    return [one["reference"] for one in await found(program, query)]


async def test_messages_are_listed_a_page_at_a_time_the_newest_first(program: Program) -> None:
    for number in range(5):
        await program.send(reference=f"r{number}")
    answer = (await program.call("GET", "/messages?limit=2&fields=reference")).json()
    told = [one["reference"] for one in answer["data"]]
    while answer["has_more"]:
        path = f"/messages?limit=2&fields=reference&cursor={answer['next_cursor']}"
        answer = (await program.call("GET", path)).json()
        told += [one["reference"] for one in answer["data"]]
    assert told == ["r4", "r3", "r2", "r1", "r0"]
    assert set(answer["data"][0]) == {"id", "reference"}


async def test_messages_are_found_by_what_tells_them_apart(program: Program) -> None:
    site = program.site
    await program.send(reference="a")
    await program.drain()
    site.clock.advance(timedelta(hours=1))
    half = site.clock.now()
    site.clock.advance(timedelta(hours=1))
    await program.send(reference="b", to={"email": "sacha@gmail.com"})
    later = (site.clock.now() + timedelta(hours=5)).isoformat()
    await program.send(reference="c", to={"phone": "+33612345678"}, template={"id": "SMS"}, send_at=later)
    await program.send(reference="d", purpose="campaign", to={"email": "nobody@gmail.com"})
    assert await references(program, "?reference=b") == ["b"]
    assert await references(program, "?to=Sacha@gmail.com") == ["b"]
    assert await references(program, "?to=nobody@gmail.com") == ["d"]
    assert await references(program, "?to=+33612345678") == ["c"]
    assert await references(program, "?template=SMS") == ["c"]
    moment = half.isoformat().replace("+", "%2B")
    assert await references(program, f"?since={moment}") == ["d", "c", "b"]
    near = (site.clock.now() + timedelta(seconds=1)).isoformat().replace("+", "%2B")
    assert await references(program, f"?since={near}") == []
    assert await references(program, f"?until={moment}") == ["a"]
    expected = {"sent": ["a"], "queued": ["b"], "scheduled": ["c"], "suppressed": ["d"], "bounced": []}
    for status, which in expected.items():
        assert await references(program, f"?status={status}") == which, status
        assert [one["status"] for one in await found(program, f"?status={status}")] == [status] * len(which)


@pytest.mark.parametrize(
    "path", ["/messages?statsu=sent", "/events?typ=message.sent", "/contacts?mail=a@b.fr"]
)
async def test_a_slip_in_the_name_of_a_filter_does_not_answer_with_everything(
    program: Program, path: str
) -> None:
    answer = await program.call("GET", path)
    meant = {"/m": "status", "/e": "type", "/c": "email"}[path[:2]]
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == path.partition("?")[2].partition("=")[0]
    assert answer.json()["detail"].endswith(f"did you mean “{meant}”?")


async def test_a_filter_that_is_like_no_other_is_answered_with_those_there_are(program: Program) -> None:
    answer = await program.call("GET", "/segments?qqq=1")
    assert answer.json()["detail"] == "There is no parameter “qqq”; there are cursor, fields, limit, name."


async def test_each_message_is_found_under_the_one_status_that_is_told_of_it(program: Program) -> None:
    """Whatever was heard of it: the gravest counts."""
    heard: list[tuple[EventKind, ...]] = [
        (),
        (EventKind.DELIVERED,),
        (EventKind.DELIVERED, EventKind.COMPLAINED),
        (EventKind.BOUNCED, EventKind.DELIVERED),
        (EventKind.UNSUBSCRIBED, EventKind.DELIVERED, EventKind.CLICKED),
    ]
    for number, _ in enumerate(heard):
        await program.send(to={"email": f"a{number}@gmail.com"})
    await program.send(to={"email": "bounced@example.com"})
    await program.drain()
    await program.send()
    now = program.site.clock.now()
    async with program.site.database.write() as session:
        for row in await program.deliveries():
            number = int(row.address[1]) if row.address[1].isdigit() else 0
            for kind in heard[number]:
                name = f"{row.id}/{kind}"
                told = event_about(row, kind, source="test", source_id=name, at=now, now=now)
                await events.append(session, told)
    for status in MessageStatus:
        told_so = {one["id"] for one in await found(program) if one["status"] == status}
        assert {one["id"] for one in await found(program, f"?status={status}")} == told_so, status
    assert {one["status"] for one in await found(program)} == {
        *("sent", "delivered", "complained", "bounced", "unsubscribed", "queued")
    }


@pytest.mark.parametrize(
    ("enhanced", "text", "status"),
    [
        ("5.1.1", "no such user", "bounced"),
        ("5.7.1", "message content rejected as spam", "rejected"),
        ("5.7.26", "unauthenticated mail from this domain is not accepted: DMARC", "rejected"),
    ],
)
async def test_who_is_refused_for_what_was_said_or_who_says_it_is_rejected_not_bounced(
    program: Program, enhanced: str, text: str, status: str
) -> None:
    program.site.postman.answers["camille@gmail.com"] = Refused(Reply(550, enhanced, text))
    sent = (await program.send()).json()
    await program.drain()
    told = (await program.call("GET", f"/messages/{sent['id']}")).json()
    assert (told["status"], text in told["reason"]) == (status, True)
    for asked in ("bounced", "rejected"):
        listed = [one["id"] for one in await found(program, f"?status={asked}")]
        assert listed == ([sent["id"]] if asked == status else [])


async def test_what_happened_to_a_message_is_told_from_its_beginning(program: Program) -> None:
    sent = (await program.send(reference="don", metadata={"id": "7"})).json()
    await program.drain()
    answer = await program.call("GET", sent["links"]["events"].partition("/v1")[2])
    (event,) = answer.json()["data"]
    assert (event["type"], event["message"], event["to"]) == ("message.sent", sent["id"], "camille@gmail.com")
    assert (event["reference"], event["metadata"], event["campaign"]) == ("don", {"id": "7"}, None)


async def test_an_answer_is_told_under_the_names_of_the_description(program: Program) -> None:
    sent = (await program.send(to={"email": "bounced@example.com"})).json()
    await program.drain()
    for path in (f"/messages/{sent['id']}/events", f"/messages/{sent['id']}/events?fields=answer"):
        (event,) = (await program.call("GET", path)).json()["data"]
        assert set(event["answer"]) == {"permanence", "class", "fault", "code", "enhanced", "text"}
        assert event["answer"]["class"] == "no_such_address"


async def test_a_message_that_has_not_left_is_taken_back_for_good(program: Program) -> None:
    sent = (await program.send()).json()
    for _ in range(2):
        answer = await program.call("POST", f"/messages/{sent['id']}:cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert await program.drain() == []
    assert [row.state for row in await program.deliveries()] == [DeliveryState.CANCELLED]
    told = (await program.call("GET", f"/messages/{sent['id']}/events")).json()["data"]
    assert [event["type"] for event in told] == ["message.cancelled"]


async def test_one_that_has_left_or_was_never_to_leave_is_not_taken_back(program: Program) -> None:
    gone = (await program.send()).json()
    await program.drain()
    kept = (await program.send(purpose="campaign", to={"email": "nobody@gmail.com"})).json()
    for one in (gone, kept):
        answer = await program.call("POST", f"/messages/{one['id']}:cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        if one is gone:
            assert answer.json()["detail"] == "It cannot be taken back any more: it is sent."


async def test_a_key_bound_to_identities_takes_back_what_they_say_and_nothing_else(
    site: Site, program: Program
) -> None:
    async with site.database.write() as session:
        local = await an_identity(session, key="local", domain="local.fr")
    bound = await a_program(site, furnished=False, identity_ids=[local.id])
    theirs = (await program.send(identity="national")).json()
    answer = await bound.call("POST", f"/messages/{theirs['id']}:cancel")
    assert (answer.status_code, answer.json()["code"]) == (403, "identity_not_allowed")
    own = (await program.send(identity="local", to={"email": "own@gmail.com"})).json()
    assert (await bound.call("POST", f"/messages/{own['id']}:cancel")).json()["status"] == "cancelled"
    assert await program.drain() == ["camille@gmail.com"]


async def test_a_test_key_sees_tests_alone_and_a_live_key_what_it_sent(site: Site, program: Program) -> None:
    live = (await program.send(reference="live")).json()
    await program.send(reference="magic", to={"email": "delivered@example.com"})
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    tested = (await tester.send(reference="test")).json()
    assert await references(tester, "") == ["test", "magic"]
    assert await references(program, "") == ["magic", "live"]
    for one, other in ((program, tested), (tester, live)):
        for method, rest in (("GET", ""), ("GET", "/events"), ("POST", ":cancel")):
            assert (await one.call(method, f"/messages/{other['id']}{rest}")).status_code == 404


async def test_a_live_key_follows_what_it_sent_to_a_magic_address(program: Program) -> None:
    sent = (await program.send(to={"email": "delivered@example.com"})).json()
    await program.drain()
    for path in (f"/messages/{sent['id']}/events", f"/events?message={sent['id']}"):
        told = (await program.call("GET", path)).json()["data"]
        assert {event["message"] for event in told} == {sent["id"]}, path
    assert (await program.call("GET", "/events")).json()["data"] == []


async def test_events_are_listed_by_what_they_are_about(site: Site, program: Program) -> None:
    await program.drain()
    for name in ("a", "b", "c"):
        await program.send(reference=name, to={"email": f"{name}@gmail.com"})
        await program.drain()
        site.clock.advance(timedelta(hours=1))
    sent = (await found(program, "?reference=b"))[0]

    async def told(query: str) -> list[str]:
        answer: httpx.Response = await program.call("GET", f"/events{query}")
        assert answer.status_code == 200, answer.text
        return [event["reference"] for event in answer.json()["data"]]

    assert await told("") == ["c", "b", "a"]
    assert await told("?oldest_first=true") == ["a", "b", "c"]
    assert await told(f"?message={sent['id']}") == ["b"]
    assert await told("?type=message.sent&type=message.bounced&limit=1") == ["c"]
    assert await told("?type=message.clicked") == []
    moment = (site.clock.now() - timedelta(hours=1, minutes=30)).isoformat().replace("+", "%2B")
    assert await told(f"?since={moment}") == ["c"]
    assert await told(f"?until={moment}") == ["b", "a"]
    answer = (await program.call("GET", "/events?limit=2&oldest_first=true")).json()
    following = f"/events?limit=2&oldest_first=true&cursor={answer['next_cursor']}"
    assert [one["reference"] for one in (await program.call("GET", following)).json()["data"]] == ["c"]


async def test_events_of_tests_are_told_to_test_keys_alone(site: Site, program: Program) -> None:
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    await program.send(reference="live")
    await tester.send(reference="test")
    await program.drain()
    for one, name in ((program, "live"), (tester, "test")):
        told = (await one.call("GET", "/events?type=message.sent")).json()["data"]
        assert [event["reference"] for event in told] == [name]


def test_events_and_webhooks_speak_of_the_same_types() -> None:
    assert [one.value for one in EventType] == list(dict.fromkeys(OF_EVENTS.values()))


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/messages", Scope.MESSAGES_READ),
        ("GET", "/messages/msg_a", Scope.MESSAGES_READ),
        ("GET", "/messages/msg_a/events", Scope.MESSAGES_READ),
        ("POST", "/messages/msg_a:cancel", Scope.MESSAGES_SEND),
        ("GET", "/events", Scope.EVENTS_READ),
    ],
)
async def test_each_call_needs_its_scope_and_no_other(
    site: Site, method: str, path: str, needed: Scope
) -> None:
    others = await a_program(site, scopes=[scope for scope in Scope if scope is not needed])
    assert (await others.call(method, path)).json()["code"] == "missing_scope"
    own = await a_program(site, scopes=[needed], furnished=False)
    assert (await own.call(method, path)).status_code in {200, 404}
