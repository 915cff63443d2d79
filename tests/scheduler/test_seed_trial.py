"""A test to the seeds: what an answer to it says of the campaign."""

from datetime import timedelta

import pytest

from deliverability.placement import AccessTokens, SeedError
from models.keyring import Keyring
from models.preflight import LintLevel
from models.seed import SeedMailbox
from models.states import Channel
from models.values import Deferred, Outcome, Refused, Reply
from scheduler.preflight import Means
from scheduler.preflight.seeds import Waiting, try_seeds
from store import Database, seeds
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


async def test_a_refresh_token_given_while_a_test_is_looked_for_is_kept(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[AccessTokens] = []

    async def look(
        seed: SeedMailbox, keyring: Keyring, *_: object, tokens: AccessTokens, **__: object
    ) -> None:
        looks.append(tokens)
        seed.sealed_password = keyring.encrypt(f"renewed-{len(looks)}")
        if len(looks) == 2:
            raise SeedError("The mail server did not answer in time.")

    monkeypatch.setattr("scheduler.preflight.seeds.find_trial", look)
    async with database.write() as session:
        seed = await a_seed(session, address=SEED)
        number = (await a_campaign(session)).id
    found = await try_seeds(
        database,
        number,
        Means(KEYRING, clock, "https://liens.parti.fr"),
        transports={Channel.EMAIL: ScriptedTransport()},
        waiting=Waiting(timedelta(seconds=0.05), timedelta(seconds=0.06)),
    )
    assert [one.code for one in found] == ["seeds.unread"]
    assert looks[0] is looks[1], "access tokens outlive a look"
    async with database.read() as session:
        kept = await seeds.get_seed(session, seed.id)
    assert KEYRING.decrypt(kept.sealed_password) == "renewed-2"
