"""Messages that bring their content instead of naming a template, and what they cost."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from models.template import Template
from models.values import EmailEnvelope
from scheduler.pricing import Price, say_cost
from store import templates
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from web import create_app

HTML = """<!DOCTYPE html><html><head><style>p{color:#123456}</style></head>
<body><p>Bonjour {{ first_name }}</p><a href='https://exemple.fr/recu'>Voir</a></body></html>"""
MAIL = {"subject": "Reçu de {{ first_name }}", "html": HTML}
SMS_TO = {"phone": "+33612345678"}


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site)


async def say(program: Program, content: dict[str, Any], **changes: Any) -> Any:
    body = {
        "to": {"email": "camille@gmail.com"},
        "content": content,
        "variables": {"first_name": "Camille"},
    } | changes
    return await program.call("POST", "/messages", body)


def mails(program: Program) -> list[str]:
    """The e-mails that left, as they went over the wire."""
    sent = program.site.postman.sent
    return [bytes(one.data).decode() for one in sent if isinstance(one, EmailEnvelope)]


async def hidden(program: Program) -> int:
    async with program.site.database.read() as session:
        wanted = select(sa.func.count()).select_from(Template).where(Template.hidden)
        return (await session.exec(wanted)).one()


async def test_html_of_ones_own_is_sent_with_its_styles_and_our_links(program: Program) -> None:
    answer = await say(program, MAIL)
    assert answer.status_code == 202, answer.text
    assert await program.drain() == ["camille@gmail.com"]
    (sent,) = mails(program)
    assert "p{color:#123456}" in sent
    assert "Bonjour Camille" in sent
    assert "exemple.fr/recu" not in sent
    assert "/c/" in sent
    assert "List-Unsubscribe:" in sent
    found = (await program.call("GET", f"/messages/{answer.json()['id']}")).json()
    assert found["status"] == "sent"


async def test_the_same_content_is_kept_once_and_in_no_list(program: Program) -> None:
    first = (await say(program, MAIL)).json()
    second = (await say(program, MAIL, variables={"first_name": "Sacha"})).json()
    other = (await say(program, MAIL | {"subject": "Autre"})).json()
    assert first["template"] == second["template"] != other["template"]
    assert await hidden(program) == 2
    listed = (await program.call("GET", "/templates")).json()["data"]
    assert sorted(one["name"] for one in listed) == ["Reçu", "SMS"]
    async with program.site.database.read() as session:
        shown = [template.name for template, _ in await templates.list_templates(session)]
    assert shown == ["Reçu", "SMS"]
    by_number = (await program.call("GET", f"/templates/{first['template']['id']}")).json()
    assert by_number["hidden"] is True


async def test_mjml_and_texts_are_content_too(program: Program) -> None:
    said = "<mj-section><mj-column><mj-text>Salut</mj-text></mj-column></mj-section>"
    mjml = f"<mjml><mj-body>{said}</mj-body></mjml>"
    assert (await say(program, {"subject": "a", "mjml": mjml, "text": "Salut en texte"})).status_code == 202
    piece = {"subject": "a", "html": "<p>Un bout</p>"}
    assert (await say(program, piece)).status_code == 202
    sms = await say(program, {"text": "Bonjour {{ first_name }}"}, to=SMS_TO)
    assert (sms.status_code, sms.json()["channel"], sms.json()["segments"]) == (202, "sms", 1)
    await program.drain()
    assert any("Salut en texte" in one for one in mails(program))


@pytest.mark.parametrize(
    ("content", "changes", "code", "field"),
    [
        ({"subject": "a"}, {}, "invalid", "content"),
        ({"html": HTML}, {}, "invalid", "content"),
        ({"subject": "a", "html": HTML, "mjml": "<mjml/>"}, {}, "invalid", "content"),
        (MAIL, {"template": {"id": "Reçu"}}, "invalid", ""),
        (MAIL, {"to": SMS_TO}, "channel_mismatch", "to"),
        ({"subject": "a", "html": "<script>x</script>"}, {}, "unusable", "content"),
        ({"subject": "a", "mjml": "<mjml>"}, {}, "unusable", "content"),
        ({"subject": "{{", "html": HTML}, {}, "unusable", "content"),
        (MAIL, {"variables": {}}, "missing_variables", "variables.first_name"),
        ({"text": "Votez"}, {"to": SMS_TO, "purpose": "campaign"}, "no_way_to_leave", "content.text"),
    ],
)
async def test_content_that_cannot_be_sent_is_refused_with_the_part(
    program: Program, content: dict[str, Any], changes: dict[str, Any], code: str, field: str
) -> None:
    answer = await say(program, content, **changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    assert answer.json()["errors"][0]["field"] == field
    assert await program.deliveries() == []


async def test_a_message_says_something(program: Program) -> None:
    answer = await program.call("POST", "/messages", {"to": {"email": "a@gmail.com"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_text_message_costs_its_segments(site: Site) -> None:
    site.context = replace(site.context, price=Price(Decimal("0.0491")))
    site.app = create_app(site.context)
    program = await a_program(site)
    long = "é" * 200
    told = (await say(program, {"text": long}, to=SMS_TO)).json()
    assert (told["segments"], told["estimated_cost"]) == (2, "0.0982")
    found = (await program.call("GET", f"/messages/{told['id']}")).json()
    assert found["estimated_cost"] == "0.0982"
    assert "estimated_cost" not in (await say(program, MAIL)).json()
    suppressed = await say(program, {"text": "Votez. STOP au 36000"}, to=SMS_TO, purpose="campaign")
    assert (suppressed.json()["status"], suppressed.json().get("estimated_cost")) == ("suppressed", None)


def test_costs_are_told_exactly() -> None:
    assert [say_cost(cost) for cost in (None, 0, 5_000, 4_910, 1, 12_300_000)] == [
        None,
        "0.00",
        "0.05",
        "0.0491",
        "0.00001",
        "123.00",
    ]
