"""Looking at a whole campaign before it is sent, and what stands between a person and the schedule."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from deliverability.filters import FilterError, SpamScore, Symbol
from deliverability.resolver import Answer
from models.errors import BadInputError, NotFoundError
from models.preflight import LintLevel, Preflight
from models.states import CampaignState, Channel, ConsentStatus, IdentityRule, IdentityState, Nature
from scheduler.campaigns import schedule
from scheduler.forecast import ForecastOptions
from scheduler.preflight import (
    GoPast,
    LintFinding,
    Means,
    StandsInTheWayError,
    examine,
    examine_template,
    require_clear,
)
from scheduler.preflight.examination import fingerprint
from scheduler.preflight.findings import to_rows
from scheduler.preflight.gate import look, require_schedulable
from scheduler.preflight.reading import read_campaign
from scheduler.rhythm import Rhythm
from store import Database, campaigns, preflights
from tests.clocks import START, ManualClock
from tests.factories import (
    KEYRING,
    a_campaign,
    a_contact,
    a_segment,
    a_template,
    an_identity,
)

BLOCK, WARN, FINE = LintLevel.BLOCK, LintLevel.WARN, LintLevel.FINE
NOON = datetime.fromisoformat("2026-03-10T12:00")
NO_LINK = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
)


def means(clock: ManualClock, **changed: object) -> Means:
    return replace(Means(KEYRING, clock, "https://liens.parti.fr"), **changed)  # type: ignore[arg-type]


def of(found: Collection[LintFinding], level: LintLevel) -> dict[str, dict[str, str]]:
    return {one.code: dict(one.values) for one in found if one.level is level}


class EmptyDns:
    """A DNS in which nothing is published."""

    async def ask(self, name: str, kind: str) -> Answer:
        return Answer((), exists=True)


class Opinionated:
    """A filter that says the same of everything, or cannot be asked."""

    def __init__(self, score: SpamScore | None) -> None:
        self.given = score
        self.messages: list[bytes] = []

    async def score(self, message: bytes, *, sender: str, recipient: str) -> SpamScore:
        self.messages.append(message)
        if self.given is None:
            raise FilterError("It did not answer in time.")
        return self.given


async def test_a_usual_campaign_may_be_sent(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    found = await examine(database, campaign.id, means(clock))
    assert of(found, BLOCK) == {}
    assert set(of(found, WARN)) == {"dns.unasked", "nature.unsaid", "origin.unsaid"}
    assert {"unsubscribe.unsigned", "unsubscribe.link", "merge.blank", "form.line"} <= set(of(found, FINE))
    assert await examine(database, campaign.id, means(clock)) == found


async def test_people_who_would_see_a_blank_are_counted_and_their_fields_named(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session)
        for _ in range(3):
            await a_contact(session, first_name=None)
        version = await a_template(session, subject="{{ first_name }}, {{ cercle }}")
        campaign = await a_campaign(session, version=version)
    found = of(await examine(database, campaign.id, means(clock)), BLOCK)
    assert found["merge.blank"] == {"count": "4", "fields": "cercle, first_name"}


async def test_a_template_that_cannot_be_made_is_told_as_such(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        version = await a_template(session, body="<mjml><mj-body>{{ first_name</mj-body></mjml>")
        campaign = await a_campaign(session, version=version)
    found = await examine(database, campaign.id, means(clock))
    assert set(of(found, BLOCK)) == {"message.broken"}


async def test_the_largest_message_is_that_of_the_person_with_the_longest_values(
    database: Database, clock: ManualClock
) -> None:
    rows = "{{ commune }} " * 1500
    async with database.write() as session:
        await a_contact(session, commune="Y")
        small = await a_campaign(session, version=await a_template(session, body=NO_LINK.format(rows)))
    assert "size.clipped" not in of(await examine(database, small.id, means(clock)), WARN)
    async with database.write() as session:
        await a_contact(session, commune="Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson" * 2)
    found = of(await examine(database, small.id, means(clock)), WARN)
    assert int(found["size.clipped"]["kilobytes"]) > 120


async def test_links_are_judged_by_where_they_lead_at_last(database: Database, clock: ManualClock) -> None:
    body = NO_LINK.format(
        '<a href="https://bit.ly/{{ first_name }}">parti.fr</a> <a href="http://x.parti.fr">ici</a>'
    )
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session, version=await a_template(session, body=body))
    found = of(await examine(database, campaign.id, means(clock)), WARN)
    assert found["link.shortened"] == {"host": "bit.ly"}
    assert found["link.other"] == {"shown": "parti.fr", "host": "bit.ly"}
    assert found["link.open"] == {"host": "x.parti.fr"}


async def test_what_the_dns_lacks_blocks_and_a_dns_that_was_not_asked_does_not(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    found = await examine(database, campaign.id, means(clock, resolver=EmptyDns()))
    stands = set(of(found, BLOCK))
    assert {"health.dkim_missing", "health.spf_missing", "health.dmarc_missing"} <= stands
    assert any(code.startswith("health.from_domain") for code in stands)
    assert "dns.unasked" not in of(found, WARN)


class Listing:
    """A DNS in which one domain is on every block list, and nothing else is known."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.asked: list[str] = []

    async def ask(self, name: str, kind: str) -> Answer:
        self.asked.append(name)
        # A list is believed that knows its own probe (RFC 5782 section 5).
        found = name.startswith((f"{self.domain}.", "dbltest.com.")) and kind == "A"
        return Answer(("127.0.1.2",) if found else (), exists=found)


