"""What a file may and may not do to consent, on both databases."""

from datetime import UTC, datetime, timedelta

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


async def test_consent_to_targeting_is_apart_from_consent_to_a_channel(desk: Desk) -> None:
    result = await desk.bring(
        "email;consentement e-mail;accepte le ciblage;date ciblage;source consentement ciblage\n"
        "a@b.fr;oui;oui;2026-01-15;formulaire des adhérents\n"
        "b@b.fr;oui;;;\n"
        "c@b.fr;oui;non;;\n"
        "d@b.fr;oui;peut-être;;\n"
    )
    people = [await desk.contact(email=f"{letter}@b.fr") for letter in "abcd"]
    assert [person.targeting_consent for person in people] == [GRANTED, UNKNOWN, WITHDRAWN, UNKNOWN]
    assert [person.email_consent for person in people] == [GRANTED] * 4
    said = [(one.contact_id, one.status, one.source, one.given_at) for one in await desk.targeting()]
    january = datetime(2026, 1, 15, tzinfo=UTC)
    assert said == [
        (people[0].id, GRANTED, "formulaire des adhérents", january),
        (people[2].id, WITHDRAWN, "formulaire", START),
    ]
    assert len(await desk.records()) == 4
    assert [line["field"] for line in desk.report(result)] == ["targeting_consent"]


async def test_consent_to_targeting_follows_the_latest_word_and_keeps_every_proof(desk: Desk) -> None:
    head = "email,targeting_consent,targeting_consent_at\n"
    await desk.bring(f"{head}a@b.fr,oui,2026-01-10\n")
    await desk.bring(f"{head}a@b.fr,oui,2026-01-10\n")
    await desk.bring(f"{head}a@b.fr,non,2026-02-10\n")
    assert (await desk.contact(email="a@b.fr")).targeting_consent is WITHDRAWN
    result = await desk.bring(f"{head}a@b.fr,oui,\na@b.fr,oui,2026-01-20\n")
    assert (await desk.contact(email="a@b.fr")).targeting_consent is WITHDRAWN
    assert [line["field"] for line in desk.report(result)] == ["targeting_consent"] * 2
    await desk.bring(f"{head}a@b.fr,oui,2026-03-01\n")
    assert (await desk.contact(email="a@b.fr")).targeting_consent is GRANTED
    days = [(one.status, one.given_at.date().isoformat()) for one in await desk.targeting()]
    assert days == [
        *((GRANTED, "2026-01-10"), (WITHDRAWN, "2026-02-10"), (GRANTED, "2026-01-20")),
        (GRANTED, "2026-03-01"),
    ]


async def test_nobody_agrees_to_targeting_by_agreeing_to_mail(desk: Desk) -> None:
    await desk.bring("email,consentement\na@b.fr,oui\n", ImportOptions(consents={Channel.EMAIL: GRANTED}))
    assert (await desk.contact(email="a@b.fr")).targeting_consent is UNKNOWN
    assert await desk.targeting() == []


async def test_a_date_for_all_consents_dates_the_one_to_targeting(desk: Desk) -> None:
    await desk.bring("email,targeting_consent,consent_at,consent_source\na@b.fr,oui,2026-01-15,stand\n")
    [said] = await desk.targeting()
    assert (said.source, said.given_at) == ("stand", datetime(2026, 1, 15, tzinfo=UTC))
