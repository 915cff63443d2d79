"""Segments, templates, contacts, files and suppressions on pages."""

import pytest

from models.access import Role
from models.identity import TerritoryKind
from models.states import Channel, ConsentStatus
from models.suppression import address_hash
from store import contacts, segments, suppressions, templates
from tests.factories import MJML, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Browser, Site

FILE = "E-mail;Prénom;Commune\ncamille@exemple.fr;Camille;Marseille\nnot an address;Sacha;Lyon\n"


async def editor(site: Site) -> Browser:
    """Two people of Marseille and one of Lyon; an editor signed in."""
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
        await a_contact(session, email="sacha@orange.fr")
        await a_contact(session, email="alex@free.fr", commune="Lyon")
    return await site.signed_in(Role.EDITOR)


async def test_a_rule_is_counted_part_by_part_while_it_is_written(site: Site) -> None:
    browser = await editor(site)
    news = (await browser.get("/segments/count", params={"text": "commune:Marseille or commune:Lyon"})).json()
    assert news["rows"] == [
        ["any of", "3", "depth0"],
        ["commune:Marseille", "2", "depth1"],
        ["commune:Lyon", "1", "depth1"],
        ["In this segment", "3", "will"],
    ]


async def test_what_a_rule_holds_is_shown_as_it_stands_and_never_as_html(site: Site) -> None:
    browser = await editor(site)
    fields = {"name": "Odd", "text": 'commune:"<b>100 % x</b>" or commune:Lyon'}
    for wish in ({"only_count": "1"}, {}):
        answer = await browser.send_form("/segments", {**fields, **wish}, page="/segments/new")
    page = answer.text + await browser.read("/segments/1")
    assert "<b>" not in page
    assert "&lt;b&gt;100 % x" in page


async def test_a_rule_that_cannot_be_read_is_said_and_not_saved(site: Site) -> None:
    browser = await editor(site)
    assert (await browser.get("/segments/count", params={"text": "comune:Lyon"})).json()["problem"]
    answer = await browser.send_form("/segments", {"name": "x", "text": "(("}, page="/segments/new")
    assert answer.status_code == 400
    assert ">((</textarea>" in answer.text
    async with site.database.read() as session:
        assert await segments.list_segments(session) == []


async def test_a_segment_is_saved_counted_and_saved_anew(site: Site) -> None:
    browser = await editor(site)
    fields = {"name": "Lyon", "text": "commune:Lyon"}
    answer = await browser.send_form("/segments", {**fields, "only_count": "1"}, page="/segments/new")
    assert "In this segment" in answer.text
    answer = await browser.send_form("/segments", fields, page="/segments/new")
    assert answer.headers["location"] == "/segments/1?said=segment-saved"
    await browser.send_form("/segments", {**fields, "text": "everyone"}, page="/segments/1")
    async with site.database.read() as session:
        assert [one.text for one in await segments.list_segments(session)] == ["everyone"]


async def test_a_template_begins_with_a_starter_and_each_save_is_a_version(site: Site) -> None:
    browser = await editor(site)
    text = await browser.read("/templates/new?starter=invitation")
    assert "&lt;mj-section" in text
    assert "Marseille" in await browser.read("/templates/starters/invitation")
    fields = {"name": "Lettre", "channel": "email", "subject": "Bonjour {{ first_name }}", "body": MJML}
    pairs = {**fields, "fallback_field": ["first_name", ""], "fallback_text": ["vous", ""]}
    answer = await browser.send_form("/templates", pairs, page="/templates/new?starter=email")
    assert answer.headers["location"] == "/templates/1?said=template-saved"
    await browser.send_form("/templates", {**pairs, "subject": "Bonsoir"}, page="/templates/1/edit")
    async with site.database.read() as session:
        newest, first = await templates.versions_of(session, 1)
    assert (first.fallbacks, first.number, newest.subject) == ({"first_name": "vous"}, 1, "Bonsoir")
    assert "Bonjour Camille" in await browser.read(f"/templates/1?version={first.id}")


@pytest.mark.parametrize(
    ("body", "words"), [("<mjml><mj-body><mj-text></mjml>", "Line 1"), ("{{ 1/0 ", "Line 1"), ("", "")]
)
async def test_a_template_that_cannot_be_compiled_is_shown_with_the_reason(
    site: Site, body: str, words: str
) -> None:
    browser = await editor(site)
    fields = {"name": "Lettre", "channel": "email", "subject": "Bonjour", "body": body}
    answer = await browser.send_form("/templates", fields, page="/templates/new?starter=email")
    assert answer.status_code == 400
    assert words in answer.text
    answer = await browser.send_form("/templates/preview", fields, page="/templates/new?starter=email")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    async with site.database.read() as session:
        assert await templates.list_templates(session) == []


async def test_the_preview_of_an_unsaved_template_is_read_by_somebody_imagined(site: Site) -> None:
    browser = await editor(site)
    fields = {"channel": "sms", "body": "Bonjour {{ first_name }} de {{ commune }}"}
    answer = await browser.send_form("/templates/preview", fields, page="/templates/new?starter=sms")
    assert "Bonjour Camille de Marseille" in answer.text
    assert "1 segment" in answer.text


