"""Reports of receivers, kept and added up: whose mail it is, by source, day, reporter and domain."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from deliverability.feeds.filing import Filed, file_reports
from deliverability.feeds.reading import read_reports
from store import Database, authentication
from store.authentication import SenderKind, SourceRate
from store.sources import own_rate
from tests.clocks import START
from tests.deliverability.reports import BEGIN, a_record, a_tls_report, an_aggregate
from tests.factories import an_identity

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = {"dkim": "fail", "spf": "fail", "signed": "fail", "sent": "fail"}
NEITHER = {"dkim": "fail", "spf": "fail"}


async def keep(database: Database, *raws: bytes) -> Filed:
    filed = Filed()
    async with database.write() as session:
        for raw in raws:
            filed += await file_reports(session, read_reports(raw, START).reports, START)
    return filed


async def rates(
    database: Database, domain: str = "parti.fr", **known: Sequence[str]
) -> dict[str, SourceRate]:
    async with database.read() as session:
        found = await authentication.pass_rates(session, domain, SINCE, **known)
    return {one.source_ip: one for one in found}


async def test_a_source_is_ours_by_our_key_or_by_our_return_path(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session, domain="parti.fr")
        selector = (await _selectors(session, identity.id))[0]
    elsewhere = {"mail_domain": "shop.example", "sent": "pass"}
    await keep(
        database,
        an_aggregate(
            a_record("192.0.2.1", 10, selector=selector, **elsewhere),
            a_record(
                "192.0.2.2", 20, selector="other", mail_domain=identity.return_path_domain or "", dkim="fail"
            ),
            a_record("192.0.2.3", 30, selector="other", **elsewhere),
            a_record("192.0.2.4", 40, **FAILED),
            a_record("192.0.2.5", 50, **FAILED, reason="mailing_list"),
            a_record("192.0.2.6", 60, dkim="fail", spf="fail", signer="x.mailgun.org", sent="none"),
        ),
    )
    found = await rates(database)
    assert {source: one.kind for source, one in found.items()} == {
        "192.0.2.1": SenderKind.OURS,
        "192.0.2.2": SenderKind.OURS,
        "192.0.2.3": SenderKind.ALLOWED,
        "192.0.2.4": SenderKind.STRANGER,
        "192.0.2.5": SenderKind.FORWARDER,
        "192.0.2.6": SenderKind.SERVICE,
    }
    assert [source for source, one in found.items() if not one.known] == ["192.0.2.6", "192.0.2.4"]
    assert found["192.0.2.6"].names == ("Mailgun",)
    told = await rates(database, addresses=["192.0.2.4"])
    assert told["192.0.2.4"].kind is SenderKind.OURS, "we know our own addresses, even when they fail"


async def _selectors(session: object, identity_id: int) -> list[str]:
    from store.identities import keys_of

    return [key.selector for key in await keys_of(session, identity_id)]  # type: ignore[arg-type]


async def test_of_several_signatures_the_one_that_proves_most_is_kept(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session, domain="parti.fr")
        selector = (await _selectors(session, identity.id))[0]
    others = ["<dkim><domain>amazonses.com</domain><selector>x</selector><result>pass</result></dkim>"]
    others += ["<dkim><domain>parti.fr</domain><selector>old</selector><result>fail</result></dkim>"]
    ours = f"<dkim><domain>parti.fr</domain><selector>{selector}</selector><result>pass</result></dkim>"
    for place, several in enumerate(([*others, ours], [ours, *others], [others[1], ours, others[0]])):
        row = a_record(f"192.0.2.{place}", signed="fail", mail_domain="x.example").replace(
            "<auth_results>", f"<auth_results>{''.join(several)}"
        )
        await keep(database, an_aggregate(row, number=f"r-{place}"))
    assert {one.kind for one in (await rates(database)).values()} == {SenderKind.OURS}


async def test_results_of_one_source_are_added_up_over_reports_and_reporters(database: Database) -> None:
    await keep(
        database,
        an_aggregate(a_record(count=5), a_record(count=7, dkim="fail"), a_record(count=2, **FAILED)),
        an_aggregate(a_record(count=11, disposition="reject", **FAILED), org="Orange", number="r-2"),
    )
    (one,) = (await rates(database)).values()
    assert (one.messages, one.passed, one.dkim, one.spf, one.failed, one.stopped) == (25, 12, 5, 12, 13, 11)
    assert one.reporters == ("Mailbox Ltd", "Orange")
    async with database.read() as session:
        (line,) = await authentication.domains(session, SINCE)
        sums = await authentication.report_sums(session, "parti.fr", SINCE)
    assert (line.reports, line.messages, line.passed) == (2, 25, 12)
    assert {(one.org, one.messages, one.passed) for one in sums} == {
        ("Mailbox Ltd", 14, 12),
        ("Orange", 11, 0),
    }
    assert {one.day for one in sums} == {datetime.fromtimestamp(BEGIN, UTC).date()}


async def test_mail_of_a_name_below_is_found_in_the_reports_of_the_domain_above(database: Database) -> None:
    await keep(
        database,
        an_aggregate(
            a_record("192.0.2.1", 10, sender="rhone.parti.fr"),
            a_record("192.0.2.2", 20, sender="parti.fr"),
            a_record("192.0.2.3", 30, sender="autrerhone.parti.fr"),
        ),
        an_aggregate(
            a_record("192.0.2.4", 40, sender="x.rhone.parti.fr"), domain="rhone.parti.fr", number="r-2"
        ),
        an_aggregate(a_record("192.0.2.5", 50, sender="rhone.parti.fr.evil.example"), domain="evil.example"),
    )
    assert set(await rates(database, "rhone.parti.fr")) == {"192.0.2.1", "192.0.2.4"}
    assert set(await rates(database, "parti.fr")) == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


async def test_reports_from_before_are_left_out(database: Database) -> None:
    await keep(database, an_aggregate())
    async with database.read() as session:
        after = datetime.fromtimestamp(BEGIN, UTC) + timedelta(seconds=1)
        assert await authentication.pass_rates(session, "parti.fr", after) == []
        assert await authentication.domains(session, after) == []


async def test_reports_of_the_same_number_from_two_reporters_or_of_two_domains_are_several(
    database: Database,
) -> None:
    raws = [an_aggregate(), an_aggregate(org="Orange"), an_aggregate(domain="autre.fr")]
    assert await keep(database, *raws, *raws) == Filed(new=3, known=3)


async def test_a_report_with_many_rows_is_kept_whole(database: Database) -> None:
    rows = [a_record(f"192.0.{number // 250}.{number % 250}", 1) for number in range(1203)]
    await keep(database, an_aggregate(*rows))
    assert len(await rates(database)) == 1203


async def test_encryption_is_added_up_by_reporter_and_kind(database: Database) -> None:
    raws = [
        a_tls_report(),
        a_tls_report(number="t-2", failures=5),
        a_tls_report(number="t-3", domain="autre.fr"),
    ]
    assert await keep(database, *raws, raws[0]) == Filed(new=3, known=1)
    async with database.read() as session:
        (found,) = await authentication.tls_results(session, ["parti.fr"], SINCE)
        assert await authentication.tls_results(session, [], SINCE) == []
    assert (found.successes, found.failures, found.kinds) == (194, 8, (("certificate-expired", 8),))


async def test_what_passed_of_ours_is_added_up_as_the_sources_tell_it(database: Database) -> None:
    async with database.write() as session:
        identity = await an_identity(session, domain="parti.fr")
        selector = (await _selectors(session, identity.id))[0]
    ours = {"selector": selector, "dkim": "fail", "spf": "fail", "mail_domain": "shop.example"}
    await keep(
        database,
        an_aggregate(
            a_record("192.0.2.1", 10, **ours),
            a_record("192.0.2.1", 7, **FAILED),
            a_record("192.0.2.2", 20, selector="x", mail_domain=identity.return_path_domain or "", **NEITHER),
            a_record("192.0.2.3", 30, selector="x", mail_domain="shop.example"),
            a_record("192.0.2.4", 40, **FAILED),
            a_record("192.0.2.5", 50, **FAILED, reason="mailing_list"),
        ),
    )
    found = [
        one for one in (await rates(database)).values() if one.kind in {SenderKind.OURS, SenderKind.ALLOWED}
    ]
    async with database.read() as session:
        assert await own_rate(session, "parti.fr", SINCE) == (67, 30)
        assert await own_rate(session, "autre.fr", SINCE) == (0, 0)
    assert (sum(one.messages for one in found), sum(one.passed for one in found)) == (67, 30)
