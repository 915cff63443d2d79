"""Who watches over Tocsin sees which webhooks are set up, when they told something, and what they hold."""

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from models.clock import SystemClock
from models.states import Channel, EventKind
from models.values import Signal
from service.desk import Desk
from service.examinations_of_hooks import webhooks
from service.findings import Finding, Level
from service.metrics import figures
from service.settings import GivenSettings
from store import Database, news
from store.news import Called
from tests.clocks import START, ManualClock


async def found(database: Database, *, later: timedelta = timedelta(0), **given: object) -> list[Finding]:
    settings = GivenSettings(**given)  # type: ignore[arg-type]
    return await webhooks(Desk(settings, database, ManualClock(START + later)))


async def keep(database: Database, *numbers: str) -> None:
    told = [
        Signal(kind=EventKind.BOUNCED, channel=Channel.EMAIL, source="brevo", source_id=number, at=START)
        for number in numbers
    ]
    async with database.write() as session:
        await news.keep(session, told, START)
        await news.count(session, "brevo", Called(told=len(told), told_at=START))


BREVO = SecretStr("cloche:une-phrase")


async def test_nothing_is_said_of_webhooks_that_nobody_wants(database: Database) -> None:
    assert await found(database) == []


async def test_a_webhook_that_has_never_called_is_warned_of(database: Database) -> None:
    (told,) = await found(database, hook_brevo=BREVO)
    assert (told.level, told.what) == (Level.WARNING, "Brevo is set up and has told nothing yet.")
    assert told.advice


async def test_it_is_said_when_a_provider_told_something_last_and_what_waits(database: Database) -> None:
    await keep(database, "1", "2")
    (told,) = await found(database, hook_brevo=BREVO)
    assert told.level is Level.FINE
    assert (
        "Brevo told 2 pieces of news, the last at 2026-03-10 10:00 Europe/Paris; 2 still to be applied"
        in told.what
    )


async def test_news_at_which_nobody_looks_is_warned_of(database: Database) -> None:
    await keep(database, "1")
    told = await found(database, hook_brevo=BREVO, later=timedelta(minutes=6))
    assert [finding.level for finding in told] == [Level.FINE, Level.WARNING]
    assert "tocsin serve" in told[1].advice


async def test_refused_calls_are_told_and_fade_after_a_day(database: Database) -> None:
    async with database.write() as session:
        await news.count(session, "brevo", Called(told=1, told_at=START))
        await news.count(session, "brevo", Called(forged=3, stale=1, refused_at=START))
    told = await found(database, hook_brevo=BREVO)
    assert told[1].level is Level.WARNING
    assert "4 calls were refused, 3 forged and 1 too late" in told[1].what
    later = await found(database, hook_brevo=BREVO, later=timedelta(days=2))
    assert [finding.level for finding in later] == [Level.FINE, Level.FINE]
    off = await found(database)
    assert "not listened to any more" in off[0].what
    assert {finding.level for finding in off} == {Level.FINE}


async def test_a_relay_whose_webhook_is_not_set_up_is_warned_of(database: Database) -> None:
    (told,) = await found(database, smtp_provider="amazon_ses:lettres")
    assert (told.level, "TOCSIN_HOOK_AMAZON_SES" in told.advice) == (Level.WARNING, True)
    await keep(database, "1")
    both = await found(database, smtp_provider="brevo", hook_brevo=BREVO)
    assert [finding.level for finding in both] == [Level.FINE]


async def test_no_secret_is_shown(database: Database) -> None:
    told = await found(database, hook_brevo=BREVO)
    assert "phrase" not in "".join(finding.what + finding.advice for finding in told)


async def test_the_figures_tell_the_same(database: Database, tmp_path: Path) -> None:
    await keep(database, "1", "2", "3")
    async with database.write() as session:
        await news.count(session, "brevo", Called(forged=4, stale=5, refused_at=START))
    text = (await figures(database, SystemClock(), tmp_path)).decode()
    for line in (
        'tocsin_webhook_news{provider="brevo"} 3.0',
        'tocsin_webhook_refused{provider="brevo",reason="forged"} 4.0',
        'tocsin_webhook_refused{provider="brevo",reason="stale"} 5.0',
        'tocsin_webhook_news_held{provider="brevo",state="waiting"} 3.0',
        'tocsin_webhook_news_held{provider="brevo",state="unmatched"} 0.0',
        'tocsin_webhook_silence_seconds{provider="brevo"} ',
    ):
        assert line in text
