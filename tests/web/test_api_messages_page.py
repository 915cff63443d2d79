"""The page of what programs hand over: its streams, its latest messages, one found again."""

import pytest
from sqlmodel import col, select

from models.access import Role
from models.api import KeyMode
from models.campaign import Campaign
from tests.factories import a_contact
from tests.web.browsers import Site, parse_strictly
from tests.web.programs import a_program


async def test_before_the_first_message_the_page_says_how_to_begin(site: Site) -> None:
    admin, reader = await site.signed_in(Role.ADMIN), await site.signed_in(Role.READER)
    assert 'href="/api-keys"' in await admin.read("/api-messages")
    assert "An administrator gives it a key." in await reader.read("/api-messages")


async def test_readers_see_what_programs_handed_over_and_where_it_stands(site: Site) -> None:
    program = await a_program(site)
    await program.send(reference="don 42")
    await program.drain()
    await program.send(to={"email": "nobody@gmail.com"}, purpose="campaign")
    content = {"subject": "Bienvenue {{ first_name|default('') }} à bord", "html": "<p>Bonjour</p>"}
    body = {"to": {"email": "sacha@gmail.com"}, "content": content}
    assert (await program.call("POST", "/messages", body)).status_code == 202
    tester = await a_program(site, mode=KeyMode.TEST, furnished=False)
    await tester.send(to={"email": "essai@gmail.com"})
    reader = await site.signed_in(Role.READER)
    text = await reader.read("/api-messages")
    parse_strictly(text)
    for said in ("camille@gmail.com", "don 42", "Has left", "nobody agreed to it", "In the queue"):
        assert said in text, said
    assert "Bienvenue ‹first_name› à bord" in text
    assert "content/" not in text
    assert text.count('<span class="badge quiet">for a test</span>') == 2
    assert 'href="/deliveries/1"' in text
    assert "Reçu · API" not in await reader.read("/campaigns")


@pytest.mark.parametrize(
    ("sought", "found"),
    [("camille@gmail.com", True), ("don 42", True), ("CAMILLE@gmail.com", True), ("don 43", False)],
)
async def test_a_message_is_found_by_its_address_or_its_reference(
    site: Site, sought: str, found: bool
) -> None:
    program = await a_program(site)
    await program.send(reference="don 42")
    await program.send(reference="autre", to={"email": "sacha@gmail.com"})
    reader = await site.signed_in(Role.READER)
    text = await reader.read(f"/api-messages?q={sought}")
    assert ("don 42</small>" in text) is found
    assert ("No message with that address or reference." in text) is not found
    assert "sacha@gmail.com" not in text


async def test_more_messages_follow_on_the_next_page(site: Site) -> None:
    program = await a_program(site)
    for number in range(31):
        await program.send(reference=f"ref-{number:02}")
    reader = await site.signed_in(Role.READER)
    text = await reader.read("/api-messages")
    assert "ref-30" in text
    assert "ref-00" not in text
    assert "ref-00" in await reader.read("/api-messages?before=2")
    assert 'href="/api-messages?before=2"' in text


async def test_no_page_shows_the_mark_of_content_instead_of_what_it_says(site: Site) -> None:
    """Two braces that mean themselves are shown as two braces."""
    program = await a_program(site)
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    content = {"subject": 'Reçu {{ "{{" }} 42 de {{ first_name }}', "html": "<p>Bonjour</p>"}
    wish = {"to": {"email": "camille@gmail.com"}, "content": content, "reference": "don 42"}
    wish["variables"] = {"first_name": "Camille"}
    answer = await program.call("POST", "/messages", wish)
    assert answer.status_code == 202, answer.text
    await program.drain()
    (delivery,) = await program.deliveries()
    reader = await site.signed_in(Role.READER)
    number = delivery.campaign_id
    for path in (
        *("/api-messages", f"/deliveries/{delivery.id}", f"/campaigns/{number}"),
        *(f"/campaigns/{number}/report", f"/contacts/{delivery.contact_id}"),
    ):
        text = await reader.read(path)
        parse_strictly(text)
        assert "Reçu {{ 42 de ‹first_name›" in text, path
        assert "content/" not in text.replace("/content/", ""), path
    told = await reader.read(f"/deliveries/{delivery.id}")
    assert "<dd>don 42</dd>" in told
    assert 'href="/api-messages">API messages</a></p>' in told


async def test_the_report_of_what_programs_hand_over_adds_up_while_it_flows_and_afterwards(
    site: Site,
) -> None:
    program = await a_program(site)
    await program.send()
    await program.send(purpose="campaign", to={"email": "nobody@gmail.com"})
    reader = await site.signed_in(Role.READER)
    for _ in range(2):
        for delivery in await program.deliveries():
            text = await reader.read(f"/campaigns/{delivery.campaign_id}/report")
            assert "Every column adds up." in text
            assert "The sums do not come out" not in text
            assert "they rest on no consent" in text
            assert "people who agreed" not in text
            assert "people who agreed" not in await reader.read(f"/campaigns/{delivery.campaign_id}")
        await program.drain()


async def test_who_stops_messages_for_good_is_told_what_that_means(site: Site) -> None:
    program = await a_program(site)
    await program.send()
    editor = await site.signed_in(Role.EDITOR)
    async with site.database.read() as session:
        number = (await session.exec(select(Campaign.id).where(col(Campaign.stream_key).is_not(None)))).one()
    shown = await editor.read(f"/campaigns/{number}")
    assert "Stop these messages" in shown
    assert "Cancel the campaign" not in shown
    asked = await editor.read(f"/campaigns/{number}/cancel")
    parse_strictly(asked)
    assert "are refused from then on. A new version is a new start" in asked
    page = f"/campaigns/{number}/cancel"
    await editor.send_form(page, {}, page=page)
    refused = await program.send(reference="later")
    assert refused.status_code == 409
    assert "stopped for good by a person" in refused.json()["detail"]
