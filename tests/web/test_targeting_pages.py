"""Consent to targeting on the page of a contact, and what the form of a campaign says of targeting."""

import re

from audience.targeting import record_targeting
from models.access import Role
from models.states import ConsentStatus
from store import Database, contacts, targeting
from tests.clocks import START
from tests.factories import a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Site, parse_strictly
from tests.web.test_public import send_message

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN


async def somebody(database: Database) -> int:
    async with database.write() as session:
        return (await a_contact(session)).id


async def known(database: Database, number: int) -> tuple[ConsentStatus, list[tuple[ConsentStatus, str]]]:
    async with database.read() as session:
        contact = await contacts.get_contact(session, number)
        said = await targeting.statements_of(session, number, limit=9)
        return contact.targeting_consent, [(one.status, one.source) for one in said]


async def test_what_a_person_said_is_kept_with_where_and_who_wrote_it_down(site: Site) -> None:
    number = await somebody(site.database)
    browser = await site.signed_in(Role.EDITOR)
    form, page = f"/contacts/{number}/targeting", f"/contacts/{number}"
    assert not re.search(r'name="status"[^>]* checked', await browser.read(page))
    answer = await browser.send_form(form, {"status": "granted", "source": "bulletin papier"}, page=page)
    assert answer.headers["location"] == f"{page}?said=targeting-granted"
    proof = "bulletin papier (editor@parti.example)"
    assert await known(site.database, number) == (GRANTED, [(GRANTED, proof)])
    text = await browser.read(page)
    assert "Being chosen by their data" in text
    assert proof in text
    # What was said before does not undo what was said since; it is proof all the same.
    before = {"status": "withdrawn", "source": "courrier", "day": "2026-01-05"}
    answer = await browser.send_form(form, before, page=page)
    assert answer.headers["location"] == f"{page}?said=targeting-granted"
    answer = await browser.send_form(form, {"status": "withdrawn", "source": "courriel"}, page=page)
    assert answer.headers["location"] == f"{page}?said=targeting-withdrawn"
    status, said = await known(site.database, number)
    assert (status, len(said)) == (WITHDRAWN, 3)


async def test_a_statement_nobody_could_prove_is_not_taken(site: Site) -> None:
    number = await somebody(site.database)
    browser = await site.signed_in(Role.EDITOR)
    form, page = f"/contacts/{number}/targeting", f"/contacts/{number}"
    for fields, problem in (
        ({"status": "granted", "source": " "}, "Nobody could prove this consent."),
        ({"status": "", "source": "x"}, "This says nothing of consent."),
        ({"status": "granted", "source": "x", "day": "2030-01-01"}, "cannot come from the future"),
        ({"status": "granted", "source": "x", "day": "hier"}, "is no day"),
    ):
        answer = await browser.send_form(form, fields, page=page)
        assert answer.status_code == 400
        assert problem in answer.text
    assert await known(site.database, number) == (UNKNOWN, [])


async def test_a_reader_sees_consents_and_changes_none(site: Site) -> None:
    number = await somebody(site.database)
    browser = await site.signed_in(Role.READER)
    text = await browser.read(f"/contacts/{number}")
    assert "Consent to targeting" in text
    assert f"/contacts/{number}/targeting" not in text
    fields = {"csrf": await browser.csrf("/account"), "status": "granted", "source": "x"}
    answer = await browser.client.post(f"/contacts/{number}/targeting", data=fields)
    assert answer.status_code == 403


async def test_the_form_of_a_campaign_says_what_makes_it_targeted(site: Site) -> None:
    async with site.database.write() as session:
        await a_contact(session)
        (await a_contact(session)).targeting_consent = GRANTED
        everyone, marseille = await a_segment(session), await a_segment(session, "commune:Marseille")
        version, sender = await a_template(session), await an_identity(session)
    browser = await site.signed_in(Role.EDITOR)
    fields = {"version": str(version.id), "identity": str(sender.id), "nature": "political"}
    news = (await browser.get("/campaigns/count", params={**fields, "include": str(marseille.id)})).json()
    assert ["− Did not agree to be chosen by their data", "1", "less"] in news["rows"]
    assert news["rows"][-1] == ["Will receive it", "1", "will"]
    assert news["values"]["advert"].startswith(
        "Political, and chosen by people’s data: the segments (commune)."
    )
    whole = {**fields, "include": str(everyone.id)}
    news = (await browser.get("/campaigns/count", params=whole)).json()
    assert news["values"]["advert"].startswith("The same message to the whole list")
    civic = (await browser.get("/campaigns/count", params={**whole, "nature": "civic"})).json()
    assert civic["values"]["advert"] == ""
    answer = await browser.send_form("/campaigns", {**whole, "only_count": "1"}, page="/campaigns/new")
    assert "The same message to the whole list" in answer.text


async def test_where_nobody_is_left_the_form_says_what_to_do(site: Site) -> None:
    async with site.database.write() as session:
        (await a_contact(session)).email_consent = UNKNOWN
        everyone, version = await a_segment(session), await a_template(session)
        sender = await an_identity(session)
    browser = await site.signed_in(Role.EDITOR)
    chosen = {"version": str(version.id), "identity": str(sender.id), "include": str(everyone.id)}
    news = (await browser.get("/campaigns/count", params={**chosen, "nature": "civic"})).json()
    assert news["values"]["advert"].startswith("Nobody would get it: nobody has agreed to it yet.")
    async with site.database.write() as session:
        person = await a_contact(session)
        marseille = await a_segment(session, "commune:Marseille")
    assert person.targeting_consent is UNKNOWN
    targeted = {**chosen, "include": str(marseille.id), "nature": "political", "basis": "legitimate_interest"}
    news = (await browser.get("/campaigns/count", params=targeted)).json()
    assert "nobody has agreed to be chosen by their data. Write the same" in news["values"]["advert"]


async def test_who_stays_takes_back_the_consent_to_targeting_by_one_button(site: Site) -> None:
    sent = await send_message(site, language="en")
    number = sent.delivery.contact_id or 0
    page = f"/u/{sent.leave}"
    assert f"{page}/targeting" not in await site.browser().read(page), "there is nothing to take back"
    async with site.database.write() as session:
        await record_targeting(session, number, GRANTED, source="stand", given_at=None, now=START)
    text = await site.browser().read(page)
    parse_strictly(text)
    assert f"{page}/targeting" in text
    assert (await known(site.database, number))[0] is GRANTED, "looking changes nothing"
    answer = await site.browser().post(f"{page}/targeting")
    assert answer.status_code == 200
    assert "Nothing is chosen for you any more" in answer.text
    assert (await site.browser().post(f"{page}/targeting")).status_code == 200
    status, said = await known(site.database, number)
    assert (status, said[0]) == (WITHDRAWN, (WITHDRAWN, "the link in a message"))
    async with site.database.read() as session:
        assert (await contacts.get_contact(session, number)).email_consent is GRANTED
    assert (await site.browser().post("/u/nonsense/targeting")).status_code == 404
