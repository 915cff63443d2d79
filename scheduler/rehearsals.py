"""What follows a message that reached nobody: the news its made-up address promises.

The sandbox's transport answers at once (`sender.rehearsal`); what would come later, a bounce, a complaint,
a click, is told here, as events like any other, but for their consequences: nobody is suppressed by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deliverability.classify import classify_reply
from models.clock import Clock
from models.event import Event, event_about
from models.magic import Magic, magic_of
from models.providers import SANDBOX_SMS
from models.states import Channel, EventKind
from models.values import Reply, Verdict
from store import Database, events, sandbox_news
from store.sandbox_news import Accepted

SOURCE = "sandbox"
RETURNED = Reply(550, "5.1.1", "sandbox: there is no such mailbox")
_FOLLOWS = {
    Magic.BOUNCED_LATER: (EventKind.BOUNCED,),
    Magic.COMPLAINED: (EventKind.DELIVERED, EventKind.COMPLAINED),
    Magic.CLICKED: (EventKind.DELIVERED, EventKind.CLICKED),
    Magic.UNSUBSCRIBED: (EventKind.DELIVERED, EventKind.UNSUBSCRIBED),
}


@dataclass(slots=True)
class Rehearsals:
    """Tells what follows; remembers in memory how far it looked, and looks a little further back then."""

    database: Database
    clock: Clock
    _seen: int = 0

    async def tell(self) -> int:
        """Tell the news of test messages that were taken since the last look; how many there were."""
        now = self.clock.now()
        async with self.database.read() as session:
            if not await sandbox_news.has_tests(session):
                return 0
            taken, newest = await sandbox_news.taken_since(session, self._seen)
        told = [event for one in taken for event in _news_of(one, now)]
        if told:
            async with self.database.write() as session:
                count = await events.append_many(session, told)
        else:
            count = 0
        self._seen = newest
        return count


def _news_of(one: Accepted, now: datetime) -> Sequence[Event]:
    channel = Channel.SMS if one.delivery.provider == SANDBOX_SMS else Channel.EMAIL
    magic = magic_of(channel, one.delivery.address) or Magic.DELIVERED
    return [
        event_about(
            one.delivery,
            kind,
            source=SOURCE,
            source_id=f"{one.delivery.id}/{kind.value}",
            at=now,
            now=now,
            reply=RETURNED if kind is EventKind.BOUNCED else None,
            verdict=_verdict(channel) if kind is EventKind.BOUNCED else None,
        )
        for kind in _FOLLOWS.get(magic, (EventKind.DELIVERED,))
    ]


def _verdict(channel: Channel) -> Verdict:
    return classify_reply(RETURNED, provider="", channel=channel, permanent=True)
