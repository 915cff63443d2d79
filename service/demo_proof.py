"""The two sides held against each other: what the outside world counted, and what Tocsin reports."""

from collections.abc import Iterator
from dataclasses import dataclass

from deliverability.report_values import CampaignReport, Counts
from models.providers import provider_name
from models.states import Channel
from sandbox import WorldTally
from sandbox.tally import MailTally

ON_THE_WIRE_S = 5.0
"""A message that was on its way when the person opted out is nobody's fault."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so: `there` is the outside world's account, `here` ours."""

    what: str
    there: object
    here: object

    @property
    def holds(self) -> bool:
        """Whether both sides say the same."""
        return self.there == self.here


def compare(tally: WorldTally, reports: list[CampaignReport]) -> list[Check]:
    """Every check of the rehearsal, the sums of the reports first."""
    emails = [report for report in reports if report.channel is Channel.EMAIL]
    texts = [report for report in reports if report.channel is Channel.SMS]
    return [
        *(Check(f"{report.name}: the columns add up", (), report.problems) for report in reports),
        *(check for report in emails for check in _by_provider(tally, report)),
        *(check for report in emails for check in _what_came_back(tally, report.total.counts)),
        *(check for report in texts for check in _text_messages(tally, report.total.counts)),
        *_manners(tally),
    ]


def _by_provider(tally: WorldTally, report: CampaignReport) -> Iterator[Check]:
    for row in report.by_provider:
        provider = row.provider or ""
        seen = tally.of(provider=provider)
        counts = row.counts
        inbox = counts.seeds_inbox + counts.seeds_tab
        seeds = inbox + counts.seeds_spam + counts.seeds_missing + counts.seeds_awaited
        name = provider_name(provider)
        yield Check(f"{name}: messages taken", seen.taken, counts.accepted + seeds)
        yield Check(f"{name}: messages refused", seen.refused.total(), counts.refused + counts.seeds_refused)
        yield Check(f"{name}: seeds in inbox and spam", _folders(seen), (inbox, counts.seeds_spam))


def _folders(seen: MailTally) -> tuple[int, int]:
    return seen.seeds["inbox"], seen.seeds["spam"]


def _what_came_back(tally: WorldTally, counts: Counts) -> Iterator[Check]:
    seen = tally.total
    posts = seen.unsubscribes
    yield Check("later bounces, hard", seen.bounces_hard, counts.bounced_hard)
    yield Check("later bounces, soft", seen.bounces_soft, counts.bounced_soft)
    yield Check("complaints", seen.complaints, counts.complained)
    yield Check("one-click unsubscriptions", posts[200], counts.unsubscribed)
    yield Check("unsubscriptions the service did not take", 0, posts.total() - posts[200])


def _text_messages(tally: WorldTally, counts: Counts) -> Iterator[Check]:
    seen = tally.sms
    yield Check("text messages taken", seen.taken, counts.accepted)
    yield Check("text messages delivered", seen.delivered, counts.delivered)
    yield Check("STOP answers", seen.stops, counts.unsubscribed)
    yield Check("text messages taken twice", [], seen.doubles)


def _manners(tally: WorldTally) -> Iterator[Check]:
    unwanted = [letter for letter in tally.after_opt_out if letter.seconds_after > ON_THE_WIRE_S]
    yield Check("messages taken twice", (), tally.doubles)
    yield Check("messages to people who had opted out", [], unwanted)
    yield Check("addresses refused for good and tried again", (), tally.asked_again)
    yield Check("messages at the wrong provider", (), tally.misrouted)
    yield Check("malformed messages", (), tally.malformed)
    yield Check("DKIM signatures that fail or are missing", 0, tally.dkim["fail"] + tally.dkim["unsigned"])
    yield Check("DKIM signatures verified", True, tally.dkim["pass"] > 0)
    yield Check("reports that the service did not take", 0, tally.notices["failed"])
    yield Check("errors of the sandbox itself", (), tally.problems)
