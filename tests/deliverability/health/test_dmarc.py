"""DMARC of the From domain: found as RFC 9989 says, read as it says, and its reports arrive."""

import pytest

from deliverability.health import FindingLevel, HealthCode
from deliverability.health.dmarc import DmarcLook, check_dmarc
from deliverability.health.dmarc_record import Policy, is_dmarc, read_dmarc
from deliverability.health.dmarc_walk import policy_for, walk_up
from tests.deliverability.health.houses import DMARC, FROM_DOMAIN, House, codes, the
from tests.servers.dns import Fault

RUA = "rua=mailto:dmarc@parti.example"


async def look(house: House, *texts: str) -> DmarcLook:
    if texts:
        house.server.publish_text(DMARC, *texts)
    inquiry = house.inquiry()
    try:
        return await check_dmarc(FROM_DOMAIN, "dmarc@parti.example", inquiry)
    finally:
        await inquiry.close()


def bare(house: House) -> None:
    """No record of the domain's own, nor of its organisation."""
    for name in (DMARC, "_dmarc.parti.example"):
        house.server.withdraw(name, "TXT")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"v=DMARC1; p=quarantine; {RUA}", set()),
        (f"v=DMARC1;p=reject;{RUA};", set()),
        (f"v=DMARC1; p=reject; sp=none; np=reject; adkim=s; aspf=s; fo=1; psd=n; {RUA}", set()),
        (f"v=DMARC1; {RUA}; p=reject", set()),
        (f"v=DMARC1; p=none; {RUA}", {HealthCode.DMARC_POLICY_NONE}),
        (f"v=DMARC1; p=reject; t=y; {RUA}", {HealthCode.DMARC_TESTING}),
        (f"v=DMARC1; p=reject; pct=100; ri=3600; {RUA}", {HealthCode.DMARC_OLD_TAGS}),
        ("v=DMARC1; p=reject", {HealthCode.DMARC_NO_REPORTS}),
        (f"v=DMARC1; p=refuse; {RUA}", {HealthCode.DMARC_SYNTAX, HealthCode.DMARC_POLICY_NONE}),
        (f"v=DMARC1; {RUA}", {HealthCode.DMARC_SYNTAX, HealthCode.DMARC_POLICY_NONE}),
        (f"v=DMARC1; p=reject; adkim=x; {RUA}", {HealthCode.DMARC_SYNTAX}),
        (
            "v=DMARC1; p=reject; rua=dmarc@parti.example",
            {HealthCode.DMARC_SYNTAX, HealthCode.DMARC_NO_REPORTS},
        ),
        (f"v=DMARC1 p=reject {RUA}", {HealthCode.DMARC_SYNTAX}),
        ("p=reject; v=DMARC1", {HealthCode.DMARC_SYNTAX}),
        (f"v=dmarc1; p=reject; {RUA}", {HealthCode.DMARC_SYNTAX}),
    ],
)
async def test_each_record_is_read_as_receivers_do(house: House, text: str, wanted: set[HealthCode]) -> None:
    house.server.withdraw("_dmarc.parti.example", "TXT")
    assert set(codes(list((await look(house, text)).findings))) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=refuse; adkim=x; pct=20; rua=dmarc@parti.example",
        "p=quarantine; v=DMARC1",
        f"v=DMARC1; p=reject; t=y; {RUA}",
        f"v=DMARC1; p=none; {RUA}",
    ],
)
async def test_what_is_proposed_is_in_order_in_the_end(house: House, text: str) -> None:
    house.server.withdraw("_dmarc.parti.example", "TXT")
    house.mend(list((await look(house, text)).findings))
    for _ in range(2):
        house.mend(list((await look(house)).findings))
    assert codes(list((await look(house)).findings)) == []


async def test_two_records_are_none_and_are_joined(house: House) -> None:
    bare(house)
    seen = await look(
        house, "v=DMARC1; p=none; rua=mailto:a@parti.example", f"v=DMARC1; p=reject; {RUA}", "x"
    )
    finding = the(list(seen.findings), HealthCode.DMARC_SEVERAL)
    assert finding.record is not None
    assert finding.record.value == (
        "v=DMARC1; p=reject; rua=mailto:a@parti.example,mailto:dmarc@parti.example"
    )
    assert len(finding.replaces) == 2


async def test_no_record_is_a_problem_with_a_harmless_one_to_publish(house: House) -> None:
    bare(house)
    finding = the(list((await look(house)).findings), HealthCode.DMARC_MISSING)
    assert finding.record is not None
    assert finding.record.value == "v=DMARC1; p=none; rua=mailto:dmarc@parti.example"


