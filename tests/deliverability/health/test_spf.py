"""SPF of the return path, as receivers would find it: counted exactly, and mended within its limits."""

import pytest

from deliverability.dns_records import DnsRecord
from deliverability.health import FindingLevel, HealthCode, SendingSetup
from deliverability.health.spf import SpfLook, Standing, check_spf
from deliverability.health.spf_host import SpfResult, check_host
from deliverability.health.spf_record import read_spf
from deliverability.health.spf_survey import survey_spf
from tests.deliverability.health.houses import IP, RELAYED, RETURN_PATH, REVERSE, SETUP, House, codes, the
from tests.servers.dns import DnsServer

WITH_RELAY = "v=spf1 include:spf.relay.example -all"


async def look(house: House, text: str | None, setup: SendingSetup = SETUP, *, ours: bool = True) -> SpfLook:
    if text is None:
        house.server.withdraw(RETURN_PATH, "TXT")
    else:
        house.server.publish_text(RETURN_PATH, text)
    inquiry = house.inquiry()
    try:
        return await check_spf(RETURN_PATH, setup, inquiry, is_ours_alone=ours)
    finally:
        await inquiry.close()


def found(look: SpfLook) -> set[HealthCode]:
    return set(codes(list(look.findings)))


def chain(server: DnsServer, count: int) -> None:
    """Names i0 … i(count-1), each of which includes the next."""
    for number in range(count):
        following = f"include:i{number + 1}.example " if number + 1 < count else ""
        server.publish_text(f"i{number}.example", f"v=spf1 {following}ip4:203.0.113.{number} -all")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, {HealthCode.SPF_MISSING}),
        ("hello", {HealthCode.SPF_MISSING}),
        ("v=spf10 -all", {HealthCode.SPF_MISSING}),
        (f"v=spf1 ip4:{IP} -all", set()),
        (f"V=SPF1 IP4:{IP} -ALL", set()),
        (f"v=spf1 ip4:{IP} ~all", set()),
        (f"v=spf1 ip4:{IP}", {HealthCode.SPF_OPEN_END}),
        (f"v=spf1 ip4:{IP} ?all", {HealthCode.SPF_OPEN_END}),
        (f"v=spf1 ip4:{IP} +all", {HealthCode.SPF_ALLOWS_ALL}),
        ("v=spf1 all", {HealthCode.SPF_ALLOWS_ALL}),
        (f"v=spf1 ip4:{IP} ip4:300.1.1.1 -all", {HealthCode.SPF_SYNTAX}),
        (f"v=spf1 ipv4:{IP} -all", {HealthCode.SPF_SYNTAX}),
        (f"v=spf1 ip4:{IP} include: -all", {HealthCode.SPF_SYNTAX}),
        (f"v=spf1 ip4:{IP} redirect=a.example redirect=b.example", {HealthCode.SPF_SYNTAX}),
        (f"v=spf1 ptr ip4:{IP} -all", {HealthCode.SPF_PTR}),
        ("v=spf1 ip4:198.51.100.1 -all", {HealthCode.SPF_LEAVES_US_OUT}),
        ("v=spf1 -all", {HealthCode.SPF_LEAVES_US_OUT}),
        (f"v=spf1 ip4:{IP} include:nobody.example -all", {HealthCode.SPF_INCLUDE_BROKEN}),
        (f"v=spf1 -all ip4:{IP}", {HealthCode.SPF_LEAVES_US_OUT}),
        (f"v=spf1 ip4:{IP} -all include:nobody.example", set()),
        ("v=spf1 a:tocsin.parti.example -all", set()),
        ("v=spf1 mx -all", set()),
        ("v=spf1 a:tocsin.parti.example/24 -all", set()),
        (
            f"v=spf1 ip4:{IP} {' '.join(f'ip4:198.51.100.{n}' for n in range(40))} -all",
            {HealthCode.SPF_TOO_LONG},
        ),
    ],
)
async def test_each_fault_of_a_record_is_told(
    house: House, text: str | None, wanted: set[HealthCode]
) -> None:
    assert found(await look(house, text)) == wanted


async def test_two_records_count_as_an_error_and_are_joined(house: House) -> None:
    house.server.publish_text(RETURN_PATH, f"v=spf1 ip4:{IP} ~all", WITH_RELAY, "unrelated")
    inquiry = house.inquiry()
    seen = await check_spf(RETURN_PATH, SETUP, inquiry)
    finding = the(list(seen.findings), HealthCode.SPF_SEVERAL)
    assert finding.values["count"] == "2"
    assert finding.record is not None
    assert finding.record.value == f"v=spf1 ip4:{IP} include:spf.relay.example -all"
    assert set(finding.replaces) == {f"v=spf1 ip4:{IP} ~all", WITH_RELAY}


