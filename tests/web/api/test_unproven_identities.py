"""A test key works with any identity of the installation: nothing leaves, so nothing need be shown first."""

import pytest
from sqlmodel import update

from models.api import KeyMode
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityState
from tests.factories import a_template, an_identity
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

NOTE = "The identity “national” cannot send at present: a live key would be refused."


async def a_house(site: Site, state: IdentityState, mode: KeyMode = KeyMode.TEST) -> Program:
    """Where one identity stands so, and nobody else is there."""
    async with site.database.write() as session:
        await an_identity(session, state=state)
        await a_template(session, name="Reçu")
        await a_template(session, name="SMS", channel=Channel.SMS)
    return await a_program(site, mode=mode, furnished=False)


@pytest.mark.parametrize("state", [IdentityState.DRAFT, IdentityState.DNS_PENDING, IdentityState.SUSPENDED])
@pytest.mark.parametrize("identity", ["national", "auto"])
async def test_a_test_is_sent_as_an_identity_that_cannot_send_yet_and_says_so(
    site: Site, state: IdentityState, identity: str
) -> None:
    tester = await a_house(site, state)
    answer = await tester.send(identity=identity)
    told = answer.json()
    assert (answer.status_code, told["status"], told["test"], told["notes"]) == (
        202,
        "accepted",
        True,
        [NOTE],
    )
    assert await tester.drain() == []
    assert (await tester.call("GET", f"/messages/{told['id']}")).json()["status"] == "sent"


async def test_the_same_with_a_live_key_is_refused_or_waits(site: Site) -> None:
    live = await a_house(site, IdentityState.DNS_PENDING, KeyMode.LIVE)
    refused = await live.send(identity="national")
    assert (refused.status_code, refused.json()["code"]) == (422, "identity_unable")
    assert refused.json()["detail"] == (
        "The identity “national” cannot send at present: its state is dns_pending."
    )
    choice = (await live.send()).json()
    assert choice["code"] == "identity_required"
    assert choice["detail"] == "No identity this key may write as sends e-mail at present."
    assert not await live.deliveries()


async def test_nobody_writes_in_the_name_of_an_identity_that_is_retired(site: Site) -> None:
    tester = await a_house(site, IdentityState.RETIRED)
    assert (await tester.send(identity="national")).json()["code"] == "identity_unable"


async def test_a_test_takes_whoever_a_live_key_would_take_where_there_is_one(site: Site) -> None:
    async with site.database.write() as session:
        await an_identity(session, key="local", domain="local.fr", state=IdentityState.DNS_PENDING)
    tester = await a_program(site, mode=KeyMode.TEST)
    told = (await tester.send()).json()
    assert (told["identity"]["key"], "notes" in told) == ("national", False)


async def test_a_test_key_bound_to_identities_takes_none_but_these(site: Site) -> None:
    async with site.database.write() as session:
        local = await an_identity(
            session,
            key="local",
            domain="local.fr",
            state=IdentityState.DRAFT,
            territory=TerritoryKind.DEPARTEMENT,
            territory_value="13",
        )
    tester = await a_program(site, mode=KeyMode.TEST, identity_ids=[local.id])
    assert (await tester.send()).json()["identity"]["key"] == "local"
    assert (await tester.send(identity="national")).status_code == 403
    assert await tester.drain() == []
    assert {one["status"] for one in (await tester.call("GET", "/messages")).json()["data"]} == {"sent"}


async def test_a_live_message_waits_while_its_identity_is_suspended_and_tests_go_on(site: Site) -> None:
    live = await a_program(site)
    await live.send()
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    await tester.send(identity="national")
    async with site.database.write() as session:
        identity = await an_identity(session, key="other", domain="other.fr")
        assert identity.state is IdentityState.ACTIVE
        await session.exec(update(Identity).values(state=IdentityState.SUSPENDED, state_by="Ana"))
    assert await live.drain() == []
    assert {one["status"] for one in (await live.call("GET", "/messages")).json()["data"]} == {"queued"}
    assert {one["status"] for one in (await tester.call("GET", "/messages")).json()["data"]} == {"sent"}


async def test_an_identity_without_a_sender_of_text_messages_is_told_to_lack_it(site: Site) -> None:
    async with site.database.write() as session:
        await an_identity(session, key="local", domain="local.fr", sms_sender=None)
        await a_template(session, name="SMS", channel=Channel.SMS)
    live = await a_program(site, furnished=False)
    wish = {"to": {"phone": "+33612345678"}, "template": {"id": "SMS"}}
    refused = (await live.send(**wish, identity="local")).json()
    assert refused["detail"] == "The identity “local” sends no SMS: it has no SMS sender."
    choice = (await live.send(**wish)).json()
    assert choice["detail"] == "No identity this key may write as sends SMS at present."
