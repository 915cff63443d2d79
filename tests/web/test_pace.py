"""The page about the pace: what waits, what slows it, the limits, warm-up, who works."""

from datetime import date, timedelta

import pytest
from sqlmodel import select

from models.access import Role
from models.event import event_about
from models.pace import BreakerState, LimitScope, Measure, PaceLimit, Throttle, Warmup, WarmupState
from models.states import BounceClass, CampaignState, EventKind, Fault, Permanence
from models.values import Reply, Verdict
from models.worker import Worker
from scheduler.expansion import launch
from store import deliveries, limits, throttles, traffic
from tests.clocks import START
from tests.factories import a_campaign, a_contact, a_segment, a_template, an_identity
from tests.web.browsers import Site, parse_strictly


async def a_queue(site: Site) -> int:
    """Two messages that wait, to Gmail and to a small domain."""
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
        await a_contact(session, email="sacha@orange.fr")
        campaign = await a_campaign(
            session,
            version=await a_template(session),
            include=[await a_segment(session)],
            senders=[await an_identity(session)],
        )
        campaign.state, campaign.starts_at = CampaignState.SCHEDULED, START
        session.add(campaign)
    await launch(site.database, campaign.id, START, language="fr")
    return campaign.id


async def test_an_idle_installation_says_so_in_every_section(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    page = await browser.read("/pace")
    parse_strictly(page)
    for said in (
        "Nothing is slowed down",
        "Nothing waits",
        "No identity is getting known",
        "None: what each provider is known to accept holds.",
        "No process has sent for two days",
    ):
        assert said in page
    assert "/pace/limits" not in page, "readers set no limits"
    assert "None: every answer of late is understood." in await browser.read("/pace/answers")


async def test_what_waits_is_shown_by_lane_with_its_pace(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    await a_queue(site)
    page = await browser.read("/pace")
    parse_strictly(page)
    assert "Gmail" in page
    assert "Orange" in page
    async with site.database.read() as session:
        waiting = await traffic.queues(session, [1], START + timedelta(minutes=1))
    assert [(lane.provider, lane.waiting, lane.oldest_due) for lane in waiting] == [
        ("gmail", 1, START),
        ("orange", 1, START),
    ]


async def test_the_pace_now_is_that_of_the_last_minutes(site: Site) -> None:
    number = await a_queue(site)
    async with site.database.write() as session:
        delivery = await deliveries.first_of(session, number)
        assert delivery is not None
        for age in (10, 20, 600):
            at = START - timedelta(seconds=age)
            session.add(
                event_about(delivery, EventKind.ACCEPTED, source="t", source_id=str(age), at=at, now=START)
            )
    async with site.database.read() as session:
        found = await traffic.rates(session, START, timedelta(minutes=2))
    assert found == {(delivery.identity_id, delivery.provider): pytest.approx(2 / 120)}


async def test_a_provider_at_rest_is_explained_and_can_be_tried_again(site: Site) -> None:
    browser = await site.signed_in(Role.EDITOR)
    async with site.database.write() as session:
        session.add(
            Throttle(
                key="provider:orange",
                state=BreakerState.OPEN,
                opens_at=START + timedelta(hours=2),
                reason="421 too many connections",
                changed_at=START,
            )
        )
        session.add(Throttle(key="lane:1:gmail", factor=0.5, connections=1, changed_at=START))
    page = await browser.read("/pace")
    parse_strictly(page)
    assert "Nothing leaves until 10/03/2026, 12:00" in page
    assert "421 too many connections" in page
    assert "50% of its pace, 1 connection" in page
    answer = await browser.send_form("/pace/reset", {"key": "provider:orange"}, page="/pace")
    assert answer.headers["location"].endswith("said=pace-reset")
    async with site.database.read() as session:
        assert [row.key for row in await throttles.list_all(session)] == ["lane:1:gmail"]
    assert site.woken == 1


@pytest.mark.parametrize(
    ("fields", "subject", "measure"),
    [
        ({"scope": "provider", "provider": "orange", "amount": "1 200"}, "orange", Measure.PER_HOUR),
        (
            {"scope": "identity", "identity": "1", "amount": "0,5", "measure": "per_second"},
            "1",
            Measure.PER_SECOND,
        ),
        ({"scope": "lane", "identity": "1", "provider": "gmail", "amount": "3"}, "1:gmail", Measure.PER_HOUR),
        (
            {"scope": "domain", "domain": "Parti.fr", "provider": "gmail", "amount": "3"},
            "parti.fr:gmail",
            Measure.PER_HOUR,
        ),
    ],
)
async def test_a_limit_is_set_shown_and_removed(
    site: Site, fields: dict[str, str], subject: str, measure: Measure
) -> None:
    browser = await site.signed_in(Role.ADMIN)
    async with site.database.write() as session:
        await an_identity(session)
    wanted = {"measure": "per_hour", **fields, "note": "asked by letter"}
    answer = await browser.send_form("/pace/limits", wanted, page="/pace")
    assert answer.status_code == 303, answer.text
    async with site.database.read() as session:
        (row,) = await limits.list_limits(session)
    assert (row.subject, row.measure) == (subject, measure)
    page = await browser.read("/pace")
    parse_strictly(page)
    assert "asked by letter" in page
    removed = {"scope": row.scope.value, "subject": row.subject, "measure": row.measure.value}
    await browser.send_form("/pace/limits/remove", removed, page="/pace")
    async with site.database.read() as session:
        assert await limits.list_limits(session) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": "provider", "amount": "5"}, "Say for whom the limit is."),
        ({"scope": "provider", "provider": "orange", "amount": "many"}, "Give a number above nought."),
        ({"scope": "provider", "provider": "orange", "amount": "0"}, "Give a number above nought."),
        ({"scope": "provider", "provider": "orange", "amount": "nan"}, "Give a number above nought."),
        ({"scope": "provider", "provider": "orange", "amount": "inf"}, "Give a number above nought."),
        ({"scope": "provider", "provider": "orange", "amount": "20000000"}, "20000000 is no limit."),
        (
            {"scope": "provider", "provider": "orange", "amount": "1001", "measure": "connections"},
            "1001 is no limit.",
        ),
        (
            {"scope": "identity", "identity": "1", "amount": "2", "measure": "connections"},
            "Connections are counted for a provider or for the mail relay",
        ),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(site: Site, fields: dict[str, str], said: str) -> None:
    browser = await site.signed_in(Role.ADMIN)
    answer = await browser.send_form("/pace/limits", fields, page="/pace")
    assert answer.status_code == 400
    assert said in answer.text
    async with site.database.read() as session:
        assert (await session.exec(select(PaceLimit))).all() == []


async def test_a_warm_up_plan_is_drawn_and_can_be_ended(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    async with site.database.write() as session:
        identity = await an_identity(session)
        told = {
            "day": "2026-03-09",
            "cap": 200,
            "sent": 180,
            "light": "green",
            "reason": "clean",
            "next": 300,
        }
        session.add(
            Warmup(
                identity_id=identity.id,
                provider="orange",
                day=date(2026, 3, 10),
                cap=300,
                target=5000,
                history=[told],
                started_at=START,
                changed_at=START,
            )
        )
    page = await browser.read("/pace")
    parse_strictly(page)
    assert "at most 300 today, 5,000 in the end" in page
    assert page.count("<rect") == 4, "two days, allowed and sent"
    fields = {"identity": "1", "provider": "orange"}
    await browser.send_form("/pace/warmup/stop", fields, page="/pace")
    async with site.database.read() as session:
        (plan,) = (await session.exec(select(Warmup))).all()
    assert plan.state is WarmupState.STOPPED


async def test_who_works_is_told_and_who_fell_silent(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    async with site.database.write() as session:
        for name, age, stopped in (("un", 1, False), ("deux", 300, False), ("trois", 300, True)):
            seen = START - timedelta(seconds=age)
            session.add(
                Worker(
                    id=name,
                    host=name,
                    pid=1,
                    started_at=START - timedelta(hours=1),
                    seen_at=seen,
                    stopped_at=seen if stopped else None,
                )
            )
    page = await browser.read("/pace")
    parse_strictly(page)
    for said in ("Works", "Silent", "Stopped in good order"):
        assert page.count(f">{said}<") == 1


async def test_answers_that_no_rule_knows_are_listed(site: Site) -> None:
    browser = await site.signed_in(Role.READER)
    number = await a_queue(site)
    unknown = Verdict(BounceClass.UNKNOWN, Fault.UNKNOWN, Permanence.SOFT, "")
    async with site.database.write() as session:
        delivery = await deliveries.first_of(session, number)
        assert delivery is not None
        for place in range(2):
            session.add(
                event_about(
                    delivery,
                    EventKind.DEFERRED,
                    source="t",
                    source_id=str(place),
                    at=START,
                    now=START,
                    reply=Reply(451, "4.9.9", "the moon is wrong"),
                    verdict=unknown,
                )
            )
    page = await browser.read("/pace/answers")
    parse_strictly(page)
    assert "451 4.9.9 the moon is wrong" in page


async def test_scopes_are_shown_by_name(site: Site) -> None:
    browser = await site.signed_in(Role.ADMIN)
    async with site.database.write() as session:
        await an_identity(session)
        for scope, subject in (
            (LimitScope.DOMAIN, "parti.fr:orange"),
            (LimitScope.RELAY, "email"),
            (LimitScope.LANE, "1:gmail"),
        ):
            limit = PaceLimit(
                scope=scope, subject=subject, measure=Measure.PER_DAY, amount=9, changed_at=START
            )
            await limits.set_limit(session, limit)
    page = await browser.read("/pace")
    for said in ("parti.fr at Orange", "Our own way out", "Le Parti at Gmail"):
        assert said in page
