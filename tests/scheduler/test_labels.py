"""What is political advertising says so in every message that leaves, and nothing else does."""

import email
import email.policy
import pickle
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from models.campaign import Campaign
from models.signing import EmailSender
from models.states import CampaignState, Channel, DeliveryState, Nature, Purpose
from models.tokens import TokenPurpose, Tokens
from models.values import EmailEnvelope, SmsEnvelope
from scheduler.campaigns import parts_of
from scheduler.letters import Letter, Letterhead, Wording
from scheduler.likeness import fingerprint_now, fingerprint_of
from scheduler.notice import tell_spent
from scheduler.scribe import Office, Order, Scribe
from store import Database
from store.campaigns import get_campaign, identities_of
from store.register import register_rows
from templates.label import Label
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, MJML, a_campaign, a_contact, a_seed, a_segment, a_template
from tests.scheduler.desks import ScriptedTransport, a_dispatcher, drain_all, launched
from tests.scheduler.ledgers import rows

WHAT = "Annonce à caractère politique"
CHOSEN = "choisies selon les critères"
SITE = "https://tocsin.exemple.fr"


def notice_of(campaign: Campaign) -> str:
    return f"{SITE}/notice/{Tokens(KEYRING).make(TokenPurpose.NOTICE, campaign.id)}"


def read(envelope: EmailEnvelope) -> EmailMessage:
    return email.message_from_bytes(bytes(envelope.data), _class=EmailMessage, policy=email.policy.default)


def text_of(envelope: EmailEnvelope) -> str:
    body = read(envelope).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def _launched(
    database: Database, *, rule: str = "everyone", sms: str = "", **columns: object
) -> Campaign:
    """A campaign to one person, and one seed, of whom nothing keeps anything."""
    async with database.write() as session:
        await a_contact(session, email="a@gmail.com", phone="+33612345678")
        version = await a_template(session, channel=Channel.SMS, body=sms) if sms else None
        campaign = await a_campaign(session, version=version, include=[await a_segment(session, rule)])
        if not sms:
            await a_seed(session, address="temoin@gmail.com")
        campaign.sqlmodel_update(columns)
        session.add(campaign)
    await launched(database, campaign.id)
    return campaign


async def _sent(
    database: Database, clock: ManualClock, channel: Channel = Channel.EMAIL
) -> ScriptedTransport:
    transport = ScriptedTransport(channel)
    await drain_all(database, a_dispatcher(database, transport, clock), clock.now())
    return transport


async def test_each_message_of_a_political_campaign_ends_with_its_label(
    database: Database, clock: ManualClock
) -> None:
    campaign = await _launched(database, nature=Nature.POLITICAL, sponsor="Comité Durand", vote="Municipales")
    transport = await _sent(database, clock)
    assert sorted(transport.recipients) == ["a@gmail.com", "temoin@gmail.com"]
    for address in transport.recipients:
        text = text_of(transport.letter_to(address))
        label = text[text.index(WHAT) :]
        assert "Comité Durand" in label
        assert "Municipales" in label
        assert label.rstrip().endswith(notice_of(campaign))
        assert CHOSEN not in label
        html = read(transport.letter_to(address)).get_body(("html",))
        assert html is not None
        assert f'href="{notice_of(campaign)}"' in " ".join(str(html.get_content()).split())


@pytest.mark.parametrize("columns", [{"nature": Nature.CIVIC}, {"nature": Nature.UNSAID}, {}])
async def test_what_is_not_political_has_no_label(
    database: Database, clock: ManualClock, columns: dict[str, Any]
) -> None:
    await _launched(database, **{"sponsor": "Comité Durand", **columns})
    transport = await _sent(database, clock)
    assert len(transport.sent) == 2
    assert all("notice" not in text_of(transport.letter_to(one)) for one in transport.recipients)
    assert all(WHAT not in text_of(transport.letter_to(one)) for one in transport.recipients)


async def test_a_political_receipt_is_labelled(database: Database, clock: ManualClock) -> None:
    await _launched(database, nature=Nature.POLITICAL, purpose=Purpose.TRANSACTIONAL)
    transport = await _sent(database, clock)
    assert WHAT in text_of(transport.letter_to("a@gmail.com"))


async def test_who_was_chosen_is_told_so(database: Database, clock: ManualClock) -> None:
    await _launched(database, rule="departement:13", nature=Nature.POLITICAL)
    transport = await _sent(database, clock)
    # The person did not agree to be chosen; the seed shows what those get who did.
    assert CHOSEN in text_of(transport.letter_to("temoin@gmail.com"))


