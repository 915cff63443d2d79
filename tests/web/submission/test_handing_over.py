"""Mail that programs hand over by SMTP: taken on once, by the same rules as messages of the API."""

import asyncio
import smtplib
from email import message_from_bytes
from email.policy import default

import pytest
from sqlmodel import select

from models.api import KeyMode
from models.campaign import Campaign
from models.message import Message, MessageResult
from models.states import Channel, ConsentStatus, Nature, Purpose, SuppressionReason
from models.suppression import address_hash
from models.template import Template
from store import api_keys, suppressions, templates
from tests.factories import a_contact, an_identity
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from tests.web.submission.senders import FROM, Post, a_mail


async def messages_of(program: Program) -> list[Message]:
    async with program.site.database.read() as session:
        return list((await session.exec(select(Message).order_by(Message.id))).all())  # type: ignore[arg-type]


async def test_a_mail_is_sent_as_it_stands_with_who_writes_and_how_to_leave(post: Post) -> None:
    page = '<html><body><p style="x">Bonjour {{ first_name }}</p><a href="https://parti.fr/a?b={c}">là</a></body>'
    line = await post.signed_in()
    answer = await line.hand_over(a_mail("Bonjour {{ first_name }} {% if %}", page))
    assert answer.startswith("250 2.0.0 Accepted as msg_"), answer
    assert await post.program.drain() == ["camille@gmail.com"]
    letter = post.program.site.postman.letter_to("camille@gmail.com")
    mail = message_from_bytes(bytes(letter.data), policy=default)
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert mail["subject"] == "Votre reçu {{ x }}"
    assert mail["from"] == f"Le Parti <{FROM}>"
    assert text.get_content().startswith("Bonjour {{ first_name }} {% if %}\r\n")
    assert '<p style="x">Bonjour {{ first_name }}</p>' in " ".join(html.get_content().split())
    assert "https://parti.fr" not in html.get_content(), "its visits are counted"
    assert "/c/" in html.get_content()
    for part in (text, html):
        assert "/u/" in part.get_content(), "how to leave"
    assert mail["dkim-signature"]
    assert mail["list-unsubscribe"]
    assert letter.recipient == "camille@gmail.com"


async def test_smtplib_hands_over_a_mail_to_many(post: Post) -> None:
    def hand_over() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", post.server.port, timeout=30) as line:
            line.login("tocsin", post.program.secret)
            mail = a_mail()
            del mail["To"]
            mail["To"] = ", ".join(f"p{number}@gmail.com" for number in range(30))
            return line.send_message(mail)

    assert await asyncio.to_thread(hand_over) == {}
    assert len(await messages_of(post.program)) == 30
    assert len(set(await post.program.drain())) == 30


async def test_who_must_not_be_written_to_is_a_result_and_the_others_get_it(post: Post) -> None:
    async with post.program.site.database.write() as session:
        await a_contact(session, email="gone@gmail.com", email_consent=ConsentStatus.WITHDRAWN)
        await suppressions.suppress(
            session,
            channel=Channel.EMAIL,
            address_hash=address_hash(Channel.EMAIL, "bounced@gmail.com"),
            reason=SuppressionReason.HARD_BOUNCE,
            evidence="",
            event_id=None,
            now=post.program.site.clock.now(),
        )
    line = await post.signed_in()
    answer = await line.hand_over(a_mail(), "gone@gmail.com", "a@gmail.com", "bounced@gmail.com")
    assert answer == "250 2.0.0 Accepted: 3 messages, 2 of them suppressed"
    assert await post.program.drain() == ["a@gmail.com"]
    found = {one.address: (one.result, one.reason) for one in await messages_of(post.program)}
    assert found["gone@gmail.com"] == (MessageResult.SUPPRESSED, "withdrawn")
    one = await line.hand_over(a_mail(), "gone@gmail.com")
    assert one.startswith("250 2.0.0 Accepted as msg_")
    assert one.endswith(" suppressed: withdrawn")


