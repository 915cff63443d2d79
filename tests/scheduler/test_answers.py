"""What the rules make of an answer, all the way from the mail server to the ledger."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from deliverability.classify import use_rules
from deliverability.policy import use_policies
from deliverability.suppression import is_suppressed
from models.delivery import Delivery
from models.states import CampaignState, Channel, DeliveryState
from models.values import Deferred, Refused, Reply
from store import Database, campaigns
from tests.clocks import ManualClock
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all
from tests.scheduler.ledgers import a_running_campaign

GREY = Deferred(Reply(450, "4.7.1", "Recipient address rejected: Greylisted, please retry later"))
OWN = """
[[rules]]
id = "closed-for-good"
text = "closed for good"
class = "inactive"
fault = "recipient"
reactions = [{ do = "refuse" }]

[[rules]]
id = "come-tomorrow"
text = "come back tomorrow"
class = "rate"
fault = "provider"
permanence = "soft"
reactions = [{ do = "wait", for = "1d" }]
"""


@pytest.fixture
def _own_rules(tmp_path: Path) -> Iterator[None]:
    file = tmp_path / "rules.toml"
    file.write_text(OWN)
    use_rules(file)
    yield
    use_rules(None)


async def delivery_to(database: Database, address: str) -> Delivery:
    async with database.read() as session:
        return (await session.exec(select(Delivery).where(Delivery.address == address))).one()


async def test_a_greylisted_message_is_tried_again_after_five_minutes_and_slows_nobody(
    database: Database, clock: ManualClock
) -> None:
    await a_running_campaign(database, "a@sfr.fr", "b@sfr.fr")
    transport = ScriptedTransport(answers={"a@sfr.fr": GREY})
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == 2
    row = await delivery_to(database, "a@sfr.fr")
    assert row.state is DeliveryState.DEFERRED
    assert timedelta(minutes=4) < row.due_at - clock.now() <= timedelta(minutes=5)


@pytest.mark.usefixtures("_own_rules")
async def test_a_rule_may_end_what_the_server_only_put_off(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport(answers={"a@gmail.com": Deferred(Reply(450, None, "closed for good"))})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    assert (await delivery_to(database, "a@gmail.com")).state is DeliveryState.REFUSED


@pytest.mark.usefixtures("_own_rules")
async def test_a_rule_may_make_a_message_wait_longer(database: Database, clock: ManualClock) -> None:
    await a_running_campaign(database, "a@gmail.com")
    transport = ScriptedTransport(answers={"a@gmail.com": Deferred(Reply(450, None, "come back tomorrow"))})
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    row = await delivery_to(database, "a@gmail.com")
    assert row.due_at - clock.now() > timedelta(hours=23)


async def test_a_provider_that_finds_the_content_is_spam_gets_no_more_of_the_campaign(
    database: Database, clock: ManualClock
) -> None:
    people = [f"p{number}@free.fr" for number in range(40)]
    number = await a_running_campaign(database, *people)
    spam = Refused(Reply(550, None, "spam detected"))
    transport = ScriptedTransport(answers=dict.fromkeys(people, spam))
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    async with database.read() as session:
        campaign = await campaigns.get_campaign(session, number)
    assert campaign.state is CampaignState.PAUSED
    assert "spam detected" in campaign.problem
    assert 5 <= len(transport.sent) < 40


async def test_a_provider_that_puts_a_block_on_us_is_left_alone_for_as_long_as_it_lasts(
    database: Database, clock: ManualClock
) -> None:
    people = [f"p{number}@sfr.fr" for number in range(60)]
    await a_running_campaign(database, *people)
    blocked = Deferred(Reply(450, "4.7.1", "SFR_IN_105 Too many messages, try again later"))
    transport = ScriptedTransport(answers=dict.fromkeys(people, blocked))
    dispatcher = a_dispatcher(database, transport, clock)
    await drain_all(database, dispatcher, clock.now())
    tried = len(transport.sent)
    assert tried < 60
    clock.advance(timedelta(hours=2))
    await drain_all(database, dispatcher, clock.now())
    assert len(transport.sent) == tried
    transport.answers.clear()
    for _ in range(30):
        clock.advance(timedelta(minutes=15))
        await drain_all(database, dispatcher, clock.now())
    async with database.read() as session:
        states = {row.state for row in await session.exec(select(Delivery))}
    assert states == {DeliveryState.ACCEPTED}


async def test_a_message_that_expires_before_a_full_mailbox_counts_against_the_address(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "suppression.toml"
    file.write_text('[[policies]]\nid = "mailbox-full"\nclasses = ["mailbox_full"]\n')
    await a_running_campaign(database, "a@gmail.com", "b@gmail.com")
    async with database.write() as session:
        for row in (await session.exec(select(Delivery))).all():
            row.not_after = clock.now() + timedelta(minutes=1)
    full = Deferred(Reply(452, "4.2.2", "mailbox is full"))
    transport = ScriptedTransport(answers={"a@gmail.com": full, "b@gmail.com": GREY})
    try:
        use_policies(file)
        await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    finally:
        use_policies(None)
    for address, suppressed in (("a@gmail.com", True), ("b@gmail.com", False)):
        assert (await delivery_to(database, address)).state is DeliveryState.EXPIRED
        async with database.read() as session:
            assert await is_suppressed(session, Channel.EMAIL, address, clock.now()) is suppressed
