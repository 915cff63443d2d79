"""`tocsin dmarc` and `tocsin declared`: files taken in, one line for each bad one, and what they show."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from models.clock import SystemClock
from service.declared_feeds import feed_chores
from service.settings import GivenSettings
from store import Database, declared
from tests.clocks import ManualClock
from tests.deliverability.reports import (
    DKIM_FAILED,
    a_failure,
    a_record,
    a_tls_report,
    an_aggregate,
    mailed,
    zipped,
)
from tests.service.conftest import Typed

DAY = 86_400
FORGED = a_record("203.0.113.66", 1240, dkim="fail", spf="fail", signed="fail", sent="fail")


def recent(*records: str, number: str = "r-1") -> bytes:
    begin = int(SystemClock().now().timestamp()) - 2 * DAY
    return an_aggregate(*records, begin=begin, end=begin + DAY - 1, number=number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as they gather in a folder: good ones, bad ones, hidden ones."""
    made = tmp_path / "reports"
    (made / "older").mkdir(parents=True)
    (made / "a.xml").write_bytes(recent(a_record(count=500), FORGED))
    (made / "b.xml.gz").write_bytes(gzip.compress(recent(a_record(count=7), number="r-2")))
    (made / "older" / "c.zip").write_bytes(zipped(recent(number="r-3"), b"no report"))
    (made / "older" / "d.eml").write_bytes(a_failure(fields=DKIM_FAILED))
    (made / "notes.txt").write_text("call them")
    (made / "e.xml.gz").write_bytes(b"\x1f\x8b\x08 cut")
    (made / ".hidden").write_text("nothing")
    return made


def test_a_folder_is_taken_in_with_one_line_for_each_bad_file_and_once(
    ready: Path, typed: Typed, folder: Path
) -> None:
    ran = typed("dmarc", "import", str(folder))
    assert ran.code == 1
    assert "4 files read. 4 new reports, 0 known already. 2 files could not be." in ran.out
    told = ran.err.splitlines()
    assert len(told) == 3
    assert any("notes.txt: This is no report" in line for line in told)
    assert any("e.xml.gz: The compressed file is broken" in line for line in told)
    assert any("c.zip: This is no report" in line for line in told)
    again = typed("dmarc", "import", str(folder / "a.xml"), str(folder / "b.xml.gz"))
    assert (again.code, again.out) == (0, "2 files read. 0 new reports, 2 known already.\n")


def test_who_sends_in_a_domains_name_is_shown(ready: Path, typed: Typed, folder: Path) -> None:
    typed("dmarc", "import", str(folder))
    shown = typed.must("dmarc", "show", "Parti.FR")
    assert "parti.fr: 1,750 mails in 3 reports, 29.1% passed." in shown
    assert "203.0.113.66" in shown
    assert "UNKNOWN" in shown
    assert "1 unknown sender with 1,240 mails." in shown
    assert "rua=" in typed.must("dmarc", "show", "nobody.example")


def test_our_own_addresses_are_known_even_when_they_fail(ready: Path, typed: Typed, folder: Path) -> None:
    typed("dmarc", "import", str(folder))
    shown = typed.must("dmarc", "show", "parti.fr", TOCSIN_SENDING_IPS="192.0.2.1, 203.0.113.66")
    assert "unknown sender" not in shown


def test_files_that_are_not_there_are_told(ready: Path, typed: Typed, tmp_path: Path) -> None:
    ran = typed("dmarc", "import", str(tmp_path / "nothing.xml"))
    assert ran.code == 1
    assert "nothing.xml: No such file or directory." in ran.err
    (tmp_path / "empty").mkdir()
    assert typed("dmarc", "import", str(tmp_path / "empty")).code == 2


