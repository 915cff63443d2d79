"""Looking at a political campaign before it is sent: its label, and the address of its notice."""

from models.states import Channel, Nature
from scheduler.preflight import examine
from store import Database
from tests.clocks import ManualClock
from tests.factories import a_campaign, a_contact, a_template
from tests.scheduler.test_preflight import BLOCK, FINE, WARN, means, of


async def test_the_label_of_a_political_campaign_is_looked_at_and_raises_no_other_alarm(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        campaign.nature = Nature.POLITICAL
        session.add(campaign)
    found = await examine(database, campaign.id, means(clock))
    assert of(found, BLOCK) == {}
    assert set(of(found, WARN)) == {"dns.unasked", "origin.unsaid", "ad.unlabelled"}
    async with database.write() as session:
        campaign.vote = "Municipales 2026"
        session.add(campaign)
    found = await examine(database, campaign.id, means(clock))
    assert "ad.unlabelled" in of(found, FINE)


async def test_a_text_message_leads_to_its_notice_and_pays_for_its_address(
    database: Database, clock: ManualClock
) -> None:
    body = f"{'Votez. ' * 50} Qui paie : {{{{ notice_url }}}} STOP au 36000"
    async with database.write() as session:
        await a_contact(session, phone="+33612345678")
        version = await a_template(session, channel=Channel.SMS, body=body)
        campaign = await a_campaign(session, version=version)
        campaign.nature, campaign.vote = Nature.POLITICAL, "Municipales 2026"
        session.add(campaign)
    found = await examine(database, campaign.id, means(clock))
    assert "ad.unlinked" in of(found, FINE)
    assert "sms.long" not in of(found, WARN)
    long = await examine(database, campaign.id, means(clock, public_url=f"https://{'liens.' * 18}parti.fr"))
    assert {"sms.long", "ad.unlinked"} & set(of(long, WARN)) == {"sms.long"}
