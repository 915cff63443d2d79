"""Whatever a zone says, a look ends soon, asks little, and says so when it was cut short."""

import asyncio
import time
from datetime import timedelta

import pytest

from deliverability.health import FindingLevel, HealthCode, check_identity, finding_from_json, finding_to_json
from deliverability.health.inquiry import CutShortError, Inquiry, is_host_name, is_name
from deliverability.health.setup import Limits
from deliverability.resolver import Answer
from tests.deliverability.health.houses import (
    DMARC,
    FROM_DOMAIN,
    IP,
    KEY_NAME,
    KEYS,
    RETURN_PATH,
    SETUP,
    House,
    an_identity,
    codes,
    the,
)
from tests.servers.dns import Fault


async def test_a_bomb_of_includes_costs_little(house: House) -> None:
    for number in range(200):
        names = " ".join(f"include:b{(number * 7 + step) % 200}.bomb.example" for step in range(1, 12))
        house.server.publish_text(f"b{number}.bomb.example", f"v=spf1 {names} -all")
    house.server.publish_text(RETURN_PATH, "v=spf1 include:b0.bomb.example -all")
    findings = await house.look()
    assert len(house.server.asked) <= 160
    assert {HealthCode.SPF_TOO_MANY_LOOKUPS, HealthCode.SPF_LOOP} & set(codes(findings))


async def test_counting_stops_when_it_only_has_to_be_called_too_many(house: House) -> None:
    for number in range(90):
        house.server.publish_text(f"w{number}.example", "v=spf1 -all")
    house.server.publish_text(
        RETURN_PATH, f"v=spf1 ip4:{IP} " + " ".join(f"include:w{n}.example" for n in range(90)) + " -all"
    )
    finding = the(await house.look(), HealthCode.SPF_TOO_MANY_LOOKUPS)
    assert finding.values["lookups"] == "41+"


async def test_so_many_questions_and_no_more(house: House) -> None:
    findings = await house.look(limits=Limits(questions=9))
    assert len(house.server.asked) == 9
    assert HealthCode.GENERAL_CUT_SHORT in codes(findings, FindingLevel.UNKNOWN)
    assert codes(findings, FindingLevel.WARNING, FindingLevel.PROBLEM) == []


async def test_a_slow_zone_does_not_hold_a_look_beyond_its_time(house: House) -> None:
    house.server.slow_seconds = 0.3
    for name in {each for each, _ in house.server.records}:
        house.server.fail(name, Fault.SLOW)
    began = time.monotonic()
    findings = await house.look(limits=Limits(time=timedelta(seconds=0.7), at_once=2))
    assert time.monotonic() - began < 1.5
    assert HealthCode.GENERAL_CUT_SHORT in codes(findings)
    assert codes(findings, FindingLevel.PROBLEM) == []


async def test_silence_of_every_server_is_one_finding(house: House) -> None:
    for name in {each for each, _ in house.server.records}:
        house.server.fail(name, Fault.SILENT)
    house.server.fail(DMARC, Fault.SERVFAIL)
    for name in ("_dmarc.example", "rhone.parti.example", "retour.rhone.parti.example"):
        house.server.fail(name, Fault.SILENT)
    (finding,) = await house.look()
    assert (finding.code, finding.level) == (HealthCode.GENERAL_DNS_SILENT, FindingLevel.UNKNOWN)


async def test_texts_of_any_size_and_content_are_borne(house: House) -> None:
    house.server.publish_text(KEY_NAME, "v=DKIM1; p=" + "A" * 30_000)
    house.server.publish_text(DMARC, "v=DMARC1; p=reject; " + "x=y; " * 5_000)
    house.server.publish_text(RETURN_PATH, "v=spf1 " + "ip4:192.0.2.1 " * 3_000)
    house.server.publish(f"_smtp._tls.{FROM_DOMAIN}", "TXT", '"v=TLSRPTv1; \\255\\000 rua"')
    findings = await house.look()
    assert {HealthCode.DKIM_SYNTAX, HealthCode.SPF_SYNTAX, HealthCode.DMARC_SYNTAX} <= set(codes(findings))
    for finding in findings:
        assert all(len(value) < 400 for value in finding.values.values())
        assert len(str(finding_to_json(finding))) < 12_000