def test_reports_are_read_as_json_without_being_kept(ready: Path, typed: Typed, tmp_path: Path) -> None:
    for name, raw in (
        ("a.xml", recent(FORGED)),
        ("t.json", a_tls_report()),
        ("f.eml", a_failure()),
        ("n", b"x"),
    ):
        (tmp_path / name).write_bytes(raw)
    ran = typed("dmarc", "read", *(str(tmp_path / name) for name in ("a.xml", "t.json", "f.eml", "n")))
    assert ran.code == 1
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["type"] for line in lines] == ["aggregate", "smtp_tls", "failure", None]
    assert (lines[0]["records"], lines[0]["messages"], lines[0]["dmarc_pass"]) == (1, 1240, 0)
    assert (lines[0]["raw_records"], lines[0]["raw_messages"], lines[0]["notes"]) == (1, 1240, [])
    assert (lines[1]["success"], lines[1]["failure"]) == (97, 3)
    assert "No report" in typed.must("dmarc", "show", "parti.fr")


def test_a_report_that_is_piped_in_is_kept(ready: Path, typed: Typed) -> None:
    told = typed.must("inbound", "--recipient", "dmarc@b.parti.fr", stdin=mailed().decode())
    assert told == "1 new report, 0 known already.\n"
    told = typed.must("inbound", stdin=mailed().decode())
    assert told == "0 new reports, 1 known already.\n"


def test_figures_are_taken_in_and_shown_with_the_trap(ready: Path, typed: Typed, tmp_path: Path) -> None:
    day = SystemClock().now().date()
    file = tmp_path / "spam.csv"
    file.write_text(f"date,complaints\n{day},4\nsoon,1\n")
    ran = typed("declared", "import", "yahoo", str(file), "--subject", "parti.fr")
    assert ran.code == 0
    assert "1 figure read, 1 of them new." in ran.out
    assert "Row 3 has no day" in ran.err
    shown = typed.must("declared", "show")
    assert "yahoo_cfl" in shown
    assert "mail in the inbox alone" in shown
    assert typed("declared", "import", "nowhere", str(file)).code == 2
    assert "Nothing was declared" in typed.must("declared", "show", "snds")


def test_without_a_source_nothing_is_fetched(ready: Path, typed: Typed) -> None:
    assert "No source is set up" in typed.must("declared", "fetch")


def test_half_of_an_access_is_refused(ready: Path, typed: Typed) -> None:
    ran = typed("declared", "fetch", TOCSIN_POSTMASTER_REFRESH_TOKEN="hunter2")
    assert ran.code == 2
    assert "TOCSIN_POSTMASTER_CLIENT_ID" in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_an_address_that_is_no_safe_one_is_told_without_its_key(ready: Path, typed: Typed) -> None:
    ran = typed("declared", "fetch", TOCSIN_SNDS_URL="http://192.0.2.1/data?key=hunter2")
    assert ran.code == 1
    assert "no https address" in ran.out
    assert "hunter2" not in ran.out + ran.err


async def test_sources_that_are_set_up_are_asked_regularly(database: Database, tmp_path: Path) -> None:
    settings = GivenSettings(data_dir=tmp_path, snds_url=SecretStr("http://192.0.2.1/data?key=k"))
    chores = {one.name: one for one in feed_chores(settings, database, ManualClock())}
    await chores["declared figures"].work()
    async with database.read() as session:
        (feed,) = await declared.feeds(session)
    assert "no https address" in feed.problem


async def test_failure_reports_are_forgotten_as_originals_are(database: Database, tmp_path: Path) -> None:
    from deliverability.feeds import file_reports, read_reports
    from store import authentication

    clock = ManualClock()
    async with database.write() as session:
        await file_reports(session, read_reports(a_failure(), clock.now()).reports, clock.now())
    settings = GivenSettings(data_dir=tmp_path, keep_originals_days=10)
    (forgetting,) = feed_chores(settings, database, clock)
    for days, left in ((9, 1), (2, 0)):
        clock.advance(timedelta(days=days))
        await forgetting.work()
        async with database.read() as session:
            since = datetime(2000, 1, 1, tzinfo=UTC)
            assert len(await authentication.list_failures(session, "parti.fr", since)) == left
