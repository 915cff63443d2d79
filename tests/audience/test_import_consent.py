"""What a file may and may not do to consent, on both databases."""

from datetime import timedelta

from audience.imports import ImportOptions
from models.states import Channel, ConsentStatus, SuppressionReason
from models.suppression import address_hash
from store import contacts
from store.suppressions import suppress
from tests.audience.desk import Desk
from tests.clocks import START

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN


async def test_consent_for_the_whole_file_is_recorded_with_its_source(desk: Desk) -> None:
    options = ImportOptions(source="pétition 2025", consents={Channel.EMAIL: GRANTED})
    await desk.bring("email,phone,email_consent\na@b.fr,0612345678,\nb@b.fr,,non\n", options)
    assert (await desk.contact(email="a@b.fr")).email_consent is GRANTED
    assert (await desk.contact(email="a@b.fr")).sms_consent is UNKNOWN
    assert (await desk.contact(email="b@b.fr")).email_consent is WITHDRAWN
    assert [(r.source, r.given_at) for r in await desk.records()] == [("pétition 2025", START)] * 2


async def test_a_refusal_is_not_overturned_by_an_older_or_undated_yes(desk: Desk) -> None:
    await desk.bring("email,email_consent\na@b.fr,oui\n")
    number = (await desk.contact(email="a@b.fr")).id
    left_at = START + timedelta(hours=1)
    async with desk.database.write() as session:
        left = {
            "contact_id": number,
            "channel": Channel.EMAIL,
            "status": WITHDRAWN,
            "source": "unsubscribe",
            "given_at": left_at,
            "recorded_at": left_at,
        }
        await contacts.add_statements(session, [left])
        await contacts.update_contacts(session, [(number, {"email_consent": WITHDRAWN})], now=left_at)
    desk.clock.advance(timedelta(days=30))
    for cells in ("oui,", "oui,2026-03-01", "oui,2026-03-10"):
        result = await desk.bring(f"email,email_consent,consent_at\na@b.fr,{cells}\n")
        assert (await desk.contact(email="a@b.fr")).email_consent is WITHDRAWN
        assert "withdrawn" in desk.report(result)[0]["reason"]
    everything = ImportOptions(consents={Channel.EMAIL: GRANTED})
    await desk.bring("email\na@b.fr\n", everything)
    assert (await desk.contact(email="a@b.fr")).email_consent is WITHDRAWN
    await desk.bring("email,email_consent,consent_at\na@b.fr,oui,2026-03-20\n")
    assert (await desk.contact(email="a@b.fr")).email_consent is GRANTED


async def test_the_date_of_an_agreement_alone_is_an_agreement(desk: Desk) -> None:
    await desk.bring("email,email_consent_at\na@b.fr,2026-01-15\nb@b.fr,\nc@b.fr,jadis\n")
    assert (await desk.contact(email="a@b.fr")).email_consent is GRANTED
    assert (await desk.contact(email="b@b.fr")).email_consent is UNKNOWN
    assert (await desk.contact(email="c@b.fr")).email_consent is UNKNOWN
    await desk.bring("email,email_consent,email_consent_at\nd@b.fr,,2026-01-15\n")
    assert (await desk.contact(email="d@b.fr")).email_consent is UNKNOWN


async def test_consent_is_noted_channel_by_channel(desk: Desk) -> None:
    await desk.bring("email,email_consent,sms_consent\na@b.fr,,non\n")
    result = await desk.bring("email,email_consent,sms_consent\na@b.fr,oui,oui\n")
    contact = await desk.contact(email="a@b.fr")
    assert (contact.email_consent, contact.sms_consent) == (GRANTED, WITHDRAWN)
    assert [line["field"] for line in desk.report(result)] == ["sms_consent"]


async def test_a_consent_from_the_future_is_not_taken(desk: Desk) -> None:
    result = await desk.bring("email,email_consent,consent_at\na@b.fr,oui,2030-01-01\n")
    assert (await desk.contact(email="a@b.fr")).email_consent is UNKNOWN
    assert "future" in desk.report(result)[0]["reason"]


async def test_suppressed_addresses_are_counted_and_stay_suppressed(desk: Desk) -> None:
    async with desk.database.write() as session:
        await suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, "gone@b.fr"),
            reason=SuppressionReason.UNSUBSCRIBE,
            evidence="",
            event_id=None,
            now=START,
        )
    result = await desk.bring("email,email_consent\ngone@b.fr,oui\nGONE@b.fr,oui\nok@b.fr,oui\n")
    assert result.addresses_suppressed == 1
