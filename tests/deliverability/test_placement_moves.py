"""Tabs are found where they are, and a mail that is moved counts where it was seen last."""

from datetime import timedelta

import pytest

from deliverability.placement.folders import Place as Where
from deliverability.placement.folders import folders_to_look_in, tab_of_labels
from models.states import EventKind
from sandbox.mailboxes import MailFolder
from store import Database, seeds
from store.seeds import Outcome
from tests.clocks import START, ManualClock
from tests.deliverability.seed_mailboxes import a_mail, a_place, events_of, poll, sent_to

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("category", ["promotions", "updates", "social", "forums"])
async def test_gmails_tabs_are_told_apart_from_the_inbox(
    database: Database, clock: ManualClock, category: str
) -> None:
    async with a_place(labelled=True) as place:
        _, delivery = await sent_to(database, place.port)
        _, primary = await sent_to(database, place.port)
        place.everything.add(a_mail(delivery), START).category = category
        place.everything.add(a_mail(primary), START)
        run = await poll(database, clock)
    assert (run.inbox, run.tab, run.spam, run.problems) == (1, 1, 0, {})
    tab, inbox = sorted(await events_of(database), key=lambda event: event.kind, reverse=True)
    assert (tab.kind, tab.details["tab"], tab.delivery_id) == (EventKind.PLACED_TAB, category, delivery.id)
    assert (inbox.kind, inbox.details["folder"]) == (EventKind.PLACED_INBOX, "[Gmail]/Tous les messages")
    assert "tab" not in inbox.details


async def test_where_categories_cannot_be_asked_the_labels_tell(
    database: Database, clock: ManualClock
) -> None:
    async with a_place(labelled=True) as place:
        place.server.manners.no_raw = True
        _, delivery = await sent_to(database, place.port)
        place.everything.add(a_mail(delivery), START).labels = {"\\Inbox", "CATEGORY_PROMOTIONS"}
        run = await poll(database, clock)
    assert (run.tab, run.problems) == (1, {})


async def test_at_gmail_spam_is_outside_all_mail(database: Database, clock: ManualClock) -> None:
    async with a_place(labelled=True) as place:
        _, delivery = await sent_to(database, place.port)
        place.junk.add(a_mail(delivery), START)
        assert (await poll(database, clock)).spam == 1


async def test_where_all_mail_is_hidden_the_inbox_is_read(database: Database, clock: ManualClock) -> None:
    async with a_place(labelled=True) as place:
        place.mailbox.folders.remove(place.everything)
        _, delivery = await sent_to(database, place.port)
        place.inbox.add(a_mail(delivery), START).category = "promotions"
        assert (await poll(database, clock)).tab == 1


async def test_a_folder_for_newsletters_is_a_tab(database: Database, clock: ManualClock) -> None:
    async with a_place() as place:
        place.mailbox.folders.append(folder := MailFolder("INBOX/Publicités"))
        _, delivery = await sent_to(database, place.port)
        folder.add(a_mail(delivery), START)
        assert (await poll(database, clock)).tab == 1
    (event,) = await events_of(database)
    assert event.details["tab"] == "INBOX/Publicités"


async def test_a_mail_rescued_from_spam_counts_where_it_is_and_its_way_is_kept(
    database: Database, clock: ManualClock
) -> None:
    async with a_place(labelled=True) as place:
        _, delivery = await sent_to(database, place.port)
        place.junk.add(a_mail(delivery), START)
        await poll(database, clock)
        for minutes, folder, category in (
            (31, place.everything, "promotions"),
            (130, place.everything, ""),
            (1441, place.junk, ""),
        ):
            for one in (place.junk, place.everything):
                one.mails.clear()
            folder.add(a_mail(delivery), START).category = category
            clock.advance(START + timedelta(minutes=minutes) - clock.now())
            assert (await poll(database, clock, missing_after=24 * HOUR)).checked == 1
    events = await events_of(database)
    assert [(event.kind, event.details.get("moved_from")) for event in events] == [
        (EventKind.PLACED_SPAM, None),
        (EventKind.PLACED_TAB, "spam"),
        (EventKind.PLACED_INBOX, "tab"),
        (EventKind.PLACED_SPAM, "inbox"),
    ]
    async with database.read() as session:
        (outcome,) = await seeds.outcomes(session, campaign_id=delivery.campaign_id)
    assert (outcome.outcome, outcome.at) == (Outcome.SPAM, clock.now())


