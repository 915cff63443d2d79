"""A test to the seeds: what an answer to it says of the campaign."""

import pytest

from models.preflight import LintLevel
from models.states import Channel
from models.values import Deferred, Outcome, Refused, Reply
from scheduler.preflight import Means
from scheduler.preflight.seeds import try_seeds
from store import Database
from tests.clocks import ManualClock
from tests.factories import KEYRING, a_campaign, a_seed
from tests.scheduler.desks import ScriptedTransport

SEED = "seed@gmail.com"


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (Refused(Reply(550, "5.7.26", "not accepted")), LintLevel.BLOCK),
        (Deferred(Reply(451, "4.7.1", "greylisted, come again")), LintLevel.WARN),
    ],
)
async def test_a_refusal_stands_in_the_way_and_a_delay_does_not(
    database: Database, clock: ManualClock, answer: Outcome, level: LintLevel
) -> None:
    async with database.write() as session:
        await a_seed(session, address=SEED)
        number = (await a_campaign(session)).id
    transport = ScriptedTransport(answers={SEED: answer})
    found = await try_seeds(
        database,
        number,
        Means(KEYRING, clock, "https://liens.parti.fr"),
        transports={Channel.EMAIL: transport},
    )
    assert [(one.level, one.code) for one in found] == [(level, "seeds.refused")]
    assert transport.recipients == [SEED]
