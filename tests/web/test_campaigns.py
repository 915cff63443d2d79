"""Campaigns on pages: made, counted, previewed, scheduled, followed, stopped, reported."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.access import Role
from models.campaign import AudienceRole, Campaign
from models.pace import LimitScope, Measure, PaceLimit
from models.states import CampaignState, Channel, ConsentStatus, DeliveryState
from models.values import Refused, Reply
from scheduler.campaigns import instant
from scheduler.expansion import launch
from scheduler.pacing import SPANS, share_key
from store import campaigns, deliveries, limits
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Browser, Site, parse_strictly


async def prepare(site: Site) -> Browser:
    """Three people, one of whom withdrew; a segment, two templates, an identity; an editor signed in."""
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com", first_name="Camille")
        await a_contact(session, email="sacha@orange.fr", first_name="Sacha", commune="Lyon")
        await a_contact(session, email="alex@free.fr", email_consent=ConsentStatus.WITHDRAWN)
        await a_segment(session, name="Everybody")
        await a_segment(session, "commune:Lyon", name="Lyon")
        await a_template(session, name="Letter")
        await a_template(session, channel=Channel.SMS, name="Text", fallbacks={"first_name": "vous"})
        await an_identity(session)
    return await site.signed_in(Role.EDITOR)


FORM = {"name": "Réunion", "version": "1", "include": "1", "identity": "1", "basis": "consent", "rule": "one"}


async def only_campaign(site: Site) -> Campaign:
    async with site.database.read() as session:
        (found,) = await campaigns.list_campaigns(session)
    return found


async def test_without_campaigns_the_first_page_explains_the_first_steps(site: Site) -> None:
    browser = await site.signed_in(Role.EDITOR)
    assert "Four things, then the first campaign" in await browser.read("/campaigns")


async def test_the_count_says_who_is_targeted_who_is_left_out_and_who_receives(site: Site) -> None:
    browser = await prepare(site)
    answer = await browser.get("/campaigns/count", params={**FORM, "exclude": "2"})
    news = answer.json()
    assert news["rows"] == [
        ["Targeted", "3", ""],
        ["− In an excluded segment", "1", "less"],
        ["− Withdrew their consent", "1", "less"],
        ["Will receive it", "1", "will"],
    ]
    assert news["people"] == [["1", "Camille · camille@gmail.com"]]
    assert news["values"]["subject"] == "Bonjour Camille"
    assert news["problem"] == ""


async def test_the_same_count_is_shown_to_who_has_no_scripts_and_nothing_is_made(site: Site) -> None:
    browser = await prepare(site)
    answer = await browser.send_form("/campaigns", {**FORM, "only_count": "1"}, page="/campaigns/new")
    document = parse_strictly(answer.text)
    (count,) = [one for one in document.iter() if one.get("id") == "count"]
    assert "Will receive it" in "".join(count.itertext())
    async with site.database.read() as session:
        assert await campaigns.list_campaigns(session) == []


async def test_an_empty_choice_counts_nobody_and_says_so(site: Site) -> None:
    browser = await prepare(site)
    news = (await browser.get("/campaigns/count", params={"version": "1"})).json()
    assert news["rows"] == []
    assert (news["hint"], news["problem"]) == ("Choose at least one segment to write to.", "")
    hint = '<p class="hint" data-hint>Choose at least one segment to write to.</p>'
    assert hint in await browser.read("/campaigns/new"), "no mistake before anything was done"
    answer = await browser.send_form("/campaigns", {"version": "1", "only_count": "1"}, page="/campaigns/new")
    assert "data-problem>Choose at least one segment to write to.</p>" in answer.text
    assert hint not in answer.text


async def test_a_text_message_is_previewed_with_its_segments(site: Site) -> None:
    browser = await prepare(site)
    async with site.database.write() as session:
        await a_contact(session, email=None, phone="+33612345678", first_name="Noé")
    news = (await browser.get("/campaigns/count", params={**FORM, "version": "2"})).json()
    assert news["channel"] == "sms"
    assert news["values"]["sms"].startswith("Bonjour Noé")
    assert news["values"]["segments"] == "1 segment"
    assert news["values"]["sender"] == "PARTI"


async def test_the_preview_is_what_a_real_person_would_read(site: Site) -> None:
    browser = await prepare(site)
    news = (await browser.get("/campaigns/count", params={**FORM, "contact": "2"})).json()
    text = await browser.read(news["preview"])
    assert "Bonjour Sacha" in text
    assert "rendez-vous" in text


async def test_one_form_makes_and_schedules_a_campaign(site: Site) -> None:
    browser = await prepare(site)
    fields = {
        **FORM,
        "exclude": "2",
        "with_seeds": "1",
        "moment": "at",
        "day": "2026-03-29",
        "time": "08:30",
        "zone": "America/Guadeloupe",
    }
    answer = await browser.send_form("/campaigns", fields, page="/campaigns/new")
    assert answer.headers["location"] == "/campaigns/1?said=campaign-scheduled"
    made = await only_campaign(site)
    assert (made.state, made.zone, made.with_seeds) == (CampaignState.SCHEDULED, "America/Guadeloupe", True)
    assert made.starts_at == instant(datetime(2026, 3, 29, 8, 30), "America/Guadeloupe")  # noqa: DTZ001
    async with site.database.read() as session:
        roles = [role for _, role in await campaigns.segments_of(session, made.id)]
    assert roles == [AudienceRole.INCLUDE, AudienceRole.EXCLUDE]
    assert site.woken == 1
    page = await browser.read(answer.headers["location"])
    assert "The campaign is scheduled." in page
    assert "2026-03-29 08:30:00, America/Guadeloupe" in page


async def test_now_means_now(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, "moment": "now"}, page="/campaigns/new")
    made = await only_campaign(site)
    assert made.starts_at == datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    assert site.woken == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "A campaign needs a name."),
        ({"version": ""}, "Choose a template."),
        ({"include": ""}, "A campaign needs a segment to write to."),
        ({"include": "99"}, "There is no segment number 99."),
        ({"identity": ""}, "A campaign needs a sender identity."),
        ({"moment": "at", "day": "", "time": ""}, "Say on which day and at what time the campaign starts."),
        ({"moment": "at", "day": "2026-03-29", "time": "08:30", "zone": "Mars/Base"}, "no time zone"),
    ],
)
async def test_what_is_missing_is_said_and_what_was_typed_is_kept(
    site: Site, change: dict[str, str], words: str
) -> None:
    browser = await prepare(site)
    answer = await browser.send_form("/campaigns", {**FORM, **change}, page="/campaigns/new")
    assert answer.status_code == 400
    assert words in answer.text.replace("&#39;", "'")
    if change.get("name") is None:
        assert 'value="Réunion"' in answer.text
    async with site.database.read() as session:
        assert await campaigns.list_campaigns(session) == [], "all or nothing"


async def start(site: Site) -> tuple[Browser, int]:
    """A campaign that is being sent to two people."""
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, "moment": "now"}, page="/campaigns/new")
    made = await only_campaign(site)
    await launch(site.database, made.id, site.clock.now(), language="fr")
    return browser, made.id


async def test_the_figures_of_a_campaign_follow_it(site: Site) -> None:
    browser, number = await start(site)
    news = (await browser.get(f"/campaigns/{number}/live")).json()
    assert news["state"] == "sending"
    assert (news["values"]["total"], news["values"]["waiting"], news["values"]["done"]) == ("2", "2", "0%")
    async with site.database.write() as session:
        one = await deliveries.get_delivery(session, 1)
        assert one is not None
        one.state = DeliveryState.ACCEPTED
        session.add(one)
    news = (await browser.get(f"/campaigns/{number}/live")).json()
    assert (news["values"]["accepted"], news["values"]["done"]) == ("1", "50%")
    assert news["shares"][0] == ["p1", 0.5]
    assert "Réunion" in await browser.read("/campaigns")


async def test_a_day_that_is_used_up_is_told_until_when(site: Site) -> None:
    browser, number = await start(site)
    place = '<p class="caution" data-value="used_up">{}</p>'
    assert place.format("") in await browser.read(f"/campaigns/{number}")
    async with site.database.write() as session:
        limit = PaceLimit(
            scope=LimitScope.PROVIDER, subject="gmail", measure=Measure.PER_DAY, amount=1, changed_at=START
        )
        await limits.set_limit(session, limit)
        most = {share_key("provider:gmail", Measure.PER_DAY): (1, SPANS[Measure.PER_DAY])}
        assert await limits.take_share(session, most, count=5, now=site.clock.now()) == 1
    told = "The limit of 1 message a day (Gmail) is used up, the next may leave from 11/03 10:00."
    assert place.format(told) in await browser.read(f"/campaigns/{number}")
    news = (await browser.get(f"/campaigns/{number}/live")).json()
    assert news["values"]["used_up"] == told


async def test_pause_resume_and_cancel_are_buttons_that_fit_the_state(site: Site) -> None:
    browser, number = await start(site)
    page = f"/campaigns/{number}"
    assert f'action="{page}/pause"' in await browser.read(page)
    await browser.send_form(f"{page}/pause", page=page)
    assert (await only_campaign(site)).state is CampaignState.PAUSED
    assert f'action="{page}/resume"' in await browser.read(page)
    await browser.send_form(f"{page}/resume", page=page)
    assert (await only_campaign(site)).state is CampaignState.SENDING
    question = await browser.read(f"{page}/cancel")
    assert "2 messages have not left yet and never will." in question
    assert (await only_campaign(site)).state is CampaignState.SENDING
    await browser.send_form(f"{page}/cancel")
    assert (await only_campaign(site)).state is CampaignState.CANCELLED
    answer = await browser.send_form(f"{page}/resume", page=page)
    assert answer.status_code == 409
    assert "Not as things stand" in answer.text


async def test_a_blocked_campaign_says_why_and_who_is_concerned(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, "moment": "now"}, page="/campaigns/new")
    async with site.database.write() as session:
        # Since it was looked at, or it would not have been scheduled.
        nameless = await a_contact(session, email="nameless@free.fr", first_name=None)
    made = await only_campaign(site)
    await launch(site.database, made.id, site.clock.now(), language="fr")
    text = await browser.read(f"/campaigns/{made.id}")
    assert "lacks a value the message needs: first_name" in text
    assert f'href="/contacts/{nameless.id}"' in text


async def test_a_blocked_or_scheduled_campaign_goes_back_to_draft_and_is_scheduled_again(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, "moment": "now"}, page="/campaigns/new")
    await browser.send_form("/campaigns/1/draft", page="/campaigns/1")
    assert (await only_campaign(site)).state is CampaignState.DRAFT
    answer = await browser.send_form(
        "/campaigns/1/schedule", {"moment": "at", "day": "x"}, page="/campaigns/1"
    )
    assert answer.status_code == 400
    fields = {"moment": "at", "day": "2026-04-01", "time": "18:00", "zone": "Europe/Paris"}
    await browser.send_form("/campaigns/1/schedule", fields, page="/campaigns/1")
    assert (await only_campaign(site)).starts_at == datetime(2026, 4, 1, 16, tzinfo=UTC)


async def test_a_moment_that_is_past_is_no_start_unless_now_is_said(site: Site) -> None:
    browser = await prepare(site)
    past = {"moment": "at", "day": "2026-02-28", "time": "18:00", "zone": "Europe/Paris"}
    await browser.send_form("/campaigns", {**FORM, "moment": "draft"}, page="/campaigns/new")
    answer = await browser.send_form("/campaigns/1/schedule", past, page="/campaigns/1")
    assert answer.status_code == 400
    assert "This moment is past: choose a later one, or “Now”." in answer.text
    assert (await only_campaign(site)).state is CampaignState.DRAFT
    answer = await browser.send_form("/campaigns", {**FORM, **past}, page="/campaigns/new")
    assert answer.status_code == 400
    assert "This moment is past: choose a later one" in answer.text
    this_minute = site.clock.now().astimezone(ZoneInfo("Europe/Paris"))
    fields = {**past, "day": f"{this_minute:%Y-%m-%d}", "time": f"{this_minute:%H:%M}"}
    await browser.send_form("/campaigns/1/schedule", fields, page="/campaigns/1")
    assert (await only_campaign(site)).state is CampaignState.SCHEDULED


async def test_a_draft_can_be_discarded_and_only_a_draft(site: Site) -> None:
    browser = await prepare(site)
    await browser.send_form("/campaigns", {**FORM, "moment": "draft"}, page="/campaigns/new")
    assert "Discard this draft" in await browser.read("/campaigns/1")
    assert "Discard this draft?" in await browser.read("/campaigns/1/cancel")
    answer = await browser.send_form("/campaigns/1/cancel")
    assert "The draft is discarded." in await browser.read(answer.headers["location"])
    assert (await only_campaign(site)).state is CampaignState.CANCELLED
    assert "Discard this draft" not in await browser.read("/campaigns/1")


async def test_what_is_held_back_is_shown_and_can_be_tried_again(site: Site) -> None:
    browser, number = await start(site)
    page = f"/campaigns/{number}"
    assert "held back: " not in await browser.read(page)
    await set_state(site, DeliveryState.HELD)
    reader = await site.signed_in(Role.READER)
    for one, may in ((reader, False), (browser, True)):
        text = await one.read(page)
        assert "1 message is held back" in text
        assert ("Try them again" in text) == may
    woken = site.woken
    answer = await browser.send_form(f"{page}/release", page=page)
    assert "What was held back is tried again." in await browser.read(answer.headers["location"])
    assert site.woken == woken + 1
    async with site.database.read() as session:
        assert (await campaigns.progress(session, number)) == {DeliveryState.QUEUED: 2}


async def set_state(site: Site, state: DeliveryState) -> None:
    """Move the first delivery."""
    async with site.database.write() as session:
        one = await deliveries.get_delivery(session, 1)
        assert one is not None
        one.state = state
        session.add(one)


async def test_what_was_not_sent_is_told_by_its_reason(site: Site) -> None:
    browser, number = await start(site)
    await set_state(site, DeliveryState.EXPIRED)
    assert ">(1 expired)</span>" in await browser.read(f"/campaigns/{number}")
    news = (await browser.get(f"/campaigns/{number}/live")).json()
    assert (news["values"]["not_sent"], news["values"]["not_sent_parts"]) == ("1", "(1 expired)")


async def test_after_the_launch_the_message_is_shown_as_somebody_reads_it_who_gets_it(site: Site) -> None:
    browser, number = await start(site)
    text = await browser.read(f"/campaigns/{number}")
    assert "As read by Camille · camille@gmail.com" in text
    assert "Bonjour Camille" in text
    (address,) = re.findall(r'src="(/campaigns/preview[^"]+)"', text)
    assert "Camille" in await browser.read(address.replace("&amp;", "&"))


async def test_the_counts_by_state_fold_away_once_the_campaign_is_over(site: Site) -> None:
    browser, number = await start(site)
    fold = "<details><summary>Each state, counted</summary>"
    assert fold not in await browser.read(f"/campaigns/{number}/report")
    await browser.send_form(f"/campaigns/{number}/cancel")
    assert fold in await browser.read(f"/campaigns/{number}/report")


async def test_the_report_adds_up_and_can_be_taken_away(site: Site) -> None:
    browser, number = await start(site)
    site.clock.advance(timedelta(minutes=5))
    text = await browser.read(f"/campaigns/{number}/report")
    assert "3 targeted = 1 left out + 2 messages" in text
    assert "2 messages = 2 waiting" in text
    assert "Every column adds up." in text
    answer = await browser.get(f"/campaigns/{number}/report.json")
    assert json.loads(answer.text)["total"]["deliveries"] == 2
    assert answer.headers["content-disposition"] == f'attachment; filename="reunion-{number}.json"'
    answer = await browser.get(f"/campaigns/{number}/report.csv")
    assert answer.text.startswith("\ufeff")
    first = next(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert (first["campaign"], first["targeted"], first["deliveries"]) == ("Réunion", "3", "2")


async def test_older_campaigns_are_a_page_further(site: Site) -> None:
    async with site.database.write() as session:
        sender, segment, version = (
            await an_identity(session),
            await a_segment(session),
            await a_template(session),
        )
        for _ in range(31):
            await a_campaign(session, version=version, include=[segment], senders=[sender])
    browser = await site.signed_in(Role.READER)
    text = await browser.read("/campaigns")
    assert text.count('class="entry"') == 30
    assert '/campaigns?before=2"' in text
    assert (await browser.read("/campaigns?before=2")).count('class="entry"') == 1


async def test_a_test_message_goes_to_oneself_and_leaves_no_trace_in_the_figures(site: Site) -> None:
    browser, number = await start(site)
    page = f"/campaigns/{number}"
    assert "Send a test" not in await (await site.signed_in(Role.READER)).read(page)
    answer = await browser.send_form(f"{page}/test", {"to": "moi@parti.example"}, page=page)
    assert "The test message was accepted" in await browser.read(answer.headers["location"])
    assert site.postman.recipients == ["moi@parti.example"]
    async with site.database.read() as session:
        assert sum((await campaigns.progress(session, number)).values()) == 2


async def test_what_the_other_side_says_to_a_test_message_is_shown(site: Site) -> None:
    browser, number = await start(site)
    page = f"/campaigns/{number}"
    site.postman.answers["moi@parti.example"] = Refused(Reply(550, "5.1.1", "no such user here"))
    answer = await browser.send_form(f"{page}/test", {"to": "moi@parti.example"}, page=page)
    assert answer.status_code == 400
    assert "not accepted: 550 no such user here" in answer.text
    answer = await browser.send_form(f"{page}/test", {"to": "nobody"}, page=page)
    assert answer.status_code == 400