async def test_a_file_brings_people_with_a_report_of_what_was_not_taken(site: Site) -> None:
    browser = await site.signed_in(Role.EDITOR)
    fields = {"csrf": await browser.csrf("/contacts/import"), "source": "adhésion 2026", "granted_email": "1"}
    upload = {"file": ("../mes contacts.csv", FILE.encode(), "text/csv")}
    answer = await browser.client.post("/contacts/import", data=fields, files=upload)
    assert answer.headers["location"] == "/contacts/import?said=contacts-imported"
    async with site.database.read() as session:
        camille = await contacts.find_contact(session, email="camille@exemple.fr")
    assert camille is not None
    assert camille.email_consent is ConsentStatus.GRANTED
    page = await browser.read("/contacts/import")
    assert "/contacts/import/1/report" in page
    report = await browser.get("/contacts/import/1/report")
    assert "not an address" in report.content.decode("utf-8-sig")
    kept = [path.name for path in (site.folder / "imports").iterdir()]
    assert [name for name in kept if not name.endswith(".report.csv")] == [], "the file itself is gone"


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (b"", {}, "Choose a file."),
        (FILE.encode(), {"granted_sms": "1"}, "Say where and how these people agreed"),
        (b"\x00\x01\x02", {}, ""),
    ],
)
async def test_a_file_that_is_no_table_changes_nothing(
    site: Site, content: bytes, fields: dict[str, str], words: str
) -> None:
    browser = await site.signed_in(Role.EDITOR)
    sent = {"csrf": await browser.csrf("/contacts/import"), **fields}
    upload = {"file": ("a.csv", content, "text/csv")} if content else {}
    answer = await browser.client.post("/contacts/import", data=sent, files=upload)
    assert answer.status_code == 400
    assert words in answer.text
    async with site.database.read() as session:
        assert await contacts.page_contacts(session) == []


async def test_a_person_is_found_by_address_and_the_list_by_rule(site: Site) -> None:
    browser = await editor(site)
    answer = await browser.send_form("/contacts/find", {"wanted": " ALEX@free.fr"}, page="/contacts")
    assert answer.headers["location"] == "/contacts/3"
    answer = await browser.send_form("/contacts/find", {"wanted": "nobody@free.fr"}, page="/contacts")
    assert answer.status_code == 404
    text = await browser.read("/contacts?rule=commune:Lyon")
    assert "1 person fits the rule." in text
    assert "alex@free.fr" in text
    assert "sacha@orange.fr" not in text


async def test_a_person_s_page_holds_the_proof_of_what_they_agreed_to(site: Site) -> None:
    browser = await editor(site)
    upload = {"file": ("a.csv", "email,birth date,region\nlea@free.fr,1951-08-13,Bretagne\n", "text/csv")}
    fields = {"csrf": await browser.csrf("/contacts/import"), "source": "adhésion 2026", "granted_email": "1"}
    await browser.client.post("/contacts/import", data=fields, files=upload)
    found = await browser.send_form("/contacts/find", {"wanted": "lea@free.fr"}, page="/contacts")
    text = await browser.read(found.headers["location"])
    assert '<th scope="row">Agreed</th><td>adhésion 2026</td>' in text
    assert "Bretagne (53)" in text
    assert "13 Aug 1951" in text


async def test_a_territory_is_told_by_its_name(site: Site) -> None:
    browser = await editor(site)
    async with site.database.write() as session:
        identity = await an_identity(
            session, key="bretagne", territory=TerritoryKind.REGION, territory_value="53"
        )
    for page in ("/identities", f"/identities/{identity.id}"):
        assert "Region Bretagne (53)" in await browser.read(page)


async def test_an_address_is_suppressed_and_let_go_again_each_with_its_reason(site: Site) -> None:
    browser = await editor(site)
    fields = {"channel": "email", "address": "Camille@GMAIL.com"}
    answer = await browser.send_form("/suppressions/look", fields, page="/suppressions")
    assert "This address was never suppressed." in answer.text
    answer = await browser.send_form("/suppressions/add", fields, page="/suppressions")
    assert answer.status_code == 400, "a reason is needed"
    await browser.send_form("/suppressions/add", {**fields, "why": "wrote to us"}, page="/suppressions")
    answer = await browser.send_form("/suppressions/look", fields, page="/suppressions")
    assert "editor@parti.example: wrote to us" in answer.text
    await browser.send_form("/suppressions/lift", {**fields, "why": "came back"}, page="/suppressions")
    fingerprint = address_hash(Channel.EMAIL, "camille@gmail.com")
    async with site.database.read() as session:
        (row,) = await suppressions.history(session, Channel.EMAIL, fingerprint)
    assert row.lifted_why == "editor@parti.example: came back"


async def test_a_persons_page_shows_what_was_suppressed_and_lifted_and_why(site: Site) -> None:
    async with site.database.write() as session:
        contact = await a_contact(session, email="dominique@gmail.com")
    browser = await editor(site)
    fields = {"channel": "email", "address": "dominique@gmail.com"}
    await browser.send_form("/suppressions/add", {**fields, "why": "wrote to us"}, page="/suppressions")
    shown = await browser.read(f"/contacts/{contact.id}")
    assert "On the suppression list" in shown
    assert "editor@parti.example: wrote to us" in shown
    await browser.send_form("/suppressions/lift", {**fields, "why": "came back"}, page="/suppressions")
    shown = await browser.read(f"/contacts/{contact.id}")
    assert "On the suppression list" not in shown
    assert "editor@parti.example: came back" in shown


async def test_readers_see_no_button_they_may_not_press(site: Site) -> None:
    async with site.database.write() as session:
        await a_segment(session)
        await a_template(session)
    browser = await site.signed_in(Role.READER)
    for path in ("/campaigns", "/segments", "/segments/1", "/templates", "/templates/1", "/contacts"):
        text = await browser.read(path)
        assert "/new" not in text, path
        assert "/edit" not in text, path
        assert "/contacts/import" not in text, path
