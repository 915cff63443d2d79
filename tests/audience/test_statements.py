"""What a person says of consent to a channel, written down one by one."""

from datetime import datetime, timedelta

import pytest

from audience.consent import Statement
from audience.statements import record_statement
from models.contact import Contact
from models.states import Channel, ConsentStatus
from store import Database
from tests.clocks import START
from tests.factories import a_contact

GRANTED, WITHDRAWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("no", "holds"), [(None, WITHDRAWN), (START, WITHDRAWN), (START - HOUR, GRANTED)], ids=str
)
async def test_a_no_said_now_stands_whatever_date_the_yes_bears(
    database: Database, no: datetime | None, holds: ConsentStatus
) -> None:
    """An agreement dated by another clock lies ahead; written down again it changes nothing."""
    yes = Statement(GRANTED, START + HOUR, "stand")
    async with database.write() as session:
        number = (await a_contact(session, sms_consent=ConsentStatus.UNKNOWN)).id
        for said in (yes, Statement(WITHDRAWN, no, "lettre"), yes):
            await record_statement(session, number, Channel.SMS, said, START)
    async with database.read() as session:
        assert (await session.get_one(Contact, number)).sms_consent is holds
