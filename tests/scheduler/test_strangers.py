"""People a program writes to whom nobody here knows: what is learnt of them before it leaves is heeded."""

from datetime import timedelta

import pytest

from models.states import Channel, ConsentStatus, DeliveryState, SuppressionReason
from models.suppression import address_hash
from models.values import Deferred, Reply
from scheduler.asked import Asker
from store import Database, suppressions
from tests.clocks import ManualClock
from tests.factories import a_contact
from tests.scheduler.desks import ScriptedTransport
from tests.scheduler.program_desks import Desk

CAMILLE = "camille@gmail.com"


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> Desk:
    return await Desk(database, clock).open()


async def suppress(desk: Desk, address: str = CAMILLE, channel: Channel = Channel.EMAIL) -> None:
    async with desk.database.write() as session:
        await suppressions.suppress(
            session,
            channel=channel,
            address_hash=address_hash(channel, address),
            reason=SuppressionReason.COMPLAINT,
            evidence="",
            event_id=None,
            now=desk.clock.now(),
        )


async def test_an_address_suppressed_after_the_call_is_not_written_to(desk: Desk) -> None:
    later = desk.clock.now() + timedelta(hours=3)
    await desk.ask(desk.wish(send_at=later), desk.wish("other@gmail.com", send_at=later))
    await suppress(desk)
    desk.clock.advance(timedelta(hours=3))
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert transport.recipients == ["other@gmail.com"]
    assert {row.address: row.state for row in await desk.rows()} == {
        CAMILLE: DeliveryState.SUPPRESSED,
        "other@gmail.com": DeliveryState.ACCEPTED,
    }


async def test_one_who_complains_between_two_tries_is_not_tried_again(desk: Desk) -> None:
    await desk.ask(desk.wish())
    await desk.drain(ScriptedTransport(answers={CAMILLE: Deferred(Reply(451, "4.7.1", "later"))}))
    await suppress(desk)
    desk.clock.advance(timedelta(hours=1))
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert transport.recipients == []
    assert [row.state for row in await desk.rows()] == [DeliveryState.SUPPRESSED]


async def test_who_became_known_and_withdrew_is_not_written_to(desk: Desk) -> None:
    await desk.ask(desk.wish(), desk.wish("other@gmail.com"))
    await desk.ask(desk.wish("+33612345678", version_id=desk.text, channel=Channel.SMS))
    no, yes = ConsentStatus.WITHDRAWN, ConsentStatus.GRANTED
    async with desk.database.write() as session:
        await a_contact(session, email=CAMILLE, email_consent=no, sms_consent=yes)
        await a_contact(session, email="other@gmail.com", email_consent=yes, sms_consent=no)
        await a_contact(session, email=None, phone="+33612345678", email_consent=yes, sms_consent=no)
    transport, texts = ScriptedTransport(), ScriptedTransport(channel=Channel.SMS)
    await desk.drain(transport)
    await desk.drain(texts)
    assert transport.recipients == ["other@gmail.com"]
    assert texts.recipients == []
    stopped = [row for row in await desk.rows() if row.address != "other@gmail.com"]
    assert [row.state for row in stopped] == [DeliveryState.SUPPRESSED] * 2
    assert {row.reason for row in stopped} == {"consent was withdrawn after the launch"}


async def test_what_test_keys_send_goes_its_way_whoever_has_the_address(desk: Desk) -> None:
    await suppress(desk)
    async with desk.database.write() as session:
        await a_contact(session, email=CAMILLE, email_consent=ConsentStatus.WITHDRAWN)
    await desk.ask(desk.wish(), asker=Asker(desk.key, test=True))
    transport = ScriptedTransport()
    await desk.drain(transport)
    assert transport.recipients == []
    assert [row.state for row in await desk.rows()] == [DeliveryState.ACCEPTED]


async def test_hours_are_those_of_where_the_number_is_from(desk: Desk) -> None:
    far = "+262692123456"
    hours = {"version_id": desk.text, "channel": Channel.SMS, "heed_hours": True}
    await desk.ask(desk.wish(far, **hours))
    await desk.drain(
        ScriptedTransport(channel=Channel.SMS, answers={far: Deferred(Reply(None, "", "later"))})
    )
    # 17:30 here, 21:30 on La Réunion.
    desk.clock.advance(timedelta(hours=8, minutes=30))
    transport = ScriptedTransport(channel=Channel.SMS)
    await desk.drain(transport)
    assert transport.recipients == []
    desk.clock.advance(timedelta(hours=12))
    await desk.drain(transport)
    assert transport.recipients == [far]