@pytest.mark.parametrize(("links", "told"), [(10, ""), (11, "11"), (12, "12")])
async def test_the_eleventh_lookup_is_one_too_many(house: House, links: int, told: str) -> None:
    chain(house.server, links)
    seen = await look(house, f"v=spf1 ip4:{IP} include:i0.example -all")
    assert [
        each.values["lookups"] for each in seen.findings if each.code is HealthCode.SPF_TOO_MANY_LOOKUPS
    ] == ([told] if told else [])


async def test_every_kind_of_lookup_is_counted(house: House) -> None:
    house.server.publish_text("r.example", "v=spf1 a:mail.parti.example -all")
    house.server.publish_text(
        RETURN_PATH,
        "v=spf1 a:mail.parti.example mx ptr exists:%{i}.x.example include:spf.relay.example"
        " redirect=r.example",
    )
    survey = await survey_spf(RETURN_PATH, house.inquiry())
    # a, mx, ptr, exists, include, redirect, and the a behind the redirect.
    assert survey.lookups == 7


@pytest.mark.parametrize(("voids", "wanted"), [(2, set()), (3, {HealthCode.SPF_TOO_MANY_VOIDS})])
async def test_the_third_name_that_answers_nothing_is_one_too_many(
    house: House, voids: int, wanted: set[HealthCode]
) -> None:
    names = " ".join(f"a:void{number}.example" for number in range(voids))
    seen = await look(house, f"v=spf1 ip4:{IP} {names} -all")
    assert found(seen) == wanted
    for finding in seen.findings:
        if finding.record is not None:
            assert finding.record.value == f"v=spf1 ip4:{IP} -all"


async def test_a_circle_of_includes_is_told_with_its_names(house: House) -> None:
    house.server.publish_text("a.example", "v=spf1 include:b.example -all")
    house.server.publish_text("b.example", "v=spf1 include:a.example -all")
    seen = await look(house, f"v=spf1 ip4:{IP} include:a.example -all")
    assert found(seen) == {HealthCode.SPF_LOOP}
    (finding,) = seen.findings
    assert finding.values["names"] == "a.example → b.example → a.example"
    assert seen.standing is Standing.BROKEN


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "missing"), ("v=spf1 foo -all", "syntax"), ("two", "several")],
)
async def test_a_broken_include_makes_the_whole_an_error(house: House, text: str, fault: str) -> None:
    if text == "two":
        house.server.publish_text("x.example", "v=spf1 -all", "v=spf1 ~all")
    elif text:
        house.server.publish_text("x.example", text)
    seen = await look(house, f"v=spf1 ip4:{IP} include:x.example -all")
    (finding,) = seen.findings
    assert (finding.code, finding.values["fault"]) == (HealthCode.SPF_INCLUDE_BROKEN, fault)


async def test_everybody_let_in_by_an_include_is_told(house: House) -> None:
    house.server.publish_text("x.example", "v=spf1 +all")
    seen = await look(house, f"v=spf1 ip4:{IP} include:x.example -all")
    (finding,) = seen.findings
    assert (finding.code, finding.values["by"]) == (HealthCode.SPF_ALLOWS_ALL, "x.example")


async def test_more_than_ten_exchangers_are_an_error(house: House) -> None:
    house.server.publish("many.example", "MX", *(f"10 m{n}.example." for n in range(11)))
    for number in range(11):
        house.server.publish(f"m{number}.example", "A", "203.0.113.9")
    seen = await look(house, f"v=spf1 ip4:{IP} mx:many.example -all")
    assert {each.values.get("fault") for each in seen.findings} == {"exchangers"}


@pytest.mark.parametrize(
    ("asked", "text", "ok"),
    [
        ("include:spf.relay.example", WITH_RELAY, True),
        ("include:spf.relay.example", "v=spf1 include:outer.example -all", True),
        ("include:spf.relay.example", "v=spf1 -all", False),
        ("ip4:198.51.100.7", WITH_RELAY, True),
        ("ip4:198.51.101.7", WITH_RELAY, False),
    ],
)
async def test_what_the_relay_asks_for_has_to_be_in_it(
    house: House, asked: str, text: str, *, ok: bool
) -> None:
    house.server.publish_text("outer.example", WITH_RELAY)
    seen = await look(house, text, SendingSetup(relay_spf=asked))
    assert (HealthCode.SPF_LEAVES_US_OUT in found(seen)) is not ok
    assert (seen.standing is Standing.PASS) is ok
    if not ok:
        assert seen.findings[0].record is not None
        assert asked in seen.findings[0].record.value


async def test_without_knowing_how_we_send_nothing_is_said_of_us(house: House) -> None:
    seen = await look(house, "v=spf1 ip4:198.51.100.1 -all", SendingSetup())
    assert (found(seen), seen.standing) == (set(), Standing.LIKELY)


async def test_a_record_that_others_share_keeps_the_softer_end(house: House) -> None:
    seen = await look(house, "v=spf1 include:spf.relay.example ~all", ours=False)
    (finding,) = seen.findings
    assert finding.record is not None
    assert finding.record.value == f"v=spf1 ip4:{IP} include:spf.relay.example ~all"