async def test_what_lies_where_it_lay_is_no_news_and_what_is_gone_stays_as_it_was_seen(
    database: Database, clock: ManualClock
) -> None:
    async with a_place() as place:
        _, delivery = await sent_to(database, place.port)
        place.inbox.add(a_mail(delivery), START)
        await poll(database, clock)
        assert (await poll(database, clock, only_due=False)).inbox == 0
        place.inbox.mails.clear()
        clock.advance(2 * HOUR)
        run = await poll(database, clock)
    assert (run.checked, run.missing) == (1, 0)
    assert len(await events_of(database)) == 1


async def test_when_nothing_is_awaited_nobody_is_called_on(database: Database, clock: ManualClock) -> None:
    async with a_place() as place:
        _, delivery = await sent_to(database, place.port)
        place.inbox.add(a_mail(delivery), START)
        await poll(database, clock, missing_after=24 * HOUR)
        for hours in (1, 3, 25):
            clock.advance(START + hours * HOUR - clock.now())
            await poll(database, clock, missing_after=24 * HOUR)
        assert len(place.server.sign_ins) == 4
        for hours in (26, 48, 71, 100):
            clock.advance(START + hours * HOUR - clock.now())
            await poll(database, clock, missing_after=24 * HOUR)
        assert len(place.server.sign_ins) == 4


async def test_a_mailbox_that_is_not_read_for_a_day_is_read_when_it_can_be(
    database: Database, clock: ManualClock
) -> None:
    async with a_place() as place:
        place.server.manners.full = True
        _, delivery = await sent_to(database, place.port)
        for hours in (1, 24, 30):
            clock.advance(START + hours * HOUR - clock.now())
            run = await poll(database, clock, missing_after=24 * HOUR)
            assert (run.missing, len(run.problems)) == (0, 1)
        place.server.manners.full = False
        clock.advance(HOUR)
        assert (await poll(database, clock, missing_after=24 * HOUR)).missing == 1
        assert delivery.id == (await events_of(database))[0].delivery_id


def test_the_servers_marks_count_more_than_names() -> None:
    listed = [((), "INBOX"), ((b"\\Junk",), "Poubelle"), ((), "Spam"), ((b"\\All",), "Tout")]
    assert [(one.name, one.place) for one in folders_to_look_in(listed, gmail=False)] == [
        ("INBOX", Where.INBOX),
        ("Poubelle", Where.SPAM),
    ]
    assert [one.name for one in folders_to_look_in(listed, gmail=True)] == ["Tout", "Poubelle"]


@pytest.mark.parametrize(
    "name", ["Junk", "INBOX.Spam", "INBOX/Junk", "[Gmail]/Spam", "QUARANTAINE", "Courrier indésirable"]
)
def test_junk_folders_are_known_by_their_usual_names_wherever_they_lie(name: str) -> None:
    listed = [((b"\\HasNoChildren",), "INBOX"), ((), name), ((), "Spam et cie")]
    found = folders_to_look_in(listed, gmail=False)
    assert [(one.name, one.place) for one in found[1:]] == [(name, Where.SPAM)]


def test_names_that_only_hold_folders_are_not_looked_into() -> None:
    listed = [((), "INBOX"), ((b"\\Noselect",), "Spam"), ((b"\\NonExistent", b"\\Junk"), "Junk")]
    assert [one.name for one in folders_to_look_in(listed, gmail=False)] == ["INBOX"]


@pytest.mark.parametrize(
    ("labels", "tab"),
    [
        ([b"\\Inbox", b"CATEGORY_SOCIAL"], "social"),
        (["^smartlabel_promo", "CATEGORY_FORUMS"], "forums"),
        (["CATEGORY_PERSONAL", "Ma liste"], ""),
        ([], ""),
    ],
)
def test_labels_name_the_tab(labels: list[bytes | str], tab: str) -> None:
    assert tab_of_labels(labels) == tab