@pytest.mark.parametrize(
    ("top", "exists", "policy"),
    [
        ("v=DMARC1; p=reject; sp=quarantine; np=none", True, Policy.QUARANTINE),
        ("v=DMARC1; p=reject; sp=quarantine; np=none", False, Policy.NONE),
        ("v=DMARC1; p=reject; sp=quarantine", False, Policy.QUARANTINE),
        ("v=DMARC1; p=reject", True, Policy.REJECT),
    ],
)
async def test_the_organisations_record_covers_what_is_below(
    house: House, top: str, policy: Policy, *, exists: bool
) -> None:
    bare(house)
    house.server.publish_text("_dmarc.parti.example", top)
    walk = await walk_up(FROM_DOMAIN, house.inquiry())
    assert walk.organisation == "parti.example"
    assert policy_for(walk, exists=exists) is policy


@pytest.mark.parametrize(
    ("records", "organisation"),
    [
        # RFC 9989 section 4.10.2: psd=n ends the walk, psd=y stands one above, otherwise the topmost record.
        ({"a.b.c.example": "n", "b.c.example": "", "c.example": ""}, "a.b.c.example"),
        ({"b.c.example": "n", "c.example": ""}, "b.c.example"),
        ({"a.b.c.example": "", "c.example": "y"}, "b.c.example"),
        ({"a.b.c.example": "", "b.c.example": "", "c.example": ""}, "c.example"),
        ({"example": "y"}, "c.example"),
        ({}, "a.b.c.example"),
        ({"a.b.c.example": "y", "c.example": ""}, "a.b.c.example"),
    ],
)
async def test_the_organisation_is_found_by_walking_up(
    house: House, records: dict[str, str], organisation: str
) -> None:
    for name, psd in records.items():
        house.server.publish_text(f"_dmarc.{name}", f"v=DMARC1; p=none{'; psd=' + psd if psd else ''}")
    assert (await walk_up("a.b.c.example", house.inquiry())).organisation == organisation


async def test_a_long_name_is_not_asked_for_label_by_label(house: House) -> None:
    await walk_up("a.b.c.d.e.f.g.h.i.j.mail.example", house.inquiry())
    asked = [each.name for each in house.server.asked]
    assert asked == [
        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example",
        "_dmarc.g.h.i.j.mail.example".replace("g.", "f.g."),
        "_dmarc.g.h.i.j.mail.example",
        "_dmarc.h.i.j.mail.example",
        "_dmarc.i.j.mail.example",
        "_dmarc.j.mail.example",
        "_dmarc.mail.example",
        "_dmarc.example",
    ]


@pytest.mark.parametrize(
    ("agreed", "wanted"), [("", True), ("v=DMARC1", False), ("v=DMARC1; rua=mailto:x@c.example", False)]
)
async def test_reports_elsewhere_have_to_be_agreed_to_there(
    house: House, agreed: str, *, wanted: bool
) -> None:
    house.server.publish_zone("c.example")
    if agreed:
        house.server.publish_text(f"{FROM_DOMAIN}._report._dmarc.c.example", agreed)
    seen = await look(house, "v=DMARC1; p=reject; rua=mailto:x@c.example!10m")
    assert (HealthCode.DMARC_REPORTS_UNAUTHORISED in codes(list(seen.findings))) is wanted
    if wanted:
        record = seen.findings[-1].record
        assert record is not None
        assert (record.name, record.value) == (f"{FROM_DOMAIN}._report._dmarc.c.example", "v=DMARC1")
        assert record.zone == "c.example"


async def test_an_agreement_for_everybody_counts(house: House) -> None:
    house.server.publish_text("*._report._dmarc.c.example", "v=DMARC1")
    seen = await look(house, "v=DMARC1; p=reject; rua=mailto:x@c.example")
    assert codes(list(seen.findings)) == []


@pytest.mark.parametrize("name", [DMARC, "_dmarc.parti.example"])
async def test_what_could_not_be_asked_is_never_called_missing(house: House, name: str) -> None:
    house.server.fail(name, Fault.SERVFAIL)
    seen = await look(house)
    assert [each.level for each in seen.findings] == [FindingLevel.UNKNOWN]


def test_what_says_nothing_is_no_policy() -> None:
    assert is_dmarc("v=DMARC1")
    assert read_dmarc("v=DMARC1").policy is None
    assert read_dmarc("v=DMARC1; rua=mailto:a@b.example").policy is Policy.NONE
