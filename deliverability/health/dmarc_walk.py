"""Which DMARC record is a domain's, and whose domain it is: the walk up the tree (RFC 9989 section 4.10).

Receivers of the older standard (RFC 7489) take the organisation's domain from the list of public suffixes
instead; where the two differ, both are told (`deliverability.health.alignment`).
"""

from dataclasses import dataclass

from deliverability.health.dmarc_record import DmarcRecord, Policy, is_dmarc, looks_like_dmarc, read_dmarc
from deliverability.health.inquiry import Inquiry

MOST_LABELS = 8
"""A longer name is cut to one label less than this after its own record (section 4.10, step 4)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What stands at one name of the walk: `texts` are DMARC records, `others` only look like them."""

    domain: str
    texts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def record(self) -> DmarcRecord | None:
        """The only record; several count as none."""
        return read_dmarc(self.texts[0]) if len(self.texts) == 1 else None


@dataclass(frozen=True, slots=True)
class Walk:
    """The names from a domain upwards, as far as they had to be asked."""

    domain: str
    steps: tuple[Step, ...]

    @property
    def organisation(self) -> str:
        """The organisational domain (section 4.10.2)."""
        found = [(step.domain, step.record) for step in self.steps if step.record is not None]
        if not found:
            return self.domain
        # psd=n and psd=y end the walk, so that whatever says so comes last.
        domain, record = found[-1]
        if record.psd == "y" and domain != self.domain:
            return _one_below(domain, self.domain)
        return domain

    @property
    def policy(self) -> Step | None:
        """Where the record that governs the domain stands (section 4.10.1), None without any.

        Its own comes first, then its organisation's, then that of the registry above.
        """
        by_domain = {step.domain: step for step in self.steps if step.record is not None}
        own = by_domain.get(self.domain) or by_domain.get(self.organisation)
        return own or next((step for step in self.steps if step.record and step.record.psd == "y"), None)


async def walk_up(domain: str, inquiry: Inquiry) -> Walk:
    """Ask from `domain` upwards. CannotAskError when one of the names could not be asked."""
    steps: list[Step] = []
    labels = domain.split(".")
    while labels:
        step = await _ask(".".join(labels), inquiry)
        steps.append(step)
        if step.record is not None and step.record.psd in {"y", "n"}:
            break
        labels = labels[1:] if len(labels) < MOST_LABELS else labels[1 - MOST_LABELS :]
    return Walk(domain, tuple(steps))


def policy_for(walk: Walk, *, exists: bool) -> Policy | None:
    """What receivers are asked to do with what fails under the walk's domain; `exists`: the name does."""
    step = walk.policy
    if step is None or step.record is None:
        return None
    if step.domain == walk.domain:
        return step.record.policy
    return step.record.subdomains if exists else step.record.missing_names


async def _ask(domain: str, inquiry: Inquiry) -> Step:
    texts = await inquiry.texts(f"_dmarc.{domain}")
    return Step(domain, tuple(filter(is_dmarc, texts)), tuple(filter(looks_like_dmarc, texts)))


def _one_below(parent: str, domain: str) -> str:
    """The name one label below `parent` on the way to `domain`."""
    return ".".join(domain.split(".")[-len(parent.split(".")) - 1 :])
