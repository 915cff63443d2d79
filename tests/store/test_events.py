"""Events are appended once."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.event import Event
from models.states import EventKind
from models.values import Cover
from store import Database, events, incoming
from store.events import storable
from store.incoming import Original
from tests.clocks import START


def an_event(name: str, *, text: str = "", details: dict[str, str] | None = None) -> Event:
    return Event(
        kind=EventKind.DELIVERED,
        source="test",
        source_id=name,
        text=text,
        details=details or {},
        at=START,
        recorded_at=START,
    )


async def test_an_event_gets_a_number_once(database: Database) -> None:
    async with database.write() as session:
        first, second = an_event("1"), an_event("1")
        assert await events.append(session, first)
        assert not await events.append(session, second)
        assert first.id is not None
        assert second.id is None


async def test_many_events_are_counted_as_new_once(database: Database) -> None:
    async with database.write() as session:
        batch = [an_event(str(number)) for number in range(450)]
        assert await events.append_many(session, batch) == 450
        assert await events.append_many(session, [*batch[:10], an_event("new")]) == 1
        assert await events.append_many(session, []) == 0


async def test_texts_no_database_can_hold_are_cleaned_and_clipped(database: Database) -> None:
    async with database.write() as session:
        event = an_event("x" * 500, text="\x00\ud800" + "é" * 5000, details={"a\x00": "b\x00\udfff"})
        assert await events.append(session, event)


async def test_originals_are_kept_once_and_forgotten_when_old(database: Database) -> None:
    async with database.write() as session:
        for matched in (False, True, False):
            await incoming.keep(session, source="dsn", raw=b"one", matched=matched, now=START)
        await incoming.keep(session, source="dsn", raw=b"two", matched=False, now=START)
        assert await incoming.count(session) == (2, 1)
        assert [kept.raw for kept in await incoming.list_unmatched(session)] == [b"two"]
        assert await incoming.forget_before(session, START) == 0
        assert await incoming.forget_before(session, START + timedelta(days=1)) == 2
        assert await incoming.count(session) == (0, 0)


@given(st.text())
def test_a_storable_text_survives_utf8(text: str) -> None:
    assert "\x00" not in storable(text)
    assert storable(text).encode().decode() == storable(text)


async def test_originals_kept_together_are_what_they_are_kept_one_by_one(database: Database) -> None:
    def kept(raw: bytes, *recipients: str, matched: bool = True) -> Original:
        return Original("mail", raw, matched, 7 if matched else None, Cover("smtp", recipients))

    originals = [
        kept(b"one", "b@x.example", matched=False),
        kept(b"two", "c@x.example"),
        kept(b"one", "bb@x.example"),
        kept(b"one", "b@x.example", matched=False),
        kept(b"two", "c@x.example"),
        kept(b"three", matched=False),
        kept(b"two", "d@x.example", matched=False),
    ]
    for together in (True, False):
        async with database.write() as session:
            for heap in [originals] if together else [[one] for one in originals]:
                await incoming.keep_all(session, heap, START)
            rows = await incoming.kept(session, since=START)
            found = {row.raw: (row.matched, row.contact_id, row.recipients) for row in rows}
            assert len(rows) == 3
            assert found == {
                b"one": (True, 7, "b@x.example\nbb@x.example"),
                b"two": (True, 7, "c@x.example\nd@x.example"),
                b"three": (False, None, ""),
            }
            await incoming.forget_before(session, START + timedelta(days=1))


async def test_an_address_within_another_is_a_recipient_of_its_own(database: Database) -> None:
    async with database.write() as session:
        for recipient in ("bb@x.example", "b@x.example", "bb@x.example", "B@x.example"):
            cover = Cover("lmtp", (recipient,))
            await incoming.keep(session, source="mail", raw=b"1", matched=True, now=START, cover=cover)
        (row,) = await incoming.kept(session, since=START)
    assert row.recipients == "bb@x.example\nb@x.example\nB@x.example"
