"""What a campaign would do, seen before it does it."""

from models.states import Channel, ConsentStatus, LeftOutReason, LegalBasis
from scheduler.preview import EmailPreview, SmsPreview, preview_audience, preview_message
from store import Database
from templates.label import Label
from tests.clocks import START
from tests.factories import a_contact, a_segment, a_template, an_identity


async def test_the_preview_counts_who_is_reached_and_who_is_left_out_why(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
        await a_contact(session, commune="Lyon")
        await a_contact(session, email=None)
        await a_contact(session, email_consent=ConsentStatus.UNKNOWN)
        everyone, lyon = await a_segment(session), await a_segment(session, "commune:Lyon")
    async with database.read() as session:
        seen = await preview_audience(
            session,
            include=[everyone.id],
            exclude=[lyon.id],
            channel=Channel.EMAIL,
            basis=LegalBasis.CONSENT,
            now=START,
        )
        by_interest = await preview_audience(
            session,
            include=[everyone.id],
            exclude=[],
            channel=Channel.EMAIL,
            basis=LegalBasis.LEGITIMATE_INTEREST,
            now=START,
        )
    assert (seen.targeted, seen.deliveries) == (4, 1)
    assert seen.left_out == {
        LeftOutReason.EXCLUDED: 1,
        LeftOutReason.NO_ADDRESS: 1,
        LeftOutReason.NO_CONSENT: 1,
    }
    assert by_interest.deliveries == 3


async def test_no_segment_means_nobody(database: Database) -> None:
    async with database.write() as session:
        await a_contact(session)
    async with database.read() as session:
        seen = await preview_audience(
            session, include=[], exclude=[], channel=Channel.EMAIL, basis=LegalBasis.CONSENT, now=START
        )
    assert (seen.targeted, seen.deliveries) == (0, 0)


async def test_a_message_is_shown_as_one_person_would_read_it(database: Database) -> None:
    async with database.write() as session:
        contact = await a_contact(session, first_name="Zoé", commune="Arles")
        version, sender = await a_template(session), await an_identity(session)
    async with database.read() as session:
        seen = await preview_message(
            session,
            version_id=version.id,
            identity_id=sender.id,
            contact_id=contact.id,
            public_url="https://tocsin.exemple.fr",
        )
    assert isinstance(seen, EmailPreview)
    assert seen.subject == "Bonjour Zoé"
    assert "rendez-vous à Arles" in seen.text
    assert "Le Parti" in seen.html


async def test_without_a_person_missing_fields_show_a_dash(database: Database) -> None:
    async with database.write() as session:
        version = await a_template(session, channel=Channel.SMS)
    async with database.read() as session:
        seen = await preview_message(
            session, version_id=version.id, identity_id=None, contact_id=None, public_url="https://x.fr"
        )
    assert seen == SmsPreview("Bonjour —, à samedi. STOP au 36000", 1)


async def test_a_political_message_is_shown_with_its_label(database: Database) -> None:
    async with database.write() as session:
        version, sender = await a_template(session), await an_identity(session)
    async with database.read() as session:
        seen = await preview_message(
            session,
            version_id=version.id,
            identity_id=sender.id,
            contact_id=None,
            public_url="https://t.exemple.fr",
            label=Label(vote="Municipales"),
        )
    assert isinstance(seen, EmailPreview)
    label = seen.text[seen.text.index("Annonce à caractère politique") :]
    assert "Le Parti" in label
    assert "Municipales" in label
    assert "https://t.exemple.fr/notice/preview" in label