async def test_purpose_reference_and_metadata_travel_with_it(post: Post) -> None:
    async with post.program.site.database.write() as session:
        await a_contact(session, email="yes@gmail.com")
    line = await post.signed_in()
    mail = a_mail(
        X_Tocsin_Purpose="campaign", X_Tocsin_Reference="don 42", X_Tocsin_Metadata='{"list": "dons"}'
    )
    answer = await line.hand_over(mail, "yes@gmail.com", "unknown@gmail.com")
    assert answer == "250 2.0.0 Accepted: 2 messages, 1 of them suppressed"
    for one in await messages_of(post.program):
        assert (one.purpose, one.reference, one.details) == (Purpose.CAMPAIGN, "don 42", {"list": "dons"})


async def test_a_mail_handed_over_again_after_a_lost_answer_is_the_same_message(post: Post) -> None:
    line = await post.signed_in()
    mail = a_mail(Message_ID="<42@crm.example>")
    first = await line.hand_over(mail)
    line.close()
    line = await post.signed_in()
    assert await line.hand_over(mail) == first
    assert len(await messages_of(post.program)) == 1
    # The server in between may come back for more people at once.
    assert (await line.hand_over(mail, "camille@gmail.com", "b@gmail.com")).startswith("250 ")
    assert [one.address for one in await messages_of(post.program)] == ["camille@gmail.com", "b@gmail.com"]
    # Another mail under the same number is another mail.
    other = await line.hand_over(a_mail("Autre chose", Message_ID="<42@crm.example>"))
    assert other.startswith("250 ")
    assert other != first
    assert len(await messages_of(post.program)) == 3
    # What bears no number is new each time.
    for _ in range(2):
        await line.hand_over(a_mail())
    assert len(await messages_of(post.program)) == 5


async def test_the_same_mail_handed_over_at_the_same_time_is_one(post: Post) -> None:
    lines = [await post.signed_in() for _ in range(8)]
    mail = a_mail(Message_ID="<42@crm.example>")
    answers = await asyncio.gather(*(line.hand_over(mail) for line in lines))
    assert {answer[:3] for answer in answers} <= {"250", "451"}
    assert any(answer.startswith("250") for answer in answers)
    assert len(await messages_of(post.program)) == 1


async def test_a_key_of_the_program_tells_mails_apart_and_belongs_to_one(post: Post) -> None:
    line = await post.signed_in()
    first = await line.hand_over(a_mail(X_Tocsin_Idempotency_Key="order-1", Message_ID="<1@crm>"))
    again = await line.hand_over(a_mail(X_Tocsin_Idempotency_Key="order-1", Message_ID="<2@crm>"))
    assert first == again
    other = await line.hand_over(a_mail("Autre", X_Tocsin_Idempotency_Key="order-1"))
    assert other.startswith("554 5.5.0 That X-Tocsin-Idempotency-Key")
    assert len(await messages_of(post.program)) == 1


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"From": "quelquun@ailleurs.fr"}, "550 5.7.1 This key may not write as quelquun@ailleurs.fr"),
        ({"From": f"{FROM}, autre@parti.fr"}, "554 5.6.0 The header From has to name one address"),
        ({"From": None}, "554 5.6.0 The header From has to name one address"),
        ({"Subject": None}, "554 5.6.0 The mail has no subject"),
        ({"Reply_To": "autre@ailleurs.fr"}, "554 5.6.0 Reply-To is the identity's"),
        ({"X_Tocsin_Purpose": "spam"}, "554 5.6.0 X-Tocsin-Purpose is"),
        ({"X_Tocsin_Metadata": "[1]"}, "554 5.6.0 X-Tocsin-Metadata is a JSON object"),
        ({"X_Tocsin_Refrence": "x"}, "554 5.6.0 The header X-Tocsin-Refrence is not known"),
        ({"text": "", "html": "<p><script>x()</script></p>"}, "554 5.6.0 Line 1"),
        ({"text": "   "}, "554 5.6.0 The mail says nothing"),
    ],
)
async def test_what_cannot_be_carried_is_refused_with_a_sentence(
    post: Post, changes: dict[str, str], answer: str
) -> None:
    line = await post.signed_in()
    told = await line.hand_over(a_mail(**changes))
    assert told.startswith(answer), told
    assert await messages_of(post.program) == []
    assert (await line.hand_over(a_mail())).startswith("250 "), "the line goes on"


