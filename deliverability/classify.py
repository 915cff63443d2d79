"""What a refusal is about, whose fault it is, and whether trying again could help.

Rules are data, in `rules/*.toml`, asked in the order of `RULE_FILES`: what a provider's own words mean
comes before what its status would mean anywhere else. Two things are not left to the rules:

- Only news that names the recipient may blame the recipient for good: the enhanced status of the first
  group of RFC 3463 section 3.2 (or a provider's own number that a rule calls `proven`). A 5xx whose words
  merely sound like it (`550 user unknown`) keeps its class, and its fault becomes UNKNOWN.
- A rule that does not state a permanence takes it from the reply.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from models.providers import PROVIDER_BY_KEY, PROVIDERS
from models.states import BounceClass, Channel, Fault, Permanence
from models.values import Reply, Verdict

RULE_FILES = ("twilio", "france", "webmail", "words", "status")
RECIPIENT_STATUS = re.compile(r"5\.1\.(?:1|2|3|6|10)|5\.2\.1|5\.4\.4|5\.7\.13")
"""Enhanced statuses that speak of the mailbox or domain written to, not of the message or its sender."""
_LEADING_STATUS = re.compile(r"\s*(?:[245]\d\d[ -])?\s*#?([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: every condition that is set must hold.

    `text` is searched without regard to case, `enhanced` must match the whole status; `not_enhanced` is
    a status that speaks louder than the words. `temporary`: only for replies that may be tried again.
    """

    name: str
    verdict_class: BounceClass
    fault: Fault
    permanence: Permanence | None
    channel: Channel
    providers: frozenset[str]
    codes: frozenset[int]
    code_range: tuple[int, int] | None
    enhanced: re.Pattern[str] | None
    not_enhanced: re.Pattern[str] | None
    text: re.Pattern[str] | None
    temporary: bool
    proven: bool

    def fits(self, reply: Reply, *, provider: str, channel: Channel, permanent: bool) -> bool:
        """Whether this rule speaks of such a reply."""
        status = reply.enhanced or ""
        return (
            self.channel is channel
            and (not self.providers or provider in self.providers)
            and (not self.codes or reply.code in self.codes)
            and (self.code_range is None or _within(reply.code, self.code_range))
            and not (self.temporary and permanent)
            and (self.enhanced is None or self.enhanced.fullmatch(status) is not None)
            and (self.not_enhanced is None or self.not_enhanced.fullmatch(status) is None)
            and (self.text is None or self.text.search(reply.text[:_LONGEST_TEXT]) is not None)
        )


def classify_reply(reply: Reply, *, provider: str, channel: Channel, permanent: bool) -> Verdict:
    """How `reply` is read. `provider` is a key of `models.providers`; `permanent`: no attempt will follow.

    Always answers: what no rule knows is UNKNOWN, rule "".
    """
    if reply.enhanced is None and channel is Channel.EMAIL and (found := _LEADING_STATUS.match(reply.text)):
        reply = replace(reply, enhanced=found[1])
    rule = next(
        (
            rule
            for rule in all_rules()
            if rule.fits(reply, provider=provider, channel=channel, permanent=permanent)
        ),
        None,
    )
    otherwise = Permanence.HARD if permanent else Permanence.SOFT
    if rule is None:
        return Verdict(BounceClass.UNKNOWN, Fault.UNKNOWN, otherwise, "")
    permanence = rule.permanence or otherwise
    fault = rule.fault
    if fault is Fault.RECIPIENT and permanence is Permanence.HARD and not _is_proven(rule, reply, channel):
        fault = Fault.UNKNOWN
    return Verdict(rule.verdict_class, fault, permanence, rule.name)


def provider_behind(provider: str, remote_mta: str) -> str:
    """The provider whose exchanger answered: a domain of one's own may be hosted by one of the big ones."""
    if provider in PROVIDER_BY_KEY or not remote_mta:
        return provider
    host = f".{remote_mta.lower().rstrip('.')}"
    return next((known.key for known in PROVIDERS if host.endswith(known.mx_suffixes)), provider)


@cache
def all_rules() -> tuple[Rule, ...]:
    """The table, in the order in which it is asked."""
    return tuple(rule for name in RULE_FILES for rule in _read_rules(name))


def _read_rules(name: str) -> list[Rule]:
    text = (resources.files("deliverability") / "rules" / f"{name}.toml").read_text(encoding="utf-8")
    return [_rule(row) for row in tomllib.loads(text)["rules"]]


def _rule(row: dict[str, Any]) -> Rule:
    """One row of the file as a rule; KeyError or ValueError at the first start after a wrong edit."""
    code_range = row.get("code_range")
    return Rule(
        name=row["id"],
        verdict_class=BounceClass(row["class"]),
        fault=Fault(row["fault"]),
        permanence=Permanence(row["permanence"]) if "permanence" in row else None,
        channel=Channel(row.get("channel", "email")),
        providers=frozenset(row.get("providers", ())),
        codes=frozenset(row.get("codes", ())),
        code_range=(code_range[0], code_range[1]) if code_range else None,
        enhanced=_pattern(row.get("enhanced")),
        not_enhanced=_pattern(row.get("not_enhanced")),
        text=_pattern(row.get("text")),
        temporary=row.get("temporary", False),
        proven=row.get("proven", False),
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text, re.IGNORECASE)


def _within(code: int | None, bounds: tuple[int, int]) -> bool:
    return code is not None and bounds[0] <= code <= bounds[1]


def _is_proven(rule: Rule, reply: Reply, channel: Channel) -> bool:
    if rule.proven:
        return True
    return channel is Channel.EMAIL and RECIPIENT_STATUS.fullmatch(reply.enhanced or "") is not None
