"""Programs make webhooks, look at what was posted, and have it posted again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from models.api import KeyMode, Scope
from models.states import EventKind
from scheduler.courier import Courier
from tests.factories import KEYRING
from tests.scheduler.listeners import a_courier, happen, noted
from tests.servers.hook_taker import HookTaker
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

URL = "https://crm.example.org/hooks"
BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


@pytest.fixture
def courier(site: Site) -> Courier:
    return a_courier(site.database, site.clock)


def let_here(site: Site) -> None:
    """Let webhooks lead to this machine."""
    object.__setattr__(site.context, "webhooks_here", True)


async def made(program: Program, url: str = URL, **changes: Any) -> dict[str, Any]:
    answer = await program.call("POST", "/webhooks", {"url": url, **changes})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_webhook_is_made_found_changed_and_removed_and_its_secret_is_told_once(
    program: Program,
) -> None:
    told = await made(program, event_types=["message.bounced"], description="CRM")
    assert told["secret"].startswith("whsec_")
    assert (told["enabled"], told["mode"], told["event_types"]) == (True, "live", ["message.bounced"])
    path = f"/webhooks/{told['id']}"
    found = (await program.call("GET", path)).json()
    assert "secret" not in json.dumps(found).replace("secret_overlaps_until", "")
    assert {**found, "secret": told["secret"]} == told
    changed = (await program.call("PATCH", path, {"event_types": [], "enabled": False})).json()
    assert (changed["event_types"], changed["enabled"]) == ([], False)
    assert changed["disabled_because"] == "API key CRM"
    assert changed["url"] == URL
    listed = (await program.call("GET", "/webhooks?fields=url,enabled")).json()
    assert listed["data"] == [{"id": told["id"], "url": URL, "enabled": False}]
    assert (await program.call("DELETE", path)).status_code == 204
    assert (await program.call("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://crm.example.org/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://10.1.2.3/"},
        {"url": "https://[::1]/"},
        {"url": "https://2130706433/"},
        {"url": "https://a:b@crm.example.org/"},
        {"url": "https://crm.example.org:22/"},
        {"url": "nonsense"},
        {"url": URL, "event_types": ["message.exploded"]},
        {"url": URL, "surprise": True},
        {"url": f"https://crm.example.org/{'x' * 1000}"},
        {},
    ],
)
async def test_where_nothing_may_be_posted_no_webhook_is_made(program: Program, body: dict[str, Any]) -> None:
    answer = await program.call("POST", "/webhooks", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert (await program.call("GET", "/webhooks")).json()["data"] == []


async def test_an_address_that_many_enter_at_once_is_entered_once(program: Program) -> None:
    answers = await asyncio.gather(*(program.call("POST", "/webhooks", {"url": URL}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    other = (await made(program, f"{URL}/other"))["id"]
    third = (await made(program, f"{URL}/third"))["id"]
    moved = await asyncio.gather(
        *(program.call("PATCH", f"/webhooks/{one}", {"url": f"{URL}/new"}) for one in (other, third))
    )
    assert sorted(answer.status_code for answer in moved) == [200, 409]


async def test_an_address_is_entered_once_a_mode(site: Site, program: Program) -> None:
    await made(program)
    answer = await program.call("POST", "/webhooks", {"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    assert (await made(tester))["mode"] == "test"


async def test_a_test_key_and_a_live_key_see_their_own_webhooks_alone(site: Site, program: Program) -> None:
    told = await made(program)
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    assert (await tester.call("GET", "/webhooks")).json()["data"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", ":ping"), ("GET", "/deliveries")):
        assert (await tester.call(method, f"/webhooks/{told['id']}{path}")).status_code == 404


async def test_looking_and_changing_are_granted_apart(site: Site) -> None:
    reader = await a_program(site, scopes=[Scope.WEBHOOKS_READ])
    assert (await reader.call("GET", "/webhooks")).status_code == 200
    answer = await reader.call("POST", "/webhooks", {"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_a_message_is_told_from_its_sending_on_as_the_list_of_events_has_it(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    await made(program, hook_taker.url)
    sent = (await program.send(reference="don 42", metadata={"campaign": "dons"})).json()
    await program.drain()
    await courier.settle()
    ((_, body),) = hook_taker.calls
    told = json.loads(body)
    assert (told["type"], told["data"]["message"]) == ("message.sent", sent["id"])
    assert (told["data"]["reference"], told["data"]["metadata"]) == ("don 42", {"campaign": "dons"})
    (listed,) = (await program.call("GET", "/events?type=message.sent")).json()["data"]
    shared = set(told["data"]) & set(listed) - {"at", "recorded_at"}
    assert shared >= {"id", "message", "identity", "channel", "to", "provider", "reference", "metadata"}
    assert {name: told["data"][name] for name in shared} == {name: listed[name] for name in shared}


async def test_what_test_keys_send_is_told_to_test_webhooks_alone(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    await made(program, hook_taker.url)
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    await tester.send()
    await program.drain()
    await courier.settle()
    assert hook_taker.calls == []
    await made(tester, hook_taker.url)
    await tester.send()
    await program.drain()
    await courier.settle()
    assert {json.loads(body)["mode"] for _, body in hook_taker.calls} == {"test"}


async def test_a_ping_arrives_whatever_is_subscribed_to(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    told = await made(program, hook_taker.url, event_types=["message.clicked"])
    answer = await program.call("POST", f"/webhooks/{told['id']}:ping")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["type"], answer.json()["state"]) == ("webhook.ping", "pending")
    await courier.settle()
    ((headers, body),) = hook_taker.calls
    assert headers["webhook-id"] == answer.json()["webhook_id"]
    assert json.loads(body) == answer.json()["payload"]


async def test_the_log_tells_each_try_and_what_failed_is_told_again(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    told = await made(program, hook_taker.url)
    path = f"/webhooks/{told['id']}"
    hook_taker.answers = [BROKEN]
    await happen(site.database, EventKind.DELIVERED)
    await courier.settle()
    (entry,) = (await program.call("GET", f"{path}/deliveries")).json()["data"]
    assert (entry["state"], entry["status"], entry["problem"], entry["attempts"]) == (
        "pending",
        500,
        "oops",
        1,
    )
    whole = (await program.call("GET", f"{path}/deliveries/{entry['id']}")).json()
    assert whole["payload"]["type"] == "message.delivered"
    hook_taker.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    answer = await program.call("POST", f"{path}/deliveries/{entry['id']}:redeliver")
    assert (answer.status_code, answer.json()) == (202, {"redelivered": 1})
    await courier.settle()
    (entry,) = (await program.call("GET", f"{path}/deliveries?state=delivered")).json()["data"]
    assert entry["status"] == 200
    numbers = {headers["webhook-id"] for headers, _ in hook_taker.calls}
    assert numbers == {entry["webhook_id"]}


async def test_all_since_a_moment_are_told_again(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    told = await made(program, hook_taker.url)
    await happen(site.database, times=3)
    await courier.settle()
    path, moment = f"/webhooks/{told['id']}:redeliver", site.clock.now().isoformat()
    later = (site.clock.now() + timedelta(hours=1)).isoformat()
    for body, many in (
        ({"since": later}, 0),
        ({"since": moment, "failed_only": True}, 0),
        ({"since": moment}, 3),
    ):
        answer = await program.call("POST", path, body)
        assert answer.json() == {"redelivered": many}, answer.text
    await courier.settle()
    assert len(hook_taker.calls) == 6
    assert len({headers["webhook-id"] for headers, _ in hook_taker.calls}) == 3


async def test_a_new_secret_and_the_one_before_both_sign_for_a_while(
    site: Site, program: Program, courier: Courier, hook_taker: HookTaker
) -> None:
    let_here(site)
    site.clock.advance(datetime.now(UTC) - site.clock.now())  # noqa: TID251 - the verifier's clock
    told = await made(program, hook_taker.url)
    answer = await program.call("POST", f"/webhooks/{told['id']}:rotate-secret", {"overlap": 600})
    fresh = answer.json()["secret"]
    assert fresh != told["secret"]
    await happen(site.database)
    await courier.settle()
    site.clock.advance(timedelta(seconds=600))
    await happen(site.database)
    await courier.settle()
    (first, body), (second, last) = hook_taker.calls
    for secret in (told["secret"], fresh):
        Webhook(secret).verify(body, first)
    assert second["webhook-signature"].count("v1,") == 1
    second["webhook-timestamp"], when = str(int(site.clock.now().timestamp())), site.clock.now()
    assert Webhook(fresh).sign(second["webhook-id"], when, last.decode()) == second["webhook-signature"]


async def test_a_disabled_webhook_hears_of_nothing_and_cannot_be_asked_to(
    site: Site, program: Program, courier: Courier
) -> None:
    told = await made(program)
    await happen(site.database)
    await program.call("PATCH", f"/webhooks/{told['id']}", {"enabled": False})
    await happen(site.database)
    assert len(await noted(site.database)) == 1
    since = site.clock.now().isoformat()
    for path, body in ((":ping", None), (":redeliver", {"since": since})):
        answer = await program.call("POST", f"/webhooks/{told['id']}{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_the_log_is_read_a_page_at_a_time(site: Site, program: Program) -> None:
    told = await made(program)
    await happen(site.database, times=5)
    await a_courier(site.database, site.clock, places=0).round()
    answer = (await program.call("GET", f"/webhooks/{told['id']}/deliveries?limit=2")).json()
    seen = [one["id"] for one in answer["data"]]
    while answer["has_more"]:
        path = f"/webhooks/{told['id']}/deliveries?limit=2&cursor={answer['next_cursor']}"
        answer = (await program.call("GET", path)).json()
        seen += [one["id"] for one in answer["data"]]
    assert len(seen) == len(set(seen)) == 5


async def test_the_secret_is_kept_sealed(site: Site, program: Program) -> None:
    from store import webhooks

    told = await made(program)
    async with site.database.read() as session:
        (kept,) = await webhooks.list_endpoints(session)
    assert told["secret"] not in kept.sealed_secret
    assert KEYRING.decrypt(kept.sealed_secret) == told["secret"]