async def test_block_lists_are_asked_about_senders_and_links_if_wanted_and_stop_nobody(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    dns = Listing("exemple.fr")
    unwanted = await examine(database, campaign.id, means(clock, resolver=dns))
    assert not any(name.endswith("dbl.spamhaus.org") for name in dns.asked)
    assert "health.blocklist_listed" not in {one.code for one in unwanted}
    wanted = means(clock, resolver=dns, blocklists=("dbl.spamhaus.org",))
    found = of(await examine(database, campaign.id, wanted), WARN)
    assert found["health.blocklist_listed"]["subject"] == "exemple.fr"
    assert "parti.fr.dbl.spamhaus.org" in dns.asked


async def test_a_filter_has_its_word_and_one_that_is_silent_stops_nobody(
    database: Database, clock: ManualClock
) -> None:
    score = SpamScore("rspamd", 8.0, 6.0, 4.0, 15.0, (Symbol("BAD", 8.0, "Bad words"),))
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    asked = Opinionated(score)
    found = await examine(database, campaign.id, means(clock, spam_filter=asked))
    assert of(found, WARN)["filter.marks"]["symbols"] == "BAD +8.0 (Bad words)"
    # The very octets that would leave: signed, with their tokens.
    assert b"DKIM-Signature:" in asked.messages[0]
    assert b"List-Unsubscribe: <https://liens.parti.fr/u/" in asked.messages[0]
    silent = await examine(database, campaign.id, means(clock, spam_filter=Opinionated(None)))
    assert of(silent, WARN)["filter.silent"] == {"problem": "It did not answer in time."}
    assert of(silent, BLOCK) == {}


async def test_each_identity_of_a_campaign_is_looked_at(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        for _ in range(4):
            await a_contact(session)
        one = await an_identity(session)
        other = await an_identity(session, key="rhone", domain="ailleurs.example")
        gone = await an_identity(session, key="paca", state=IdentityState.SUSPENDED)
        campaign = await a_campaign(session, senders=[one, other, gone], rule=IdentityRule.ROTATE)
    found = await examine(database, campaign.id, means(clock))
    where = {each.code: each.where for each in found if each.level is not FINE}
    assert where["counter.foreign"] == ("rhone",)
    assert where["identity.unable"] == ("paca",)
    assert where["origin.unsaid"] == ("national", "rhone")


async def test_an_identity_nobody_knows_is_warned_of_a_crowd(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        for _ in range(201):
            await a_contact(session)
        campaign = await a_campaign(session)
    found = of(await examine(database, campaign.id, means(clock)), WARN)
    assert found["crowd.first"] == {"people": "201", "most": "200"}


async def test_a_text_message_is_looked_at_for_the_person_with_the_longest_values(
    database: Database, clock: ManualClock
) -> None:
    body = "{{ first_name }} " * 20 + "à samedi. STOP"
    async with database.write() as session:
        await a_contact(session, phone="+33612345678", first_name="Li")
        await a_contact(session, phone="+33612345679", first_name="Maximilienne-Alexandrine")
        version = await a_template(session, channel=Channel.SMS, body=body)
        campaign = await a_campaign(session, version=version)
    found = of(await examine(database, campaign.id, means(clock)), WARN)
    assert found["sms.long"] == {"segments": "4"}
    assert found["sms.nowhere"] == {"sender": "PARTI"}


async def test_a_template_is_looked_at_without_an_audience(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        version = await a_template(session, body=NO_LINK.format("Bonjour {{ first_name }} *|FNAME|*"))
        identity = await an_identity(session)
    found = await examine_template(database, version, identity, means(clock))
    assert of(found, BLOCK) == {"merge.unresolved": {"tag": "*|FNAME|*"}}
    assert not {"merge.blank", "crowd.nobody"} & {one.code for one in found}


async def test_no_campaign_is_no_campaign(database: Database, clock: ManualClock) -> None:
    with pytest.raises(NotFoundError):
        await examine(database, 7, means(clock))


async def broken_campaign(database: Database) -> int:
    async with database.write() as session:
        await a_contact(session, first_name=None)
        return (await a_campaign(session)).id


async def test_what_blocks_keeps_a_campaign_from_being_scheduled_and_is_kept_for_its_page(
    database: Database, clock: ManualClock
) -> None:
    number = await broken_campaign(database)
    with pytest.raises(StandsInTheWayError, match="1 check stood in its way") as refused:
        await require_clear(database, number, means(clock))
    assert [one.code for one in refused.value.found] == ["merge.blank"]
    async with database.read() as session:
        kept = await preflights.find_preflight(session, number)
        assert kept is not None
        assert kept.examined_at == START
        assert kept.findings[0]["code"] == "merge.blank"
        assert await preflights.overrides_of(session, number) == []


async def test_warnings_stop_nobody(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    found = await require_clear(database, campaign.id, means(clock))
    assert of(found, WARN)


async def test_a_reason_goes_past_these_blockers_and_is_kept_with_who_gave_it(
    database: Database, clock: ManualClock
) -> None:
    number = await broken_campaign(database)
    past = GoPast("chef@parti.fr", "  Le bureau l'a décidé.  ")
    await require_clear(database, number, means(clock), past=past)
    async with database.read() as session:
        [kept] = await preflights.overrides_of(session, number)
    assert (kept.by, kept.reason, kept.codes, kept.at) == (
        "chef@parti.fr",
        "Le bureau l'a décidé.",
        ["merge.blank"],
        START,
    )
    # Said once, it holds for the same blockers …
    await require_clear(database, number, means(clock))
    # … not for the same ones in a campaign that was changed since …
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, number)
        campaign.name = "Une autre lettre"
        session.add(campaign)
    with pytest.raises(StandsInTheWayError):
        await require_clear(database, number, means(clock))
    # … and not for new ones.
    async with database.write() as session:
        campaign = await campaigns.get_campaign(session, number)
        worse = await a_template(session, body=NO_LINK.format("{{ first_name }} %%NOM%%"))
        campaign.template_version_id = worse.id
        session.add(campaign)
    with pytest.raises(StandsInTheWayError):
        await require_clear(database, number, means(clock))


async def test_going_past_needs_a_reason(database: Database, clock: ManualClock) -> None:
    number = await broken_campaign(database)
    with pytest.raises(BadInputError, match="needs a reason"):
        await require_clear(database, number, means(clock), past=GoPast("chef@parti.fr", "  "))


async def test_nothing_is_kept_of_going_past_where_nothing_stood(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
    await require_clear(database, campaign.id, means(clock), past=GoPast("chef@parti.fr", "Pressé"))
    async with database.read() as session:
        assert await preflights.overrides_of(session, campaign.id) == []


async def test_what_the_seeds_said_counts_for_a_day(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        await a_contact(session)
        campaign = await a_campaign(session)
        failed = LintFinding(BLOCK, "seeds.failed", {"provider": "Gmail", "method": "DKIM", "result": "fail"})
        kept = Preflight(campaign_id=campaign.id, examined_at=START, seeds=to_rows([failed]), seeds_at=START)
        await preflights.save_preflight(session, kept, with_seeds=True)
    with pytest.raises(StandsInTheWayError):
        await require_clear(database, campaign.id, means(clock))
    clock.advance(timedelta(days=1))
    await require_clear(database, campaign.id, means(clock))
    async with database.read() as session:
        row = await preflights.find_preflight(session, campaign.id)
    # Another look leaves what the seeds said where it is.
    assert row is not None
    assert row.seeds_at == START


async def test_a_change_of_the_campaign_or_its_sender_is_seen(database: Database, clock: ManualClock) -> None:
    async with database.write() as session:
        identity = await an_identity(session)
        campaign = await a_campaign(session, senders=[identity])
    await look(database, campaign.id, means(clock))

    async def print_() -> str:
        return fingerprint(await read_campaign(database, campaign.id, START))

    before = await print_()
    async with database.read() as session:
        kept = await preflights.find_preflight(session, campaign.id)
    assert kept is not None
    assert kept.fingerprint == before
    async with database.write() as session:
        found = await campaigns.identities_of(session, campaign.id)
        found[0].name = "Un autre nom"
        session.add(found[0])
    assert await print_() != before


async def test_whether_it_could_be_scheduled_is_asked_without_scheduling_it(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        campaign = await a_campaign(session)
        number = campaign.id
        await require_schedulable(session, number, NOON, "Europe/Paris", START)
    async with database.read() as session:
        assert (await campaigns.get_campaign(session, number)).state is CampaignState.DRAFT
    async with database.write() as session:
        with pytest.raises(BadInputError):
            await require_schedulable(session, number, NOON, "Mars/Base", START)
    async with database.write() as session:
        await schedule(session, number, NOON, "Europe/Paris", START)


async def test_a_targeted_political_campaign_tells_whom_it_leaves_out_and_what_it_may_not_ask(
    database: Database, clock: ManualClock
) -> None:
    async with database.write() as session:
        (await a_contact(session)).targeting_consent = ConsentStatus.GRANTED
        await a_contact(session)
        segment = await a_segment(session, "commune:Marseille and not tag:musulman")
        campaign = await a_campaign(session, include=[segment])
        campaign.nature = Nature.POLITICAL
    found = await examine(database, campaign.id, means(clock))
    assert of(found, BLOCK)["ad.sensitive"] == {"parts": "tag:musulman"}
    assert of(found, WARN)["ad.consent"] == {"people": "1", "young": "0"}
    async with database.write() as session:
        await a_segment(session, "commune:Marseille", name=segment.name)
    free = means(clock, outlook=ForecastOptions(rhythm=Rhythm(place_is_free=True)))
    assert "ad.exempt" in of(await examine(database, campaign.id, free), FINE)
    assert "ad.consent" in of(await examine(database, campaign.id, means(clock)), WARN)