async def test_a_text_message_says_no_more_than_it_was_written_to_say(
    database: Database, clock: ManualClock
) -> None:
    await _launched(database, sms="Votez samedi. STOP au 36000", nature=Nature.POLITICAL)
    (sent,) = (await _sent(database, clock, Channel.SMS)).sent
    assert isinstance(sent, SmsEnvelope)
    assert sent.text == "Votez samedi. STOP au 36000"


async def test_a_text_message_may_show_the_address_of_its_notice(
    database: Database, clock: ManualClock
) -> None:
    text = "Votez samedi {{ first_name }}. Qui paie : {{ notice_url }} STOP au 36000"
    campaign = await _launched(database, sms=text, nature=Nature.POLITICAL)
    (sent,) = (await _sent(database, clock, Channel.SMS)).sent
    assert isinstance(sent, SmsEnvelope)
    assert sent.text == f"Votez samedi Camille. Qui paie : {notice_of(campaign)} STOP au 36000"


async def test_a_message_whose_label_would_not_be_seen_blocks_its_campaign(database: Database) -> None:
    hidden = MJML.replace("</mj-body>", "</mj-body><!-- </mj-body> -->")
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session, version=await a_template(session, body=hidden))
        campaign.nature = Nature.POLITICAL
        session.add(campaign)
    await launched(database, campaign.id)
    async with database.read() as session:
        stopped = await session.get(Campaign, campaign.id)
    assert stopped is not None
    assert stopped.state is CampaignState.BLOCKED
    assert "label of political advertising" in stopped.problem
    assert {row.state for row in (await rows(database)).values()} <= {DeliveryState.CANCELLED}


@pytest.mark.parametrize("label", [Label("Comité Durand", "Municipales", targeted=True), None])
def test_a_scribe_is_told_the_label(label: Label | None) -> None:
    wording = Wording("Appel", Channel.EMAIL, "Objet", "", MJML, {}, "fr", label)
    values = {"organisation": "Parti", "postal_address": "1 rue Haute"}
    head = Letterhead("siege", "exemple.fr", "retour.exemple.fr", "", values)
    sender = EmailSender("siege", "Le siège", "siege@exemple.fr", None, "retour.exemple.fr", ())
    letter = Letter(1, 7, Channel.EMAIL, "a@gmail.com", None, {"first_name": "Ada", "email": "a@gmail.com"})
    order = Order(1, START, "siege", (head, sender), {7: wording}, (), [letter])
    carried = pickle.loads(pickle.dumps(order))  # noqa: S301 - as it goes over the socket
    told = Scribe(Office(SITE, Tokens(KEYRING).keys)).carry_out(carried)
    assert (told.failure, told.unwritten) == ("", {})
    ((_, _, _, data, _),) = told.sheets
    assert isinstance(data, bytes)
    body = email.message_from_bytes(data, _class=EmailMessage, policy=email.policy.default).get_body(
        ("plain",)
    )
    assert body is not None
    assert ("Pour le compte de\u00a0: Comité Durand" in body.get_content()) is (label is not None)


async def test_telling_what_was_spent_changes_nothing_that_was_agreed_to_or_is_late(
    database: Database,
) -> None:
    campaign = await _launched(database, nature=Nature.POLITICAL)
    async with database.write() as session:
        found = await get_campaign(session, campaign.id)
        before = await fingerprint_now(session, found), found.updated_at
        await tell_spent(session, campaign.id, "120 €")
        await session.refresh(found)
        assert (await fingerprint_now(session, found), found.updated_at) == before
        assert found.spent == "120 €"
        parts = await parts_of(session, found)
        assert fingerprint_of(parts, []) == fingerprint_of(replace(parts, spent=""), [])
        assert fingerprint_of(parts, []) != fingerprint_of(replace(parts, vote="Une autre"), [])


async def test_the_register_names_the_senders_as_they_were_when_the_campaign_was_launched(
    database: Database,
) -> None:
    campaign = await _launched(database, nature=Nature.POLITICAL)
    async with database.write() as session:
        (sender,) = await identities_of(session, campaign.id)
        sender.name = sender.organisation = sender.postal_address = "Nouveau"
        sender.reply_to = "nouveau@parti.fr"
        session.add(sender)
        (row,) = await register_rows(session)
    (told,) = row.senders
    assert (told.name, told.organisation) == ("Le Parti", "Le Parti")
    assert told.postal_address == "1 rue de la Paix, 75002 Paris"
    assert told.address == "nouveau@parti.fr", "complaints go where somebody reads them"
    assert row.payer == "Le Parti"