async def test_terms_of_any_length_are_told_in_short(house: House) -> None:
    names = " ".join(f"a:{'x' * 3_000}{number}.example" for number in range(12))
    house.server.publish_text(RETURN_PATH, f"v=spf1 {names} include:{'y' * 3_000}.example")
    for finding in await house.look():
        assert all(len(value) < 1_000 for value in finding.values.values())
        assert finding.record is None or len(finding.record.value) <= 4_000


async def test_a_thousand_records_of_one_name_are_borne(house: House) -> None:
    house.server.publish(FROM_DOMAIN, "MX", *(f"{n} m{n}.parti.example." for n in range(900)))
    await house.look()
    assert len(house.server.asked) <= 160


async def test_an_alias_in_a_circle_is_not_known_and_not_missing(house: House) -> None:
    house.server.withdraw(KEY_NAME, "TXT")
    house.server.publish(KEY_NAME, "CNAME", "c2.parti.example.")
    house.server.publish("c2.parti.example", "CNAME", f"{KEY_NAME}.")
    findings = await house.look()
    assert HealthCode.DKIM_UNKNOWN in codes(findings)


@pytest.mark.parametrize("fault", [Fault.LAME, Fault.NODATA])
async def test_a_server_that_knows_nothing_is_asked_no_further(house: House, fault: Fault) -> None:
    house.server.fail(RETURN_PATH, fault, "MX")
    assert HealthCode.RETURN_PATH_NO_MX in codes(await house.look())


async def test_an_answer_cut_off_is_asked_for_again_over_tcp(house: House) -> None:
    house.server.fail(KEY_NAME, Fault.TRUNCATED)
    assert codes(await house.look()) == []
    ways = [each.way for each in house.server.asked if (each.name, each.kind) == (KEY_NAME, "TXT")]
    assert ways == ["udp", "tcp"]


async def test_each_question_is_asked_once(house: House) -> None:
    await house.look()
    asked = [(each.name, each.kind) for each in house.server.asked]
    assert len(asked) == len(set(asked))


async def test_no_more_than_so_many_questions_are_open_at_once() -> None:
    open_now, most = 0, 0

    class Counting:
        async def ask(self, name: str, kind: str) -> Answer:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0.01)
            open_now -= 1
            return Answer((), exists=False)

    findings = await check_identity(an_identity(), KEYS, Counting(), setup=SETUP, limits=Limits(at_once=3))
    assert most == 3
    assert HealthCode.DKIM_MISSING in codes(findings)


async def test_names_that_cannot_be_are_not_asked_for(house: House) -> None:
    inquiry = house.inquiry()
    for name in ("", "a" * 64 + ".example", "a..example", "a b.example", ".".join(["abcdefgh"] * 40)):
        assert not is_name(name)
        assert not (await inquiry.ask(name, "A")).exists
    assert house.server.asked == []
    assert is_host_name("mail.parti.example")
    assert not is_host_name("parti")
    assert not is_host_name("[2001:db8::1]")


async def test_after_its_limit_an_inquiry_asks_nothing_more(house: House) -> None:
    inquiry: Inquiry = house.inquiry(Limits(questions=1))
    await inquiry.ask(FROM_DOMAIN, "MX")
    assert (await inquiry.ask(FROM_DOMAIN, "MX")).values
    with pytest.raises(CutShortError):
        await inquiry.ask(FROM_DOMAIN, "TXT")


async def test_what_was_found_is_kept_and_read_again_as_it_was(house: House) -> None:
    house.server.publish_text(RETURN_PATH, "v=spf1 +all")
    for finding in await house.look():
        assert finding_from_json(finding_to_json(finding)) == finding
    assert finding_from_json({"code": "of_tomorrow", "level": "fine"}) is None
