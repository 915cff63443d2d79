"""What the seed's own server found of SPF, DKIM and DMARC, and what a sender cannot make us believe."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.placement.traces import details_of
from deliverability.placement.verdicts import METHODS, authserv_id, plain, results_of
from models.seed import SeedMailbox
from store.seeds import SentMail
from tests.clocks import START

AR = "Authentication-Results"
GMAIL = (
    "mx.google.com;\r\n       dkim=pass header.i=@parti.fr header.s=t1 header.b=abc;\r\n"
    "       spf=pass (google.com: domain of b+x@retour.parti.fr designates 192.0.2.10 as permitted sender)"
    " smtp.mailfrom=b+x@retour.parti.fr;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE)"
    " header.from=parti.fr"
)
OUTLOOK = (
    "spf=pass (sender IP is 192.0.2.10) smtp.mailfrom=retour.parti.fr; dkim=fail (body hash did not verify)"
    " header.d=parti.fr;dmarc=fail action=none header.from=parti.fr;compauth=fail reason=001"
)


def read(*fields: tuple[str, str], provider: str = "gmail", hosts: tuple[str, ...] = ()) -> dict[str, str]:
    return results_of(fields, provider=provider, known_hosts=hosts)


def test_gmails_field_is_read() -> None:
    assert read((AR, GMAIL)) == {"dkim": "pass", "spf": "pass", "dmarc": "pass"}


def test_outlooks_field_names_no_server_and_is_read_there_alone() -> None:
    assert read((AR, OUTLOOK), provider="outlook") == {"spf": "pass", "dkim": "fail", "dmarc": "fail"}
    assert read((AR, OUTLOOK), provider="gmail") == {}


def test_only_the_topmost_field_is_believed() -> None:
    forged = "mx.google.com; dkim=pass; spf=pass; dmarc=pass"
    own = "mx.google.com; dkim=fail; spf=softfail"
    assert read((AR, own), ("Received", "by x"), (AR, forged)) == {"dkim": "fail", "spf": "softfail"}
    assert read((AR, own), (AR, forged)) == {"dkim": "fail", "spf": "softfail"}


@pytest.mark.parametrize(
    "signed",
    ["mx.evil.example", "mx.google.com.evil.example", "evilgoogle.com", "google.example", "com", "x.co.uk"],
)
def test_a_field_of_somebody_elses_server_is_not_believed(signed: str) -> None:
    own = "mx.google.com; dkim=fail"
    assert read((AR, f"{signed}; dkim=pass; dmarc=pass"), hosts=("imap.gmail.com", "gmx.co.uk")) == {}
    # What comes below it is no better: ours would have stood on top.
    assert read((AR, f"{signed}; dkim=pass"), (AR, own)) == {}


@pytest.mark.parametrize("hosts", [("mx.inbox.test",), ("imap.inbox.test",), ("inbox.test",)])
def test_a_server_nobody_lists_is_known_by_its_neighbours(hosts: tuple[str, ...]) -> None:
    assert read((AR, "mx.inbox.test 1; spf=pass"), provider="other", hosts=hosts) == {"spf": "pass"}


def test_icloud_writes_one_field_for_each_method() -> None:
    fields = [
        (AR, "bimi.icloud.com; bimi=skipped reason=insufficient"),
        (AR, "dmarc.icloud.com; dmarc=pass header.from=parti.fr"),
        (AR, "dkim-verifier.icloud.com; dkim=pass (2048-bit key) header.d=parti.fr"),
        (AR, "spf.icloud.com; spf=none smtp.mailfrom=x"),
        ("Subject", "x"),
        (AR, "spf.icloud.com; spf=pass; dmarc=pass; arc=pass"),
    ]
    assert read(*fields, provider="icloud") == {"dmarc": "pass", "dkim": "pass", "spf": "none"}


def test_of_two_signatures_the_one_that_holds_counts() -> None:
    text = "mx.google.com; dkim=fail header.i=@a.fr; dkim=pass header.i=@b.fr; dkim=neutral"
    assert read((AR, text)) == {"dkim": "pass"}


@pytest.mark.parametrize(
    "text",
    [
        "mx.google.com; none",
        "mx.google.com; (dkim=pass) spf (was =pass)",
        'mx.google.com; x="; dkim=pass"',
        "",
    ],
)
def test_comments_and_quotes_hold_no_results(text: str) -> None:
    assert "dkim" not in read((AR, text))


def test_comments_nest_and_may_be_escaped() -> None:
    assert plain("a (b (c) \\) d) e").split() == ["a", "e"]
    assert authserv_id(plain("(x) mx.google.com 1; spf=pass")) == "mx.google.com"


@given(st.text(max_size=300), st.sampled_from(["gmail", "outlook", "icloud", "other"]))
def test_whatever_stands_there_nothing_breaks(text: str, provider: str) -> None:
    found = read((AR, text), (AR, f"mx.google.com; {text}"), provider=provider)
    assert set(found) <= set(METHODS)
    assert all(result.isalpha() and result.islower() for result in found.values())


def a_seed() -> SeedMailbox:
    return SeedMailbox(
        id=1,
        address="temoin@inbox.test",
        provider="other",
        imap_host="imap.inbox.test",
        username="",
        sealed_password="",
    )


def test_of_a_header_the_filters_words_are_kept_within_bounds() -> None:
    lines = [
        "Received: from x by mx.inbox.test with ESMTP; Tue, 10 Mar 2026 09:00:42 +0000",
        "Authentication-Results: mx.inbox.test; dkim=pass; spf=fail",
        "Authentication-Results: mx.inbox.test; dkim=fail",
        "X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:5;",
        "X-ME-Spam-Level: medium",
        "X-Spam-Status: Yes, " + "score=9 " * 400,
        *(f"X-Spam-Extra-{number}: {number}" for number in range(40)),
        "Subject: Bonjour",
    ]
    headers = ("\r\n".join(lines) + "\r\n\r\n").encode()
    details = details_of(headers, SentMail(1, 1, START), a_seed(), START + timedelta(hours=1))
    assert (details["dkim"], details["spf"], details["latency_seconds"]) == ("pass", "fail", "42")
    assert details["x-forefront-antispam-report"].endswith("SCL:5;")
    assert details["x-me-spam-level"] == "medium"
    assert len(details["x-spam-status"]) == 500
    assert details["authentication-results"] == "mx.inbox.test; dkim=pass; spf=fail"
    assert sum(name.startswith("x-") for name in details) < 13
    assert "subject" not in details


@given(st.binary(max_size=400))
def test_any_header_is_read_without_harm(headers: bytes) -> None:
    details = details_of(headers, SentMail(1, 1, START), a_seed(), START)
    assert all(isinstance(value, str) for value in details.values())
