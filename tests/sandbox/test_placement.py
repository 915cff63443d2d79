"""Folders by rule: a share of each provider's mailboxes, people who see only what is shown to them."""

import asyncio

from sandbox import World
from sandbox.placement import Folder, folder_by_rule
from tests.sandbox.letters import Website, WorldMaker, a_message, send

SENDER = "contact@parti.example"


async def deliver(world: World, key: str, recipient: str, content: bytes) -> None:
    await asyncio.to_thread(send, world.smtp_routes[key], recipient, content)
    await world.settle()


def test_the_rule_s_share_of_mailboxes_shows_the_mail() -> None:
    shares = {"orange": 0.3, "free": 0.0}
    seen = [
        folder_by_rule("orange", SENDER, f"p{number}@orange.fr", shares, seed=1) is Folder.INBOX
        for number in range(2000)
    ]
    assert 0.26 < sum(seen) / len(seen) < 0.34
    assert folder_by_rule("free", SENDER, "p@free.fr", shares) is Folder.SPAM
    assert folder_by_rule("gmail", SENDER, "p@gmail.com", shares) is Folder.INBOX


def test_a_mailbox_is_treated_the_same_every_time() -> None:
    shares = {"orange": 0.5}
    for number in range(50):
        address = f"p{number}@orange.fr"
        first = folder_by_rule("orange", SENDER, address, shares, seed=1)
        assert folder_by_rule("orange", SENDER.upper(), address.upper(), shares, seed=1) is first


async def test_people_do_nothing_with_what_they_do_not_see(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(inbox_shares={"orange": 0.0})
    message = a_message(website.url)
    for word in ("clic", "plainte", "desabonne"):
        await deliver(world, "orange", f"a.{word}@orange.fr", message)
    tally = world.tally()
    assert (tally.total.clicks, tally.total.complaints) == (0, 0)
    assert not tally.total.unsubscribes
    assert website.paths("GET") == []
    await deliver(world, "gmail", "a.clic@gmail.com", message)
    # A robot looks into every mail, wherever it lands.
    await deliver(world, "orange", "a.robot@orange.fr", message)
    assert world.tally().providers["gmail"].clicks
    assert len(website.paths("GET")) > world.tally().providers["gmail"].clicks


async def test_seeds_land_where_the_rule_puts_them(make_world: WorldMaker, website: Website) -> None:
    world = await make_world(inbox_shares={"orange": 0.0})
    for account in world.seed_accounts:
        if account.provider in {"orange", "gmail"}:
            await deliver(world, account.provider, account.address, a_message(website.url))
    providers = world.tally().providers
    assert set(providers["orange"].seeds) == {"spam"}
    assert set(providers["gmail"].seeds) == {"inbox"}