async def test_mending_keeps_within_the_limits_and_keeps_everybody(house: House) -> None:
    for number in range(14):
        house.server.publish_text(f"s{number}.example", f"v=spf1 ip4:198.51.100.{number * 16} -all")
    seen = await look(house, "v=spf1 " + " ".join(f"include:s{n}.example" for n in range(14)) + " -all")
    record: DnsRecord | None = seen.findings[0].record
    assert record is not None
    house.server.publish_text(RETURN_PATH, record.value)
    again = house.inquiry()
    survey = await survey_spf(RETURN_PATH, again)
    assert survey.lookups <= 10
    for number in range(14):
        assert await check_host(f"198.51.100.{number * 16}", RETURN_PATH, again) is SpfResult.PASS
    assert await check_host(IP, RETURN_PATH, again) is SpfResult.PASS
    assert await check_host("203.0.113.200", RETURN_PATH, again) is SpfResult.FAIL


async def test_a_record_that_no_form_would_take_is_not_proposed(house: House) -> None:
    networks = " ".join(f"ip4:203.0.{n // 200}.{n % 200}" for n in range(400))
    seen = await look(house, f"v=spf1 ptr {networks} -all")
    assert {each.record.value for each in seen.findings if each.record} == {f"v=spf1 ip4:{IP} -all"}


async def test_nothing_of_ours_is_made_up_where_nothing_is_known(house: House) -> None:
    seen = await look(house, None, SendingSetup())
    assert seen.findings[0].record is not None
    assert seen.findings[0].record.value == "v=spf1 include:SPF-OF-YOUR-MAIL-SERVER -all"
    relayed = await look(house, None, RELAYED)
    assert relayed.findings[0].record is not None
    assert relayed.findings[0].record.value == WITH_RELAY


@pytest.mark.parametrize(
    ("text", "ip", "result"),
    [
        ("v=spf1 -all", IP, SpfResult.FAIL),
        ("v=spf1 ~all", IP, SpfResult.SOFTFAIL),
        ("v=spf1 ?all", IP, SpfResult.NEUTRAL),
        ("v=spf1", IP, SpfResult.NEUTRAL),
        ("nothing", IP, SpfResult.NONE),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::25", SpfResult.PASS),
        ("v=spf1 a:tocsin.parti.example -all", "2001:db8::25", SpfResult.FAIL),
        ("v=spf1 exists:%{ir}.%{v}.spf.%{d2} -all", IP, SpfResult.PASS),
        ("v=spf1 ptr -all", IP, SpfResult.FAIL),
        ("v=spf1 ptr:parti.example -all", IP, SpfResult.PASS),
        ("v=spf1 -include:spf.relay.example +all", "198.51.100.9", SpfResult.FAIL),
        ("v=spf1 redirect=spf.relay.example", "198.51.100.9", SpfResult.PASS),
        ("v=spf1 redirect=nobody.example", IP, SpfResult.PERMERROR),
        ("v=spf1 a:v1.example a:v2.example a:v3.example -all", IP, SpfResult.PERMERROR),
    ],
)
async def test_an_address_is_judged_as_by_a_receiver(
    house: House, text: str, ip: str, result: SpfResult
) -> None:
    house.server.publish_text(RETURN_PATH, text)
    house.server.publish("25.2.0.192.in-addr.spf.parti.example", "A", "127.0.0.2")
    assert house.server.records[REVERSE, "PTR"]
    assert await check_host(ip, RETURN_PATH, house.inquiry()) is result


@pytest.mark.parametrize(("links", "result"), [(10, SpfResult.PASS), (11, SpfResult.PERMERROR)])
async def test_a_receiver_gives_up_at_the_eleventh_lookup(
    house: House, links: int, result: SpfResult
) -> None:
    chain(house.server, links)
    house.server.publish_text(RETURN_PATH, "v=spf1 include:i0.example -all")
    assert await check_host(f"203.0.113.{links - 1}", RETURN_PATH, house.inquiry()) is result


@pytest.mark.parametrize("text", ["v=spf1 include:loop.example -all", "v=spf1 redirect=loop.example"])
async def test_a_receiver_does_not_run_in_circles(house: House, text: str) -> None:
    house.server.publish_text("loop.example", text)
    assert await check_host(IP, "loop.example", house.inquiry()) is SpfResult.PERMERROR


def test_what_is_read_is_written_again_as_it_was() -> None:
    text = "v=spf1 a mx/24//64 a:x.example/28 -ip4:192.0.2.0/24 ip6:2001:db8::/32 ?exists:%{i}.x.example ~all"
    assert str(read_spf(text)) == text
    assert str(read_spf("v=spf1 redirect=x.example exp=why.x.example")) == (
        "v=spf1 redirect=x.example exp=why.x.example"
    )


async def test_levels_tell_what_breaks_from_what_is_bad_style(house: House) -> None:
    seen = await look(house, f"v=spf1 ptr ip4:{IP}")
    assert {each.level for each in seen.findings} == {FindingLevel.WARNING}
    assert seen.standing is Standing.PASS
