"""A test message to oneself: what people will read, and no trace of it in the figures."""

import email
import email.policy
from datetime import timedelta
from html import unescape

import pytest
from sqlmodel import select

from models.access import Role
from models.delivery import Delivery
from models.errors import BadInputError, ConflictError
from models.event import Event
from models.pace import MailDomain
from models.states import Channel, ConsentStatus, IdentityState, Nature, SuppressionReason
from models.suppression import address_hash
from models.tokens import TokenPurpose, Tokens
from models.values import EmailEnvelope, Envelope, Outcome, SmsEnvelope
from scheduler.trial import send_trial
from store import Database, campaigns, mail_domains, suppressions, users
from tests.clocks import START, ManualClock
from tests.factories import KEYRING, a_campaign, a_contact, a_template, an_identity
from tests.scheduler.desks import TAKEN, ScriptedTransport

ME = "me@exemple.org"
BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Bonjour {{ first_name }}, rendez-vous à {{ commune }}.</mj-text>
<mj-button href="https://exemple.fr/agir?ville={{ commune }}&amp;a=1">Agir</mj-button>
</mj-column></mj-section></mj-body></mjml>"""


async def tried(
    database: Database, transport: ScriptedTransport, campaign_id: int, to: str = ME, *, insist: bool = False
) -> Outcome:
    return await send_trial(
        database,
        ManualClock(),
        transports={transport.channel: transport},
        keyring=KEYRING,
        campaign_id=campaign_id,
        to=to,
        public_url="https://tocsin.exemple.fr",
        insist=insist,
    )


async def a_draft(database: Database) -> int:
    """To Zoé, and not to Ana, who did not consent."""
    async with database.write() as session:
        await a_contact(session, first_name="Ana", email_consent=ConsentStatus.WITHDRAWN)
        await a_contact(session, first_name="Zoé", commune="Saint-Étienne")
        return (await a_campaign(session, version=await a_template(session, body=BODY))).id


async def test_the_message_is_that_of_one_real_person_of_the_audience(database: Database) -> None:
    transport = ScriptedTransport()
    assert await tried(database, transport, await a_draft(database), f" {ME.upper()} ") == TAKEN
    letter = transport.letter_to(ME)
    assert isinstance(letter, EmailEnvelope)
    message = email.message_from_bytes(bytes(letter.data), policy=email.policy.default)
    assert message["Subject"] == "[Test] Bonjour Zoé"
    assert message["To"] == ME
    assert message["DKIM-Signature"]
    assert letter.return_path == "test@retour.parti.fr"
    for part in ("plain", "html"):
        body = message.get_body((part,))
        assert body is not None
        read = " ".join(unescape(body.get_content()).split())
        assert "Bonjour Zoé, rendez-vous à Saint-Étienne." in read
        assert "https://exemple.fr/agir?ville=Saint-%C3%89tienne&a=1" in read


async def test_a_test_leaves_no_trace_and_carries_no_token(database: Database) -> None:
    transport = ScriptedTransport()
    campaign_id = await a_draft(database)
    await tried(database, transport, campaign_id)
    letter = transport.letter_to(ME)
    for trace in (b"List-Unsubscribe", b"X-Tocsin", b"Feedback-ID", b"/c/", b"link.invalid"):
        assert trace not in letter.data
    async with database.read() as session:
        assert (await session.exec(select(Delivery))).all() == []
        assert (await session.exec(select(Event))).all() == []
        assert (await campaigns.get_campaign(session, campaign_id)).state == "draft"


async def test_a_political_campaign_is_tried_with_its_label_and_leads_to_its_notice(
    database: Database,
) -> None:
    campaign_id = await a_draft(database)
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, campaign_id)
        campaign.nature, campaign.sponsor = Nature.POLITICAL, "Comité Durand"
        session.add(campaign)
    transport = ScriptedTransport()
    await tried(database, transport, campaign_id)
    message = email.message_from_bytes(bytes(transport.letter_to(ME).data), policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    notice = Tokens(KEYRING).make(TokenPurpose.NOTICE, campaign_id)
    assert "Pour le compte de\u00a0: Comité Durand" in body.get_content()
    assert body.get_content().rstrip().endswith(f"https://tocsin.exemple.fr/notice/{notice}")


async def test_without_anybody_to_write_to_dashes_stand_for_what_is_not_known(database: Database) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
    transport = ScriptedTransport()
    await tried(database, transport, campaign.id)
    message = email.message_from_bytes(bytes(transport.letter_to(ME).data), policy=email.policy.default)
    assert message["Subject"] == "[Test] Bonjour —"


async def test_a_text_message_goes_to_a_number_and_asks_for_no_news(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session, phone="+33611111111", first_name="Zoé")
        version = await a_template(session, channel=Channel.SMS)
        campaign = await a_campaign(session, version=version)
    transport = ScriptedTransport(channel=Channel.SMS)
    await tried(database, transport, campaign.id, "06 12 34 56 78")
    assert transport.sent == [SmsEnvelope("PARTI", "+33612345678", "Bonjour Zoé, à samedi. STOP au 36000")]
    with pytest.raises(BadInputError):
        await tried(database, transport, campaign.id, ME)


async def test_a_suppressed_address_is_written_to_only_if_it_is_a_users_or_was_typed(
    database: Database,
) -> None:
    campaign_id = await a_draft(database)
    async with database.write() as session:
        for address in (ME, "boss@exemple.org"):
            await suppressions.suppress(
                session,
                channel=Channel.EMAIL,
                address_hash=address_hash(Channel.EMAIL, address),
                reason=SuppressionReason.MANUAL,
                evidence="",
                event_id=None,
                now=START,
            )
        await users.add_user(
            session,
            email="boss@exemple.org",
            name="",
            password_hash="",
            role=Role.EDITOR,
            language="fr",
            now=START,
        )
    transport = ScriptedTransport()
    with pytest.raises(ConflictError, match="suppressed"):
        await tried(database, transport, campaign_id)
    await tried(database, transport, campaign_id, "boss@exemple.org")
    await tried(database, transport, campaign_id, insist=True)
    assert transport.recipients == ["boss@exemple.org", ME]


async def test_what_could_not_be_sent_to_people_is_not_sent_as_a_test_either(database: Database) -> None:
    async with database.write() as session:
        sender = await an_identity(session)
        campaign = await a_campaign(session, senders=[sender])
        sender.state = IdentityState.SUSPENDED
        session.add(sender)
    with pytest.raises(ConflictError, match="is suspended: its page says why"):
        await tried(database, ScriptedTransport(), campaign.id)
    with pytest.raises(ConflictError, match="sends no e-mail"):
        await send_trial(
            database,
            ManualClock(),
            transports={},
            keyring=KEYRING,
            campaign_id=campaign.id,
            to=ME,
            public_url="https://tocsin.exemple.fr",
        )


class Ways(ScriptedTransport):
    """Remembers for which provider it was asked."""

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        self.allowed[provider] = None
        return await super().send(envelope, provider=provider)


async def test_a_test_message_goes_the_way_that_the_mail_exchangers_of_its_address_show(
    database: Database,
) -> None:
    campaign_id, transport = await a_draft(database), Ways()
    async with database.write() as session:
        known = MailDomain(
            domain="exemple.org", provider="ovh", looked_up_at=START, expires_at=START + timedelta(days=1)
        )
        await mail_domains.remember(session, [known])
    await tried(database, transport, campaign_id)
    await tried(database, transport, campaign_id, "me@gmail.com")
    assert list(transport.allowed) == ["ovh", "gmail"]
