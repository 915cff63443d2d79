"""Administrators add, test, pause and remove seed mailboxes; nobody ever sees a secret again."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from deliverability.placement.hosts import compose
from models.access import Role
from models.seed import SeedAuth, SeedMailbox
from models.states import EventKind
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, an_identity
from tests.deliverability.seed_mailboxes import Place, a_place
from tests.factories import KEYRING, a_seed
from tests.store.test_seeds import happen
from tests.web.browsers import Browser, Site


@pytest.fixture
async def admin(site: Site) -> Browser:
    return await site.signed_in(Role.ADMIN)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as place:
        yield place


async def kept(site: Site) -> list[SeedMailbox]:
    async with site.database.read() as session:
        return list((await session.exec(select(SeedMailbox).order_by(SeedMailbox.address))).all())


async def one_at(site: Site, place: Place) -> SeedMailbox:
    """A seed that is read at the place."""
    async with site.database.write() as session:
        seed = await a_seed(session, address="temoin@gmail.com")
        seed.imap_host, seed.imap_port, seed.tls, seed.username = "127.0.0.1", place.port, False, "temoin"
        seed.sealed_password = KEYRING.encrypt("ouvre-toi")
        session.add(seed)
        return seed


async def test_without_seeds_the_page_says_what_is_lost_and_where_the_providers_are_read(
    admin: Browser,
) -> None:
    text = await admin.read("/seeds")
    assert "There is no seed mailbox yet" in text
    for host in ("imap.gmail.com", "outlook.office365.com", "imap.laposte.net", "imap.free.fr"):
        assert host in text
    assert "application password" in text


async def test_a_mailbox_that_cannot_be_read_is_not_kept_and_its_form_stays_filled_but_for_secrets(
    site: Site, admin: Browser, place: Place
) -> None:
    given = {
        "address": "w@example.org",
        "password": "tres-secret",
        "imap": f"127.0.0.1:{place.port}",
        "username": "quelqu-un",
    }
    answer = await admin.send_form("/seeds", given)
    # The place speaks no TLS, and a seed is read with TLS alone.
    assert (answer.status_code, await kept(site)) == (400, [])
    assert "does not speak TLS" in answer.text
    assert 'value="quelqu-un"' in answer.text
    assert "tres-secret" not in answer.text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"address": "w@nowhere.example", "password": "x"}, "IMAP server of that provider is not known"),
        ({"address": "w@gmail.com", "password": ""}, "read with a password"),
        ({"address": "w@gmail.com", "password": "x", "imap": "imap.x:99999"}, "port that is no number"),
        ({"address": "w@free.fr", "password": "x", "client_id": "c"}, "access tokens is not known"),
        ({"address": "w@gmail.com", "password": "x", "provider": "gmial"}, "is no provider"),
    ],
)
async def test_what_cannot_be_is_refused_in_plain_words(
    site: Site, admin: Browser, given: dict[str, str], words: str
) -> None:
    answer = await admin.send_form("/seeds", given)
    assert answer.status_code == 400
    assert words in answer.text
    assert await kept(site) == []


async def test_a_seed_is_tested_paused_resumed_and_removed(site: Site, admin: Browser, place: Place) -> None:
    seed = await one_at(site, place)
    answer = await admin.send_form(f"/seeds/{seed.id}/test", page="/seeds")
    assert answer.headers["location"].endswith("seed-readable")
    place.server.manners.full = True
    answer = await admin.send_form(f"/seeds/{seed.id}/test", page="/seeds")
    assert answer.headers["location"].endswith("seed-unreadable")
    assert "Too many connections" in await admin.read("/seeds")
    # Trying out is not looking: what is awaited is looked for when it would have been.
    assert (await kept(site))[0].last_read_at is None
    await admin.send_form(f"/seeds/{seed.id}/pause", page="/seeds")
    assert not (await kept(site))[0].active
    assert "Paused" in await admin.read("/seeds")
    await admin.send_form(f"/seeds/{seed.id}/resume", page="/seeds")
    assert (await kept(site))[0].active
    await admin.send_form(f"/seeds/{seed.id}/remove", page="/seeds")
    (row,) = await kept(site)
    assert (row.sealed_password, row.removed_at) == ("", site.clock.now())
    assert "temoin@gmail.com" not in await admin.read("/seeds")


async def test_the_page_tells_where_the_last_mail_landed(site: Site, admin: Browser) -> None:
    async with site.database.write() as session:
        seed = await a_seed(session, address="temoin@gmail.com")
        identity = await an_identity(session)
        for minute, kind in enumerate((EventKind.PLACED_INBOX, EventKind.PLACED_SPAM)):
            campaign = await a_launched_campaign(session)
            delivery = await a_delivery(session, campaign=campaign, identity=identity, seed=seed)
            await happen(session, delivery, kind, START + timedelta(minutes=minute))
    text = await admin.read("/seeds")
    assert f'<span class="badge bad">Spam</span> <a href="/deliveries/{delivery.id}">' in text


async def test_a_seeds_message_tells_where_it_lay_and_what_the_servers_thought(
    site: Site, admin: Browser
) -> None:
    async with site.database.write() as session:
        delivery = await a_delivery(session, seed=await a_seed(session))
        told: dict[str, Any] = {"dkim": "pass", "dmarc": "fail", "x-spam-status": "Yes, <b>score</b>=9"}
        told |= {"folder": "Junk", "latency_seconds": "42"}
        await happen(session, delivery, EventKind.PLACED_SPAM, START, **told)
        later = START + timedelta(hours=2)
        await happen(session, delivery, EventKind.PLACED_INBOX, later, folder="INBOX", moved_from="spam")
    text = await admin.read(f"/deliveries/{delivery.id}")
    for said in ("<dd>Junk</dd>", "<dt>DMARC</dt><dd>fail</dd>", "<dd>42</dd>", "x-spam-status"):
        assert said in text
    assert "<dt>Seen before in</dt><dd>Spam</dd>" in text
    assert "<b>score</b>" not in text


def test_what_is_not_said_of_a_mailbox_is_suggested_by_its_provider() -> None:
    seed = compose("w@outlook.com", client_id="client-1")
    assert (seed.auth, seed.imap_host, seed.imap_port) == (SeedAuth.XOAUTH2, "outlook.office365.com", 993)
    assert seed.token_url.startswith("https://login.microsoftonline.com/")
    assert (seed.username, seed.provider, seed.tls) == ("w@outlook.com", "outlook", True)
    assert compose("w@gmx.de").imap_host == "imap.gmx.net"
    given = compose("w@gmail.com", imap="mail.example.org:1993", username="w", provider="orange")
    assert (given.imap_host, given.imap_port, given.username) == ("mail.example.org", 1993, "w")
    assert (given.provider, given.auth) == ("orange", SeedAuth.PASSWORD)
