"""What a refusal is about, whose fault it is, and whether trying again could help.

Rules are data (`deliverability.rulebook`). Two things are not left to them:

- Only news that names the recipient may blame the recipient for good: the enhanced status of the first
  group of RFC 3463 section 3.2 (or a provider's own words that a rule calls `proven`). A 5xx whose words
  merely sound like it (`550 user unknown`) keeps its class, and its fault becomes UNKNOWN.
- A rule that does not state a permanence takes it from the reply.

Where no rule knows the words, their fine reason (`deliverability.reasons`) gives the class.

Replies are read in many places and always by the same rules, those in force in this process: the shipped
ones, or those that `use_rules` was told at the start.
"""

import re
from dataclasses import replace
from pathlib import Path

from deliverability.reasons import Reason, Said, reason_of, verdict_of
from deliverability.rulebook import Rule, RuleBook, read_rules, shipped, stamp_of
from models.providers import PROVIDER_BY_KEY, PROVIDERS
from models.states import BounceClass, Channel, Fault, Permanence
from models.values import Reply, Verdict

RECIPIENT_STATUS = re.compile(r"5\.1\.(?:1|2|3|6|10)|5\.2\.1|5\.4\.4|5\.7\.13")
"""Enhanced statuses that speak of the mailbox or domain written to, not of the message or its sender."""
NULL_MX = 556
"""The domain says that it takes no mail (RFC 7504): a code that has no other meaning."""
_LEADING_STATUS = re.compile(r"\s*(?:[245]\d\d[ -])?\s*#?([245]\.\d{1,3}\.\d{1,3})(?![\d.])")


class _InForce:
    """The rules of this process, and the own file they were read from."""

    book: RuleBook | None = None
    file: Path | None = None
    stamp: tuple[int, int] | None = None


def rules_in_force() -> RuleBook:
    """The rules by which replies are read now."""
    return _InForce.book or shipped()


def use_rules(file: Path | None) -> None:
    """Read an installation's own rules over the shipped ones, from now on; None: the shipped ones alone.

    A file that is not there has no rules. RulesError when one is wrong; what held before goes on holding.
    """
    _InForce.file = file
    _InForce.stamp = None
    refresh_rules()


def refresh_rules() -> bool:
    """Read the own file again if it changed; whether it did. RulesError once for each wrong change."""
    file = _InForce.file
    stamp = stamp_of(file) if file is not None else None
    if stamp == _InForce.stamp:
        if file is None:
            _InForce.book = None
        return False
    _InForce.stamp = stamp
    _InForce.book = read_rules(file) if file is not None and stamp is not None else None
    return True


def classify_reply(
    reply: Reply, *, provider: str, channel: Channel, permanent: bool, book: RuleBook | None = None
) -> Verdict:
    """How `reply` is read. `provider` is a key of `models.providers`; `permanent`: no attempt will follow.

    `book`: other rules than those in force. Always answers: of a mail's refusal that no rule knows the fine
    reason gives the class (rule "reason-…"); what has none either is UNKNOWN, rule "".
    """
    verdict = classify_by_rules(reply, provider=provider, channel=channel, permanent=permanent, book=book)
    if verdict.rule or channel is not Channel.EMAIL:
        return verdict
    return verdict_of(reason_behind(reply, permanent=permanent), permanent=permanent) or verdict


def classify_by_rules(
    reply: Reply, *, provider: str, channel: Channel, permanent: bool, book: RuleBook | None = None
) -> Verdict:
    """`classify_reply` for those who look for the reason themselves, in more than the reply alone."""
    if reply.enhanced is None and channel is Channel.EMAIL and (found := _LEADING_STATUS.match(reply.text)):
        reply = replace(reply, enhanced=found[1])
    rule = (book or rules_in_force()).rule_for(reply, provider=provider, channel=channel, permanent=permanent)
    otherwise = Permanence.HARD if permanent else Permanence.SOFT
    if rule is None:
        return Verdict(BounceClass.UNKNOWN, Fault.UNKNOWN, otherwise, "")
    permanence = rule.permanence or otherwise
    fault = rule.fault
    if fault is Fault.RECIPIENT and permanence is Permanence.HARD and not _is_proven(rule, reply, channel):
        fault = Fault.UNKNOWN
    return Verdict(rule.verdict_class, fault, permanence, rule.name)


def reason_behind(reply: Reply, *, permanent: bool, host: str = "") -> Reason:
    """The fine reason of a refusal by e-mail; `host`: who said it."""
    return reason_of(Said(reply.text, reply.code, reply.enhanced, host, is_delay=not permanent))


def is_unproven(verdict: Verdict, book: RuleBook) -> bool:
    """Whether its rule blames the recipient for good, and the answer it was read from does not prove it."""
    rule = book.find(verdict.rule)
    blames = rule is not None and rule.fault is Fault.RECIPIENT
    return blames and verdict.fault is Fault.UNKNOWN and verdict.permanence is Permanence.HARD


def provider_behind(provider: str, remote_mta: str) -> str:
    """The provider whose exchanger answered: a domain of one's own may be hosted by one of the big ones."""
    if provider in PROVIDER_BY_KEY or not remote_mta:
        return provider
    host = f".{remote_mta.lower().rstrip('.')}"
    return next((known.key for known in PROVIDERS if host.endswith(known.mx_suffixes)), provider)


def _is_proven(rule: Rule, reply: Reply, channel: Channel) -> bool:
    if rule.proven or (channel is Channel.EMAIL and reply.code == NULL_MX):
        return True
    return channel is Channel.EMAIL and RECIPIENT_STATUS.fullmatch(reply.enhanced or "") is not None
