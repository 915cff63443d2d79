"""An identity's campaigns side by side: what was counted, and where the seeds were."""

from datetime import timedelta

from deliverability.assessment.values import Word
from deliverability.history import history_of
from models.providers import OTHER
from models.states import EventKind
from store import Database
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign, seeds_seen


async def test_seeds_at_small_domains_stand_with_the_mail_there(database: Database) -> None:
    """The counters know providers with exchangers of their own as one: so do the charts."""
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_sent_campaign(session, identity, {OTHER: (100, 5)}, launched_at=START)
        await seeds_seen(session, campaign, identity, "mx:mail.example.org", *[EventKind.PLACED_SPAM] * 3)
    async with database.read() as session:
        (past,) = await history_of(session, identity.id, START, START + timedelta(days=1))
    assert set(past.cells) == {OTHER}
    assert (past.cells[OTHER].placement, past.cells[OTHER].delivered) == (Word.SPAM, 100)
