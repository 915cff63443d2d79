"""What messages of programs are to the law: labelled, silent before a vote, in the register, or not."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlmodel import col, select, update

from models.access import Role
from models.api import KeyMode
from models.campaign import Campaign
from models.contact import Contact
from models.identity import TerritoryKind
from models.states import Channel, ConsentStatus, Nature
from models.template import TemplateVersion
from models.values import EmailEnvelope
from store.register import register_rows
from tests.clocks import ManualClock
from tests.factories import a_contact, an_identity
from tests.scheduler.voting import at, entered
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from web import create_app

WHAT = "Annonce à caractère politique"
CHOSEN = "choisies selon les critères"
NEWS: dict[str, Any] = {"subject": "News", "html": "<p>Hello {{ first_name }}</p>"}


@pytest.fixture
async def program(site: Site) -> Program:
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    return await a_program(site)


async def send(program: Program, nature: str | None = None, **changes: Any) -> dict[str, Any]:
    content = NEWS | ({} if nature is None else {"nature": nature})
    wish = {"to": {"email": "camille@gmail.com"}, "content": content, "purpose": "campaign"}
    answer = await program.call("POST", "/messages", wish | changes)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def texts(program: Program) -> list[str]:
    """The text parts of what left."""
    found = []
    for one in program.site.postman.sent:
        assert isinstance(one, EmailEnvelope)
        mail = email.message_from_bytes(bytes(one.data), _class=EmailMessage, policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        found.append(str(body.get_content()))
    return found


async def natures(site: Site) -> list[Nature]:
    async with site.database.read() as session:
        found = (await session.exec(select(Campaign.nature).order_by(col(Campaign.id)))).all()
    return [Nature(one) for one in found]


def saying(site: Site, nature: Nature) -> None:
    """The installation says so of what nobody says it of."""
    site.context = replace(site.context, nature=nature)
    site.app = create_app(site.context)


async def state_of(program: Program, message: dict[str, Any]) -> tuple[str, str]:
    told = (await program.call("GET", f"/messages/{message['id']}")).json()
    return told["status"], told["reason"] or ""


@pytest.mark.parametrize("nature", Nature)
async def test_what_is_political_says_so_and_stands_in_the_register(program: Program, nature: Nature) -> None:
    await send(program, nature)
    await program.drain()
    (text,) = texts(program)
    political = nature is Nature.POLITICAL
    assert (WHAT in text, "/notice/" in text, CHOSEN in text) == (political, political, False)
    async with program.site.database.read() as session:
        assert len(await register_rows(session)) == political
    assert await natures(program.site) == [nature]


async def test_its_notice_does_not_say_that_nobody_was_chosen(site: Site, program: Program) -> None:
    """Only the program knows whom it chose, and by what."""
    await send(program, "political")
    await program.drain()
    address = re.search(r"/notice/\w+", texts(program)[0])
    assert address is not None
    notice = await site.browser().read(address.group())
    assert "A program of the sender asked for each of these messages" in notice
    assert ("nobody was chosen" in notice, "“News”" in notice) == (False, True)
    compliance = await (await site.signed_in(Role.READER)).read("/compliance")
    assert ("News" in compliance, "content/" in compliance) == (True, False)
    async with site.database.read() as session:
        (row,) = await register_rows(session)
    assert (row.name, row.template, row.by_program) == ("News", "News", True)


async def test_the_register_names_templates_as_people_do(site: Site, program: Program) -> None:
    to = {"phone": "+33612345678"}
    async with site.database.write() as session:
        await session.exec(update(Contact).values(phone="+33612345678", sms_consent=ConsentStatus.GRANTED))
        await session.exec(
            update(TemplateVersion).values(nature=Nature.POLITICAL, body="News. STOP au 36180")
        )
    await send(program, content=None, template={"id": "SMS"}, to=to)
    await send(program, content={"text": "Other news. STOP 36180", "nature": "political"}, to=to)
    async with site.database.read() as session:
        rows = await register_rows(session)
    assert [row.name for row in rows] == ["Other news. STOP 36180", "SMS"]


@pytest.mark.parametrize("nature", Nature)
async def test_before_a_vote_what_is_civic_leaves_and_nothing_else(
    program: Program, clock: ManualClock, nature: Nature
) -> None:
    await entered(program.site.database)
    clock.advance(at("2026-03-14 12:00") - clock.now())
    message = await send(program, nature, respect_quiet_hours=False)
    assert bool(await program.drain()) is (nature is Nature.CIVIC)
    status, reason = await state_of(program, message)
    if nature is not Nature.CIVIC:
        assert (status, "Municipales" in reason) == ("expired", True)


async def test_a_receipt_is_no_propaganda_whatever_its_content_says(
    program: Program, clock: ManualClock
) -> None:
    await entered(program.site.database)
    clock.advance(at("2026-03-14 12:00") - clock.now())
    await send(program, "political", purpose="transactional")
    assert await program.drain() == ["camille@gmail.com"]
    assert WHAT not in texts(program)[0]


@pytest.mark.parametrize("nature", Nature)
async def test_unless_said_it_is_what_the_installation_says(site: Site, nature: Nature) -> None:
    saying(site, nature)
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    program = await a_program(site)
    await send(program)
    await send(program, content=None, template={"id": "Reçu"}, variables={"first_name": "Camille"})
    await program.drain()
    assert await natures(site) == [nature] * 2
    assert [WHAT in text for text in texts(program)] == [nature is Nature.POLITICAL] * 2


async def test_what_was_said_of_a_version_holds(site: Site, program: Program) -> None:
    async with site.database.write() as session:
        await session.exec(update(TemplateVersion).values(nature=Nature.CIVIC))
    saying(site, Nature.POLITICAL)
    again = await a_program(site, furnished=False)
    await send(again, content=None, template={"id": "Reçu"}, variables={"first_name": "Camille"})
    assert await natures(site) == [Nature.CIVIC]


async def test_the_same_words_may_be_political_and_not(program: Program) -> None:
    await send(program, "political")
    await send(program, "civic")
    await send(program, purpose="transactional")
    await program.drain()
    assert sorted(WHAT in text for text in texts(program)) == [False, False, True]
    assert await natures(program.site) == [Nature.POLITICAL, Nature.CIVIC, Nature.CIVIC]


async def test_tests_are_in_no_register(site: Site, program: Program) -> None:
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    await send(tester, "political")
    async with site.database.read() as session:
        assert await register_rows(session) == []


@pytest.mark.parametrize("consent", ConsentStatus)
async def test_whoever_is_written_to_by_place_has_agreed_to_that(
    site: Site, program: Program, consent: ConsentStatus
) -> None:
    async with site.database.write() as session:
        await an_identity(
            session, key="13", domain="13.fr", territory=TerritoryKind.DEPARTEMENT, territory_value="13"
        )
        await session.exec(update(Contact).values(targeting_consent=consent))
    # What is sent in everybody's name is not chosen by it, though it says the same.
    await send(program, "political", identity="national")
    message = await send(program, "political", identity="13")
    await program.drain()
    left = texts(program)
    assert all(WHAT in text for text in left)
    granted = consent is ConsentStatus.GRANTED
    assert sorted(CHOSEN in text for text in left) == ([False, True] if granted else [False])
    status, reason = await state_of(program, message)
    if consent is not ConsentStatus.GRANTED:
        assert (status, "targeting" in reason) == ("suppressed", True)


@pytest.mark.parametrize(("years", "state"), [(16, "suppressed"), (17, "sent"), (None, "sent")])
async def test_whoever_is_known_to_be_too_young_is_not_chosen(
    site: Site, program: Program, years: int | None, state: str
) -> None:
    born = None if years is None else site.clock.now().date() - timedelta(days=years * 366)
    async with site.database.write() as session:
        await an_identity(
            session, key="13", domain="13.fr", territory=TerritoryKind.DEPARTEMENT, territory_value="13"
        )
        await session.exec(update(Contact).values(targeting_consent=ConsentStatus.GRANTED, birth_date=born))
    message = await send(program, "political", identity="13")
    everybodys = await send(program, "political", identity="national")
    await program.drain()
    assert (await state_of(program, message))[0] == state
    assert (await state_of(program, everybodys))[0] == "sent"


async def test_a_text_message_of_a_campaign_is_something_to_the_law_too(site: Site, program: Program) -> None:
    assert Channel.SMS not in site.context.transports
    text = {"text": "News. STOP au 36180", "nature": "political"}
    async with site.database.write() as session:
        await session.exec(update(Contact).values(phone="+33612345678", sms_consent=ConsentStatus.GRANTED))
    await send(program, to={"phone": "+33612345678"}, content=text)
    assert await natures(site) == [Nature.POLITICAL]


async def test_a_nature_nobody_knows_is_refused_by_name(program: Program) -> None:
    wish = {"to": {"email": "camille@gmail.com"}, "content": NEWS | {"nature": "commercial"}}
    answer = await program.call("POST", "/messages", wish)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "content.nature")


async def test_a_stream_that_ended_goes_on_as_it_was(program: Program, clock: ManualClock) -> None:
    await send(program, "political")
    await program.drain()
    clock.advance(timedelta(days=1))
    await send(program, "political")
    assert await natures(program.site) == [Nature.POLITICAL]


async def test_a_text_part_of_its_own_ends_with_the_label_too(program: Program) -> None:
    await send(program, "political", content=NEWS | {"text": "Hello {{ first_name }}", "nature": "political"})
    await program.drain()
    (text,) = texts(program)
    assert text.startswith("Hello Camille")
    assert (
        text.replace("\r\n", "\n")
        .rstrip()
        .rpartition("\n\n")[2]
        .startswith(f"{WHAT}\nPour le compte de\u00a0: Le Parti\n")
    )
    assert re.search(r"Avis de transparence\s?: https://\S+/notice/\w+$", text.rstrip())


async def test_content_in_which_the_label_would_not_be_seen_is_refused_at_once(program: Program) -> None:
    hidden = "<html><head><style>span { display: none }</style></head><body><p>Hello</p></body></html>"
    for nature, status in (("political", 422), ("civic", 202)):
        content = {"subject": "News", "html": hidden, "nature": nature}
        wish = {"to": {"email": "camille@gmail.com"}, "content": content, "purpose": "campaign"}
        answer = await program.call("POST", "/messages", wish)
        assert answer.status_code == status, answer.text
        if status == 422:
            assert (answer.json()["code"], "label" in answer.json()["detail"]) == ("unusable", True)
