"""What changed since the last time in words: each code has its sentence, in both languages, everywhere."""

import io
import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from deliverability.changes import Change, Changes, Turn
from deliverability.changes.shares import RATES, rules
from deliverability.changes.values import ChangeCode, Earlier
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from models.access import Role
from models.states import SuppressionReason
from service.change_print import print_changes
from store import Database
from tests.clocks import START
from tests.deliverability.rows import an_identity
from tests.deliverability.sent_campaigns import a_sent_campaign
from tests.web.browsers import Site
from web import report_paper
from web.change_view import changes_of
from web.change_words import SHARES, SILENT
from web.i18n import Tongue
from web.paper import Document, Words

ENGLISH, FRENCH = (Tongue(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr"))
DAY = timedelta(days=1)
MOVED: dict[str, str | int | float] = {
    "key": "click",
    "before": 0.031,
    "now": 0.019,
    "low": -0.016,
    "high": -0.008,
    "providers": "gmail,orange",
}
INCIDENT = {"key": "blocked", "level": "red", "deed": "paused"}
FINDING = HealthFinding(HealthCode.RETURN_PATH_NO_MX, FindingLevel.PROBLEM, {"name": "b.parti.example"})
SENTENCES = (
    (
        Change(ChangeCode.STATUS, Turn.WORSE, {"before": "green", "now": "red"}),
        ("bad", "The verdict on the whole: Act now, before Fine."),
    ),
    (
        Change(
            ChangeCode.VERDICT,
            Turn.WORSE,
            {"before": "inbox", "now": "mixed", "now_status": "amber"},
            "orange",
        ),
        ("warn", "Orange: mixed, before inbox."),
    ),
    (
        Change(ChangeCode.SHARE, Turn.WORSE, MOVED),
        ("warn", "People who clicked: 1.9%, before 3.1%; most of all at Gmail, Orange."),
    ),
    (
        Change(ChangeCode.SHARE, Turn.BETTER, MOVED | {"key": "hard", "providers": ""}, "free"),
        ("good", "Addresses that do not exist at Free: 1.9%, before 3.1%."),
    ),
    (
        Change(ChangeCode.INCIDENT_BEGAN, Turn.WORSE, INCIDENT, "orange", 1, START, "7"),
        ("bad", "An incident began at Orange: Sender or message refused."),
    ),
    (
        Change(ChangeCode.INCIDENT_ENDED, Turn.BETTER, INCIDENT, "", 1, START, "7"),
        ("good", "An incident ended: Sender or message refused."),
    ),
    (
        Change(ChangeCode.FINDING_NEW, Turn.WORSE, {"level": "problem"}, finding=FINDING, identity_id=1),
        ("bad", "New in the DNS: Bounces are lost: b.parti.example has no mail server (MX)."),
    ),
    (
        Change(ChangeCode.FEED_SILENT, Turn.WORSE, {"key": "hook", "name": "sendgrid"}, at=START),
        ("warn", "SendGrid has told us nothing since"),
    ),
    (
        Change(ChangeCode.FEED_SILENT, Turn.WORSE, {"key": "declared", "name": "microsoft_snds"}, at=START),
        ("warn", "Microsoft SNDS has declared nothing since"),
    ),
    (
        Change(ChangeCode.FEED_SILENT, Turn.WORSE, {"key": "seeds", "name": "orange", "number": 3}, at=START),
        ("warn", "3 seed mailboxes at Orange could not be read since"),
    ),
    (
        Change(ChangeCode.SUPPRESSED, Turn.NEWS, {"key": "complaint", "number": 12}),
        ("quiet", "12 addresses more are not written to any longer: Complained."),
    ),
)


def a_list(*changes: Change, **more: object) -> Changes:
    earlier = Earlier(4, "Bulletin 11", START, same_segments=True)
    common: dict[str, object] = {"comparable": True, "earlier": earlier} | more
    return Changes(START, START + DAY, listed=changes, **common)  # type: ignore[arg-type]


@pytest.mark.parametrize(("change", "said"), SENTENCES)
def test_each_kind_of_change_has_its_sentence_in_both_languages(
    change: Change, said: tuple[str, str]
) -> None:
    english, french = (changes_of(a_list(change), tongue) for tongue in (ENGLISH, FRENCH))
    assert english is not None
    assert french is not None
    (line,), (ligne,) = english.lines, french.lines
    assert (line.tone, line.text[: len(said[1])]) == said
    assert ligne.text != line.text
    assert "%(" not in f"{line}{ligne}"


def test_no_code_is_without_words() -> None:
    assert {change.code for change, _ in SENTENCES} >= set(ChangeCode) - {ChangeCode.FINDING_GONE}
    assert set(RATES) == set(SHARES) == set(rules().shares)
    assert {*SILENT, "seeds"} == set(rules().silence)
    for reason in SuppressionReason:
        found = changes_of(
            a_list(Change(ChangeCode.SUPPRESSED, Turn.NEWS, {"key": reason, "number": 1})), FRENCH
        )
        assert found is not None
        assert found.lines


def test_by_how_much_for_certain_is_told_in_points() -> None:
    found = changes_of(a_list(Change(ChangeCode.SHARE, Turn.WORSE, MOVED)), FRENCH)
    assert found is not None
    assert found.lines[0].detail == "plus que le hasard\u00a0: −0,8 à −1,6 points"


def test_what_is_compared_with_what_and_what_cannot_be_is_said() -> None:
    heads = [
        changes_of(found, ENGLISH)
        for found in (
            a_list(),
            a_list(earlier=Earlier(4, "Bulletin 11", START, same_segments=False), early=24),
            a_list(earlier=None, days=7),
        )
    ]
    told = [(one.head, one.notes) for one in heads if one]
    assert "sent to the same segments" in told[0][0]
    assert told[0][1] == ("Nothing moved by more than chance makes it.",)
    assert "the last one from the same sender" in told[1][0]
    assert "24 hours after" in told[1][1][1]
    assert told[2][0] == "The last 7 days compared with the 7 days before."
    assert changes_of(a_list(earlier=None, comparable=False), ENGLISH) is None
    assert changes_of(None, ENGLISH) is None


def test_a_sender_that_sent_nothing_before_is_told_so() -> None:
    found = changes_of(a_list(earlier=None, comparable=False, days=30), ENGLISH)
    assert found is not None
    assert found.notes == ("There is nothing before it to compare with.",)


def test_suppressions_of_all_reasons_are_one_line_before_the_good_news() -> None:
    some = [
        Change(ChangeCode.SUPPRESSED, Turn.NEWS, {"key": key, "number": number})
        for key, number in (("complaint", 1), ("hard_bounce", 10))
    ]
    better = Change(ChangeCode.STATUS, Turn.BETTER, {"before": "red", "now": "green"})
    found = changes_of(a_list(Change(ChangeCode.SHARE, Turn.WORSE, MOVED), *some, better), ENGLISH)
    assert found is not None
    assert [one.tone for one in found.lines] == ["warn", "quiet", "good"]
    assert found.lines[1].text == (
        "11 addresses more are not written to any longer: Address does not exist 10, Complained 1."
    )


async def two_campaigns(database: Database, now: timedelta) -> int:
    async with database.write() as session:
        identity = await an_identity(session)
        first = START + now - 9 * DAY
        await a_sent_campaign(session, identity, {"gmail": (10_000, 400)}, launched_at=first)
        second = await a_sent_campaign(
            session, identity, {"gmail": (10_000, 100)}, launched_at=first + 5 * DAY
        )
        return second.id


async def test_the_list_stands_on_the_page_on_paper_and_in_the_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[Document] = []

    def noted(document: Document) -> bytes:
        printed.append(document)
        return b"%PDF-"

    monkeypatch.setattr(report_paper, "print_document", noted)
    number = await two_campaigns(site.database, site.clock.now() - START)
    browser = await site.signed_in(Role.READER)
    words = "People who clicked: 1.0%, before 4.0%."
    for path in (f"/campaigns/{number}/report", "/deliverability/identities/1?days=7"):
        page = await browser.read(path)
        assert "What changed since the last time" in page
        assert words in page
    for path in (f"/campaigns/{number}/report", "/deliverability/identities/1/report"):
        await browser.read(f"{path}.pdf?days=7")
        assert words in {
            block.text.split(" (")[0] for block in printed[-1].blocks if isinstance(block, Words)
        }
        document = json.loads((await browser.get(f"{path}.json?days=7")).text)
        assert [one["values"]["key"] for one in document["changes"]["list"]] == ["click"]


def test_the_terminal_tells_the_same_list() -> None:
    out = io.StringIO()
    print_changes(Console(file=out, width=200), a_list(SENTENCES[2][0]), "Europe/Paris")
    print_changes(Console(file=out), None, "Europe/Paris")
    assert "! People who clicked: 1.9%, before 3.1%; most of all at Gmail, Orange." in out.getvalue()
    assert "Bulletin 11" in out.getvalue()