async def test_a_reply_address_of_the_identity_is_no_objection(post: Post) -> None:
    line = await post.signed_in()
    assert (await line.hand_over(a_mail(Reply_To=f"Nous <{FROM.upper()}>"))).startswith("250 ")


async def test_attachments_are_refused(post: Post) -> None:
    mail = a_mail()
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="reçu.pdf")
    line = await post.signed_in()
    assert "application/pdf cannot be carried" in await line.hand_over(mail)
    assert await messages_of(post.program) == []


async def test_a_key_bound_to_identities_writes_as_no_other(site: Site) -> None:
    async with site.database.write() as session:
        other = await an_identity(session, key="autre", domain="autre.fr")
    program = await a_program(site, identity_ids=[other.id])
    post = await Post(program).open()
    line = await post.signed_in()
    assert (await line.hand_over(a_mail())).startswith("550 5.7.1 ")
    assert (await line.hand_over(a_mail(From="Autre@AUTRE.fr"))).startswith("250 ")
    await post.stop()


async def test_with_a_test_key_nothing_leaves(site: Site) -> None:
    program = await a_program(site, mode=KeyMode.TEST)
    post = await Post(program).open()
    line = await post.signed_in()
    assert (await line.hand_over(a_mail())).startswith("250 ")
    assert await program.drain() == []
    assert {one.mode for one in await messages_of(program)} == {KeyMode.TEST}
    await post.stop()


async def test_what_mails_say_is_kept_once_and_in_no_list_of_templates(post: Post) -> None:
    line = await post.signed_in()
    for address in ("a@gmail.com", "b@gmail.com"):
        await line.hand_over(a_mail(), address)
    async with post.program.site.database.read() as session:
        hidden = [one for one in (await session.exec(select(Template))).all() if one.hidden]
        assert len(hidden) == 1
        assert {one.name for one, _ in await templates.list_templates(session)} == {"Reçu", "SMS"}


async def test_whoever_sends_is_told_at_once(post: Post) -> None:
    line = await post.signed_in()
    await line.hand_over(a_mail())
    assert post.program.site.woken == 1


async def test_a_key_that_is_revoked_ends_its_sessions(post: Post) -> None:
    line = await post.signed_in()
    assert (await line.hand_over(a_mail())).startswith("250 ")
    async with post.program.site.database.write() as session:
        await api_keys.revoke_key(session, post.program.key_id, by="test", now=post.program.site.clock.now())
    assert (await line.say("MAIL FROM:<a@b.fr>")).startswith("535 5.7.8 This key has ended")
    assert await line.hear() == ""


@pytest.mark.parametrize("nature", Nature)
async def test_mails_of_campaigns_are_to_the_law_what_the_installation_says(
    program: Program, nature: Nature
) -> None:
    async with program.site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    post = await Post(program, nature=nature).open()
    line = await post.signed_in()
    for purpose in ("campaign", "transactional"):
        answer = await line.hand_over(a_mail(X_Tocsin_Purpose=purpose))
        assert answer.startswith("250 "), answer
    await post.stop()
    async with program.site.database.read() as session:
        found = (await session.exec(select(Campaign.nature).order_by(Campaign.id))).all()  # type: ignore[arg-type]
    assert found == [nature, Nature.CIVIC]
    await program.drain()
    labelled = [b"Annonce" in bytes(one.data) for one in program.site.postman.sent]  # type: ignore[union-attr]
    assert sorted(labelled) == [False, nature is Nature.POLITICAL]
