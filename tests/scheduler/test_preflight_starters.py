"""The templates people begin with, and a letter as parties write them, raise no false alarm."""

import pytest

from models.preflight import LintLevel
from models.signing import DkimAlgorithm
from models.states import Channel
from scheduler.preflight import Means, examine_template
from store import Database, templates
from templates import starters
from templates.gallery import Starter
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, an_identity

EXPECTED = {"dns.unasked", "sending.no_way"}
"""Neither name servers nor a way out are given here."""


@pytest.mark.parametrize("starter", [one for one in starters() if one.channel is Channel.EMAIL])
async def test_a_starter_is_sent_without_a_word(
    database: Database, clock: ManualClock, starter: Starter
) -> None:
    async with database.write() as session:
        sender = await an_identity(session, algorithms=(DkimAlgorithm.RSA, DkimAlgorithm.ED25519))
        version = await templates.save_version(
            session,
            name=starter.name,
            channel=starter.channel,
            subject=starter.subject,
            preheader=starter.preheader,
            body=starter.body,
            fallbacks=starter.fallbacks,
            now=START,
        )
    means = Means(KEYRING, clock, "https://liens.parti.fr")
    found = await examine_template(database, version, sender, means)
    told = {(one.code, str(dict(one.values))) for one in found if one.level is not LintLevel.FINE}
    assert {code for code, _ in told} <= EXPECTED, told
