"""Would DMARC pass? A message of this From, this return path and this d=, as receivers judge it.

RFC 9989 section 4.4: one of SPF and DKIM has to pass for a name that speaks for the From domain. Both should:
forwarding breaks SPF, a list breaks DKIM, and Orange and Microsoft ask for both.
"""

import asyncio
from dataclasses import dataclass

from deliverability.dns_records import DnsRecord
from deliverability.health.dmarc import WHY
from deliverability.health.dmarc_record import with_tags
from deliverability.health.dmarc_walk import Walk, walk_up
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.grammar import registered_domain
from deliverability.health.inquiry import Inquiry
from deliverability.health.spf import Standing
from deliverability.resolver import CannotAskError

NOT_ALIGNED = "not_aligned"
NO_KEY = "no_key"
LIKE_A_PASS = frozenset({Standing.PASS.value, Standing.LIKELY.value})
LEVELS = {
    HealthCode.ALIGNMENT_FINE: FindingLevel.FINE,
    HealthCode.ALIGNMENT_DKIM_ONLY: FindingLevel.WARNING,
    HealthCode.ALIGNMENT_SPF_ONLY: FindingLevel.WARNING,
    HealthCode.ALIGNMENT_DEPENDS: FindingLevel.WARNING,
    HealthCode.ALIGNMENT_FAILS: FindingLevel.PROBLEM,
    HealthCode.ALIGNMENT_UNKNOWN: FindingLevel.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Message:
    """What a message of the identity shows; `dkim` and `spf`: what a receiver finds of each alone."""

    from_domain: str
    dkim_domain: str
    return_path: str
    dkim: str
    spf: str


async def simulate(message: Message, walk: Walk, inquiry: Inquiry, *, zone: str = "") -> HealthFinding:
    """What DMARC makes of a message; `walk` is that of its From domain."""
    try:
        walks = await asyncio.gather(*(walk_up(name, inquiry) for name in _identifiers(message)))
    except CannotAskError as error:
        return _finding(HealthCode.ALIGNMENT_UNKNOWN, message, why=error.problem)
    tops = {each.domain: each.organisation for each in walks} | {walk.domain: walk.organisation}
    now = _judge(message, walk, tops)
    before = _judge(message, walk, {name: registered_domain(name) for name in tops})
    code = _code_of(now)
    if _passes(now) != _passes(before):
        code = HealthCode.ALIGNMENT_DEPENDS
    return _finding(code, now, _loosened(now, walk, zone))


def _identifiers(message: Message) -> list[str]:
    return sorted({message.dkim_domain, message.return_path})


def _judge(message: Message, walk: Walk, tops: dict[str, str]) -> Message:
    """The message with "not_aligned" where a pass would speak for somebody else."""
    record = walk.policy.record if walk.policy else None
    strict_dkim, strict_spf = (record.strict_dkim, record.strict_spf) if record else (False, False)

    def settle(result: str, name: str, *, strict: bool) -> str:
        same = name == message.from_domain if strict else tops[name] == tops[message.from_domain]
        return result if same or result not in LIKE_A_PASS else NOT_ALIGNED

    return Message(
        message.from_domain,
        message.dkim_domain,
        message.return_path,
        settle(message.dkim, message.dkim_domain, strict=strict_dkim),
        settle(message.spf, message.return_path, strict=strict_spf),
    )


def _passes(message: Message) -> bool:
    return message.dkim in LIKE_A_PASS or message.spf in LIKE_A_PASS


def _code_of(message: Message) -> HealthCode:
    match message.dkim in LIKE_A_PASS, message.spf in LIKE_A_PASS:
        case True, True:
            return HealthCode.ALIGNMENT_FINE
        case True, False:
            unknown = message.spf == Standing.UNKNOWN
            return HealthCode.ALIGNMENT_UNKNOWN if unknown else HealthCode.ALIGNMENT_DKIM_ONLY
        case False, True:
            unknown = message.dkim == Standing.UNKNOWN
            return HealthCode.ALIGNMENT_UNKNOWN if unknown else HealthCode.ALIGNMENT_SPF_ONLY
        case _:
            unknown = Standing.UNKNOWN in {message.dkim, message.spf}
            return HealthCode.ALIGNMENT_UNKNOWN if unknown else HealthCode.ALIGNMENT_FAILS


def _loosened(message: Message, walk: Walk, zone: str) -> DnsRecord | None:
    """The DMARC record without the strictness that stands in the way, None where it does not."""
    step = walk.policy
    if step is None or step.record is None:
        return None
    tags = {}
    if message.dkim == NOT_ALIGNED and step.record.strict_dkim:
        tags["adkim"] = "r"
    if message.spf == NOT_ALIGNED and step.record.strict_spf:
        tags["aspf"] = "r"
    if not tags:
        return None
    return DnsRecord(f"_dmarc.{step.domain}", "TXT", with_tags(step.record.text, **tags), WHY, zone)


def _finding(
    code: HealthCode, message: Message, record: DnsRecord | None = None, why: str = ""
) -> HealthFinding:
    values = {
        "name": message.from_domain,
        "dkim_domain": message.dkim_domain,
        "return_path": message.return_path,
        "dkim": message.dkim,
        "spf": message.spf,
        "why": why,
    }
    return HealthFinding(code, LEVELS[code], values, record)
