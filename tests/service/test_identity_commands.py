"""The life of an identity on the terminal, with a name server to ask."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.servers.dns import DnsServer, dns_server
from tests.service.conftest import Ran, Tocsin, Typed

DOMAIN = "news.example.org"


class Terminal:
    """Commands typed while a name server answers."""

    def __init__(self, typed: Typed, server: DnsServer) -> None:
        self._typed = typed
        self.server = server

    async def __call__(self, *words: str, **variables: str) -> Ran:
        fixed = {
            "TOCSIN_DNS_SERVERS": f"127.0.0.1:{self.server.port}",
            "TOCSIN_IDENTITY_PROOFS": "dns",
            "TOCSIN_RELAY_SPF": "ip4:192.0.2.1",
        }
        return await asyncio.to_thread(self._typed, "identity", *words, **{**fixed, **variables})

    async def must(self, *words: str, **variables: str) -> str:
        ran = await self(*words, **variables)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def publish(self, zone_file: str) -> None:
        """What a person copies out of the terminal."""
        for name, kind, value in re.findall(r"^(\S+)\. IN (TXT|MX) (.+)$", zone_file, re.MULTILINE):
            known = self.server.records.get((name, kind), [])
            self.server.publish(name, kind, *[*known, value.replace("HOST-OF-TOCSIN", "mail.example.org")])


@pytest.fixture
async def terminal(ready: Tocsin, typed: Typed) -> AsyncIterator[Terminal]:
    """A terminal beside a name server that knows the zone and nothing of the sender."""
    assert ready.folder.exists()
    async with dns_server() as server:
        server.publish_zone("example.org")
        server.publish(DOMAIN, "MX", "10 mail.example.org.")
        server.publish("mail.example.org", "A", "192.0.2.10")
        yield Terminal(typed, server)


async def made(terminal: Terminal) -> str:
    return await terminal.must("add", "nat", "--name", "Les Amis", "--email", f"contact@{DOMAIN}")


async def test_an_identity_is_made_checked_published_and_verified(terminal: Terminal) -> None:
    records = await made(terminal)
    assert "tocsin identity verify nat" in records
    listed = await terminal.must("list")
    assert "DNS to publish" in listed
    assert "Not known" in listed
    lines = (await terminal.must("show", "nat")).splitlines()
    (proof,) = (number for number, line in enumerate(lines) if line.startswith("The domain"))
    assert "tocsin-verify=" in lines[proof + 1]
    before = await terminal("check", "nat")
    assert before.code == 1
    assert "tocsin-rsa._domainkey" in before.out
    assert "IN TXT" in before.out
    terminal.publish(records)
    after = await terminal("check", "nat")
    assert after.code == 0, after.out
    shown = await terminal.must("verify", "nat")
    assert re.search(r"The domain: a record in its DNS — shown, \d{4}", shown)
    told = await terminal.must("show", "nat")
    assert "State: Confirmed" in told
    assert "Its domain and its address were shown" in told


async def test_an_address_at_a_mailbox_provider_is_refused(terminal: Terminal) -> None:
    ran = await terminal("add", "nat", "--name", "Les Amis", "--email", "lesamis69@laposte.net")
    assert ran.code == 2
    assert "belongs to a mailbox provider" in ran.told


async def test_the_keys_are_changed_step_by_step(terminal: Terminal) -> None:
    terminal.publish(await made(terminal))
    begun = await terminal.must("rotate", "nat")
    assert "Change of keys: Publish the records of the new keys" in begun
    early = await terminal("rotate", "nat", "--now")
    assert early.code != 0
    assert "not all seen" in early.told
    terminal.publish(begun)
    assert "The new records are there" in await terminal.must("rotate", "nat")
    switched = await terminal.must("rotate", "nat", "--now")
    assert "The new keys sign; keep the old records" in switched
    assert "p=\n" in switched
    assert (await terminal("rotate", "nat", "--cancel")).code != 0


async def test_a_person_suspends_resumes_and_retires(terminal: Terminal) -> None:
    await made(terminal)
    assert "is suspended" in await terminal.must("suspend", "nat", "--reason", "essai")
    told = await terminal.must("show", "nat")
    assert "by command line" in told
    assert "essai" in told
    assert "is dns_pending" in await terminal.must("resume", "nat", "--reason", "fini")
    assert "is retired" in await terminal.must("retire", "nat", "--reason", "fini", "--yes")
    assert (await terminal("resume", "nat", "--reason", "x")).code != 0


async def test_without_a_relay_the_letter_cannot_leave_and_that_is_said(terminal: Terminal) -> None:
    await made(terminal)
    ran = await terminal("verify", "nat", TOCSIN_IDENTITY_PROOFS="dns,mailbox")
    assert "TOCSIN_SMTP_URL" in ran.told


async def test_nothing_is_asked_where_no_proof_is_wanted(terminal: Terminal) -> None:
    out = await terminal.must(
        "add", "nat", "--name", "N", "--email", f"c@{DOMAIN}", TOCSIN_IDENTITY_PROOFS="off"
    )
    assert "_send-verify" not in out
    assert "Active" in await terminal.must("list")


async def test_the_doctor_tells_of_a_sender_that_does_not_send_and_nothing_of_a_retired_one(
    terminal: Terminal, typed: Typed
) -> None:
    await made(terminal)
    out = (await asyncio.to_thread(typed, "doctor", "--quick")).out
    assert "'nat' is not confirmed yet" in out
    await terminal.must("retire", "nat", "--reason", "fini", "--yes")
    assert "'nat'" not in (await asyncio.to_thread(typed, "doctor", "--quick")).out


async def test_another_from_address_is_shown_anew(terminal: Terminal) -> None:
    terminal.publish(await made(terminal))
    await terminal.must("verify", "nat")
    assert "State: Confirmed" in await terminal.must("show", "nat")
    refused = await terminal("change", "nat", "--email", "lesamis@free.fr")
    assert "mailbox provider" in refused.told
    await terminal.must("change", "nat", "--email", "lettre@autre.example.org")
    told = await terminal.must("show", "nat")
    assert "State: DNS to publish" in told
    assert f"contact@{DOMAIN} → lettre@autre.example.org" in told
    assert "_send-verify.autre.example.org" in told
