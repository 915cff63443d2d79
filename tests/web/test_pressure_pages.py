"""Volume against the plan, and how often people are written to: on the page, on paper and in files."""

import csv
import io
import json
from datetime import date, timedelta

import pytest

from deliverability.assessment.pressure import Heard, Spread, fatigue_curve
from deliverability.pressure import PressureReport, count_pressure
from deliverability.volume import PlanDay, PlanLine
from models.access import Role
from models.pace import Warmup, WarmupState
from tests.clocks import START
from tests.deliverability.test_pressure import two_mailings
from tests.web.browsers import Site
from tests.web.test_deliverability_charts import TONGUES
from web.charts import SLIM, WIDE, draw_both
from web.i18n import Tongue
from web.pressure_charts import curve, pressure_charts, volume, volume_charts, week
from web.pressure_view import pressure_view

A_WEEK = PressureReport(
    START,
    Spread({0: 9000, 1: 800, 2: 150, 3: 45, 4: 3, 6: 2}),
    Spread({0: 6000, 1: 2500, 2: 1000, 3: 400, 4: 70, 5: 20, 7: 10}),
    fatigue_curve(
        [Heard(one, before, 4000, 400 // (before + 1), 8, 2) for one in (1, 2) for before in (0, 1, 3)]
    ),
)
PLANS = (
    PlanLine(
        "gmail",
        "Gmail",
        WarmupState.RISING,
        450,
        9000,
        (
            PlanDay(date(2026, 3, 7), 200, 190, "green", "clean"),
            PlanDay(date(2026, 3, 8), 300, 500, "amber", "5.20% put off", 2),
            PlanDay(date(2026, 3, 10), 450, 12),
        ),
    ),
)


@pytest.mark.parametrize("tongue", TONGUES, ids=["en", "fr"])
async def test_every_chart_can_be_drawn_in_both_widths(tongue: Tongue) -> None:
    drawn = [
        await draw_both(title, spec, tongue.language)
        for title, spec in (*volume_charts(PLANS, tongue), *pressure_charts(A_WEEK, tongue))
    ]
    assert len(drawn) == 3
    assert all(one.wide.startswith("<svg ") and one.slim.startswith("<svg ") for one in drawn)
    assert "Gmail" in drawn[0].slim


def test_a_days_bar_is_as_wide_as_the_days_it_is_of() -> None:
    values = volume(PLANS, TONGUES[0])["data"]["values"]
    allowed = [one for one in values if one["what"] == "Allowed"]
    sent = [one for one in values if one["what"] == "Sent"]
    assert [one["count"] for one in allowed] == [200, 300, 450]
    assert [one["count"] for one in sent] == [190, 250, 12]
    widths = [one["x2"] - one["x"] for one in allowed]
    assert widths[1] == pytest.approx(2 * widths[0])
    assert widths[2] == pytest.approx(widths[0])


def test_the_week_is_drawn_by_shares_of_the_list() -> None:
    values = week(A_WEEK, TONGUES[0], WIDE)["data"]["values"]
    own = [(one["band"], one["text"]) for one in values if one["what"] == "From this sender"]
    assert own == [("0", "90%"), ("1", "8.0%"), ("2", "1.5%"), ("3+", "0.50%")]
    assert len(week(A_WEEK, TONGUES[0], SLIM)["layer"]) == 1


def test_an_interval_of_a_handful_does_not_flatten_the_others() -> None:
    few = PressureReport(
        START, A_WEEK.own, A_WEEK.all, fatigue_curve([Heard(1, 0, 40_000, 400), Heard(1, 1, 12, 0)])
    )
    values = curve(few, TONGUES[0])["data"]["values"]
    clicks = [one for one in values if one["what"] == "Clicks"]
    assert max(one["high"] for one in clicks) == pytest.approx(2.5 * 0.01)


def test_who_tires_is_told_with_what_it_may_be_instead() -> None:
    told = pressure_view(A_WEEK, TONGUES[0])
    assert [one.tone for one in told.curve] == ["warn", "", "quiet"]
    assert "with 3 or more messages in the 7 days before clicked 0.25 times as often" in told.curve[0].text
    assert told.curve[1].text.endswith("Chance alone explains that.")
    assert "not chosen by lot" in told.curve[2].text


def test_fewer_than_ten_people_are_not_told() -> None:
    few = PressureReport(START, Spread({0: 9991, 1: 9}), A_WEEK.all, fatigue_curve([]))
    told = pressure_view(few, TONGUES[0])
    assert told.week[0].text.startswith("Fewer than 10 people")
    assert {(line.own, line.own_share) for line in told.week_lines} == {("–", "–")}
    assert told.week_lines[1].all == "2,500"
    assert [title for title, _ in pressure_charts(few, TONGUES[0])] == [
        "How many messages people got in the last 7 days"
    ]


async def a_sender(site: Site, *, counted: bool = True) -> int:
    identity_id, _ = await two_mailings(site.database)
    if counted:
        await count_pressure(site.database, START)
    today = START.date()
    day = (today - timedelta(days=1)).isoformat()
    async with site.database.write() as session:
        session.add(
            Warmup(
                identity_id=identity_id,
                provider="orange",
                state=WarmupState.FALLING,
                day=today,
                cap=150,
                target=5000,
                history=[
                    {
                        "day": day,
                        "cap": 300,
                        "sent": 310,
                        "light": "red",
                        "reason": "shut out once",
                        "next": 150,
                    }
                ],
                started_at=START,
                changed_at=START,
            )
        )
    return identity_id


async def test_the_page_tells_plan_week_and_curve(site: Site) -> None:
    identity_id = await a_sender(site)
    page = await (await site.signed_in(Role.READER)).read(f"/deliverability/identities/{identity_id}")
    for words in (
        "Volume against the warm-up plan",
        "Stepping back · at most 150 today, 5,000 in the end",
        "shut out once",
        "over the plan",
        "not over yet",
        "40 of 60 people on the list got something from this sender in the last 7 days",
        "As counted on 10 Mar 2026",
        "Messages in the 7 days before",
    ):
        assert words in page, words


async def test_what_everybody_got_stands_over_all_senders(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    await two_mailings(site.database)
    assert "people on the list got" not in await browser.read("/deliverability")
    await count_pressure(site.database, START)
    told = "40 of 60 people on the list got something in the last 7 days, from all senders together"
    assert told in await browser.read("/deliverability")


async def test_the_page_says_what_it_does_not_know(site: Site) -> None:
    identity_id, _ = await two_mailings(site.database)
    browser = await site.signed_in(Role.READER)
    page = await browser.read(f"/deliverability/identities/{identity_id}")
    assert "No plan: nothing holds this sender to so many messages a day." in page
    assert "Not counted yet" in page
    assert "No campaign of this period was counted yet" in page
    assert "How many messages people got" not in page


async def test_plans_that_ended_long_ago_are_not_told_as_none(site: Site) -> None:
    identity_id = await a_sender(site, counted=False)
    async with site.database.write() as session:
        plan = await session.get(Warmup, (identity_id, "orange"))
        assert plan is not None
        plan.state = WarmupState.DONE
        session.add(plan)
    site.clock.advance(timedelta(days=50))
    page = await (await site.signed_in(Role.READER)).read(f"/deliverability/identities/{identity_id}")
    assert "All plans of this sender had ended before this period." in page


async def test_all_of_it_can_be_taken_away(site: Site) -> None:
    identity_id = await a_sender(site)
    browser = await site.signed_in(Role.READER)
    base = f"/deliverability/identities/{identity_id}"
    days = list(csv.DictReader(io.StringIO((await browser.get(f"{base}/volume.csv")).text.lstrip("\ufeff"))))
    assert [(one["provider"], one["day"], one["cap"], one["sent"], one["light"]) for one in days] == [
        ("Orange", "2026-03-09", "300", "310", "red"),
        ("Orange", "2026-03-10", "150", "0", ""),
    ]
    rows = list(
        csv.DictReader(io.StringIO((await browser.get(f"{base}/pressure.csv")).text.lstrip("\ufeff")))
    )
    got = {one["from"]: one for one in rows if one["what"] == "received"}
    assert (got["1"]["people_of_sender"], got["2"]["people_of_all"], got["5"]["to"]) == ("40", "20", "")
    had = {one["from"]: one for one in rows if one["what"] == "had_before"}
    assert (had["1"]["messages"], had["1"]["clicked"]) == ("20", "0.100000")
    document = json.loads((await browser.get(f"{base}/report.json")).text)
    assert document["volume"][0]["days"][0] == {
        "day": "2026-03-09",
        "cap": 300,
        "sent": 310,
        "light": "red",
        "days": 1,
    }
    assert (document["pressure"]["own"]["reached"], document["pressure"]["all"]["p95"]) == (40, 2)
    assert document["pressure"]["fatigue"]["clicks_of_many"]["ratio"] == pytest.approx(0.2)
    paper = await browser.get(f"{base}/report.pdf")
    assert paper.content.startswith(b"%PDF-")
