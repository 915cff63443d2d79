"""Links in messages and provider hooks: what the outside may do, and what it may not."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from models.delivery import Delivery
from models.event import Event
from models.states import Channel, ConsentStatus, DeliveryState, EventKind
from models.suppression import address_hash
from models.tokens import TOKEN_LENGTH, TokenPurpose
from store import campaigns, contacts, suppressions
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_template, an_identity
from tests.web.browsers import BASE, TWILIO_TOKEN, Site, parse_strictly
from web.door import FORGED_TOKENS_AN_ADDRESS

TARGET = "https://exemple.fr/agir?commune={{ commune }}"
BODY = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{ first_name }}</mj-text>"
    f'<mj-button href="{TARGET}">Agir</mj-button></mj-column></mj-section></mj-body></mjml>'
)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Sent:
    """A message that arrived, and the tokens in it."""

    delivery: Delivery
    visit: str
    leave: str


async def send_message(site: Site, *, channel: Channel = Channel.EMAIL, language: str = "fr") -> Sent:
    """A delivery that was accepted a minute ago."""
    async with site.database.write() as session:
        contact = await a_contact(
            session, email="camille@gmail.com", phone="+33612345678", commune="Saint-Étienne"
        )
        contact.language = language
        session.add(contact)
        sender = await an_identity(session)
        version = await a_template(session, channel=channel, body=BODY if channel is Channel.EMAIL else "")
        campaign = await a_campaign(session, version=version, senders=[sender])
        await campaigns.save_links(session, campaign.id, [TARGET])
        delivery = Delivery(
            campaign_id=campaign.id,
            contact_id=contact.id,
            channel=channel,
            identity_id=sender.id,
            provider="gmail" if channel is Channel.EMAIL else "sms",
            address="camille@gmail.com" if channel is Channel.EMAIL else "+33612345678",
            state=DeliveryState.ACCEPTED,
            due_at=START,
            settled_at=START - timedelta(minutes=1),
            provider_message_id="SM123",
        )
        session.add(delivery)
        await session.flush()
    tokens = site.context.tokens
    return Sent(
        delivery,
        tokens.make(TokenPurpose.VISIT, delivery.id),
        tokens.make(TokenPurpose.LEAVE, delivery.id),
    )


async def events_of(site: Site, kind: EventKind) -> list[Event]:
    async with site.database.read() as session:
        return list((await session.exec(select(Event).where(Event.kind == kind))).all())


async def is_suppressed(site: Site, channel: Channel = Channel.EMAIL) -> bool:
    address = "camille@gmail.com" if channel is Channel.EMAIL else "+33612345678"
    fingerprint = address_hash(channel, address)
    async with site.database.read() as session:
        return bool(await suppressions.suppressed_hashes(session, channel, [fingerprint], site.clock.now()))


async def consent(site: Site) -> ConsentStatus:
    async with site.database.read() as session:
        found = await contacts.find_contact(session, email="camille@gmail.com")
    assert found is not None
    return found.email_consent


async def test_looking_at_the_unsubscribe_page_unsubscribes_nobody(site: Site) -> None:
    sent = await send_message(site)
    for method in ("GET", "HEAD", "GET"):
        answer = await site.browser().client.request(method, f"/u/{sent.leave}")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await events_of(site, EventKind.UNSUBSCRIBED) == []
    assert not await is_suppressed(site)


@pytest.mark.parametrize(("language", "words"), [("fr", "Se désinscrire"), ("en", "Unsubscribe")])
async def test_the_unsubscribe_page_speaks_the_persons_language(
    site: Site, language: str, words: str
) -> None:
    sent = await send_message(site, language=language)
    text = await site.browser("de").read(f"/u/{sent.leave}")
    document = parse_strictly(text)
    assert document.get("lang") == language
    (button,) = [one for one in document.iter() if one.tag == "button"]
    assert "".join(button.itertext()).strip() == words
    assert "camille@gmail.com" not in text, "messages are forwarded"
    assert "c…@gmail.com" in text


async def test_one_click_unsubscribes_once_however_often_it_comes(site: Site) -> None:
    sent = await send_message(site)
    for _ in range(3):
        answer = await site.browser().post(f"/u/{sent.leave}", ONE_CLICK)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
    (event,) = await events_of(site, EventKind.UNSUBSCRIBED)
    assert event.details["via"] == "one_click"
    assert await is_suppressed(site)
    assert await consent(site) is ConsentStatus.WITHDRAWN


async def test_one_click_may_come_as_multipart(site: Site) -> None:
    sent = await send_message(site)
    files = {"List-Unsubscribe": (None, "One-Click")}
    answer = await site.browser().client.post(f"/u/{sent.leave}", files=files)
    assert answer.text == "Unsubscribed.\n"
    assert await is_suppressed(site)


async def test_the_button_of_the_page_unsubscribes_and_can_be_taken_back(site: Site) -> None:
    sent = await send_message(site, language="en")
    answer = await site.browser().post(f"/u/{sent.leave}")
    assert "You are unsubscribed" in answer.text
    assert "</span>. One that is already on its way" in answer.text, "sentences stand apart"
    assert await is_suppressed(site)
    answer = await site.browser().post(f"/u/{sent.leave}/undo")
    assert "You are subscribed again" in answer.text
    assert not await is_suppressed(site)
    assert await consent(site) is ConsentStatus.GRANTED
    await site.browser().post(f"/u/{sent.leave}", ONE_CLICK)
    assert await is_suppressed(site)


async def test_undo_subscribes_nobody_who_had_not_left(site: Site) -> None:
    sent = await send_message(site)
    await site.browser().post(f"/u/{sent.leave}/undo")
    assert await events_of(site, EventKind.RESUBSCRIBED) == []


async def test_a_click_leads_to_the_address_the_campaign_holds(site: Site) -> None:
    sent = await send_message(site)
    answer = await site.browser().get(f"/c/{sent.visit}/0")
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://exemple.fr/agir?commune=Saint-%C3%89tienne"
    assert answer.headers["referrer-policy"] == "no-referrer"
    (event,) = await events_of(site, EventKind.CLICKED)
    assert (event.delivery_id, event.link_index, event.details) == (sent.delivery.id, 0, {})


async def test_the_same_click_again_counts_once_and_still_leads_there(site: Site) -> None:
    sent = await send_message(site)
    for _ in range(3):
        assert (await site.browser().get(f"/c/{sent.visit}/0")).status_code == 302
    assert len(await events_of(site, EventKind.CLICKED)) == 1


async def test_a_machine_that_opens_the_link_first_does_not_hide_the_person(site: Site) -> None:
    sent = await send_message(site)
    scanner = {"user-agent": "Mozilla/5.0 (compatible; MailScanner/2.1)"}
    await site.browser().get(f"/c/{sent.visit}/0", headers=scanner)
    await site.browser().get(f"/c/{sent.visit}/0", headers={"user-agent": "Mozilla/5.0 Firefox/140.0"})
    machine, person = await events_of(site, EventKind.CLICKED)
    assert (machine.details, person.details) == ({"machine": "agent"}, {})


async def test_a_head_request_leads_there_and_is_not_recorded(site: Site) -> None:
    sent = await send_message(site)
    answer = await site.browser().client.head(f"/c/{sent.visit}/0")
    assert answer.status_code == 302
    assert await events_of(site, EventKind.CLICKED) == []


async def test_a_link_cannot_be_made_to_lead_elsewhere(site: Site) -> None:
    sent = await send_message(site)
    for tail in ("0?url=https://evil.example", "0?to=//evil.example#https://evil.example"):
        answer = await site.browser().get(f"/c/{sent.visit}/{tail}")
        assert answer.headers["location"].startswith("https://exemple.fr/agir?")
    for tail in ("1", "-1", "99999999999999", "https:%2F%2Fevil.example", "٠"):
        answer = await site.browser().get(f"/c/{sent.visit}/{tail}")
        assert answer.status_code == 404, tail
        assert "location" not in answer.headers


async def test_a_link_still_leads_there_when_the_persons_data_are_gone(site: Site) -> None:
    sent = await send_message(site)
    async with site.database.write() as session:
        kept = await session.get(Delivery, sent.delivery.id)
        assert kept is not None
        kept.contact_id = None
        session.add(kept)
    answer = await site.browser().get(f"/c/{sent.visit}/0")
    assert answer.headers["location"] == "https://exemple.fr/agir?commune="


async def test_a_token_serves_its_own_purpose_alone(site: Site) -> None:
    sent = await send_message(site)
    bounce = site.context.tokens.make(TokenPurpose.BOUNCE, sent.delivery.id)
    for path in (f"/u/{sent.visit}", f"/u/{bounce}", f"/c/{sent.leave}/0", f"/c/{bounce}/0"):
        assert (await site.browser().get(path)).status_code == 404
    assert (await site.browser().post(f"/u/{sent.visit}", ONE_CLICK)).status_code == 404
    assert not await is_suppressed(site)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(token=st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH))
async def test_a_forged_token_opens_nothing(site: Site, token: str) -> None:
    fresh = Site(site.database, site.clock, site.folder)
    for answer in (
        await fresh.browser().get(f"/u/{token}"),
        await fresh.browser().post(f"/u/{token}", ONE_CLICK),
        await fresh.browser().get(f"/c/{token}/0"),
    ):
        assert answer.status_code == 404
        assert "leads nowhere" in answer.text


async def test_who_tries_many_tokens_is_turned_away_for_a_while(site: Site) -> None:
    sent = await send_message(site)
    browser = site.browser()
    for number in range(FORGED_TOKENS_AN_ADDRESS):
        assert (await browser.get(f"/u/{number:024}")).status_code == 404
    answer = await browser.get(f"/u/{sent.leave}")
    assert answer.status_code == 429
    site.clock.advance(timedelta(minutes=15))
    await browser.read(f"/u/{sent.leave}")


def signed(path: str, form: Mapping[str, str], token: str = TWILIO_TOKEN) -> dict[str, str]:
    """The header Twilio would send: HMAC-SHA-1 over the address and the sorted fields."""
    text = f"{BASE}{path}" + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {"x-twilio-signature": base64.b64encode(digest).decode()}


async def test_a_signed_status_is_recorded_once(site: Site) -> None:
    sent = await send_message(site, channel=Channel.SMS)
    mark = site.context.tokens.make(TokenPurpose.MESSAGE, sent.delivery.id)
    path = f"/hooks/twilio/status?{urlencode({'d': mark})}"
    form = {"MessageSid": "SM999", "MessageStatus": "delivered", "To": "+33612345678"}
    for _ in range(2):
        answer = await site.browser().post(path, form, headers=signed(path, form))
        assert answer.status_code == 204
    (event,) = await events_of(site, EventKind.DELIVERED)
    assert event.delivery_id == sent.delivery.id


async def test_a_stop_takes_effect_at_once(site: Site) -> None:
    await send_message(site, channel=Channel.SMS)
    path, form = "/hooks/twilio/inbound", {"MessageSid": "SM5", "From": "+33612345678", "Body": "Stop"}
    answer = await site.browser().post(path, form, headers=signed(path, form))
    assert answer.headers["content-type"].startswith("text/xml")
    assert "<Response></Response>" in answer.text
    assert await is_suppressed(site, Channel.SMS)
    assert not await is_suppressed(site, Channel.EMAIL)


@pytest.mark.parametrize("path", ["/hooks/twilio/status", "/hooks/twilio/inbound"])
async def test_a_call_that_twilio_did_not_sign_changes_nothing(site: Site, path: str) -> None:
    await send_message(site, channel=Channel.SMS)
    form = {"MessageSid": "SM5", "MessageStatus": "delivered", "From": "+33612345678", "Body": "STOP"}
    changed = {**form, "From": "+33699999999"}
    for headers in ({}, {"x-twilio-signature": "é"}, signed(path, form, "other"), signed(path, changed)):
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = await site.browser().post(path, form, headers=encoded)
        assert answer.status_code == 403
    assert not await is_suppressed(site, Channel.SMS)


async def test_a_call_that_twilio_signed_passes_whoever_forges_from_there(site: Site) -> None:
    await send_message(site, channel=Channel.SMS)
    path, form = "/hooks/twilio/inbound", {"MessageSid": "SM5", "From": "+33612345678", "Body": "Stop"}
    browser = site.browser()
    forged = [
        (await browser.post(path, form, headers=signed(path, form, "other"))).status_code
        for _ in range(FORGED_TOKENS_AN_ADDRESS + 1)
    ]
    assert (forged[0], forged[-1]) == (403, 429)
    assert (await browser.post(path, form, headers=signed(path, form))).status_code == 200
    assert await is_suppressed(site, Channel.SMS)


async def test_public_pages_set_no_cookie_and_ask_for_none(site: Site) -> None:
    sent = await send_message(site)
    for method, path in (
        ("GET", f"/u/{sent.leave}"),
        ("POST", f"/u/{sent.leave}"),
        ("GET", f"/c/{sent.visit}/0"),
        ("GET", "/u/nonsense"),
    ):
        answer = await site.browser().client.request(method, path)
        assert "set-cookie" not in answer.headers
        assert "unsafe" not in answer.headers["content-security-policy"]
