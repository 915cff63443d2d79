"""Who receives a domain's mail: its mail exchangers, and by them its mailbox provider.

RFC 5321 section 5.1: without MX records the host itself is the exchanger; RFC 7505: a single empty one
says that the domain takes no mail at all.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from deliverability.resolver import Answer, CannotAskError
from models.providers import NOWHERE, OTHER, own_bucket, provider_by_exchangers, provider_of

SHORTEST_LIFE = timedelta(hours=1)
LONGEST_LIFE = timedelta(days=7)
LIFE_OF_A_FAILURE = timedelta(minutes=15)
"""How soon a domain is asked about again whose name servers did not answer."""
_RESERVED = (".example", ".test", ".invalid", ".localhost", ".local", ".internal")


class AsksTheDns(Protocol):
    """What is needed to find exchangers; see `deliverability.resolver.DnsResolver`."""

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer with its lifetime; CannotAskError when none came."""
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a domain's mail goes: `exchangers` most preferred first, kept for `life`.

    `problem` says why they are not known, or that there are none; `found` is False for the former.
    """

    provider: str
    exchangers: tuple[str, ...]
    life: timedelta
    problem: str = ""
    found: bool = True


def can_be_asked(domain: str) -> bool:
    """Whether the DNS could know the domain; names kept for examples and tests (RFC 6761) are nobody's."""
    return "." in domain and not domain.endswith(_RESERVED)


async def find_destination(domain: str, resolver: AsksTheDns) -> Destination:
    """Look a domain up. Always answers: what cannot be asked goes to the provider its name suggests."""
    try:
        answer = await resolver.ask(domain, "MX")
        if not answer.values:
            return await _without_exchangers(domain, answer, resolver)
    except CannotAskError as error:
        return Destination(provider_of(domain), (), LIFE_OF_A_FAILURE, error.problem[:200], found=False)
    hosts = _in_order(answer.values)
    life = min(max(answer.ttl, SHORTEST_LIFE), LONGEST_LIFE)
    if not hosts:
        return Destination(NOWHERE, (), life, "The domain says that it takes no mail (null MX).")
    return Destination(provider_by_exchangers(hosts), hosts, life)


async def _without_exchangers(domain: str, answer: Answer, resolver: AsksTheDns) -> Destination:
    if not answer.exists:
        return Destination(NOWHERE, (), SHORTEST_LIFE, "There is no such domain.")
    for kind in ("A", "AAAA"):
        if (await resolver.ask(domain, kind)).values:
            provider = provider_of(domain)
            bucket = own_bucket(domain) if provider == OTHER else provider
            return Destination(bucket, (domain,), SHORTEST_LIFE)
    return Destination(NOWHERE, (), SHORTEST_LIFE, "The domain has no mail server.")


def _in_order(values: tuple[str, ...]) -> tuple[str, ...]:
    """Exchangers by preference, then by name, so that equal ones always give the same bucket."""
    pairs = [value.partition(" ") for value in values]
    return tuple(host for _, host in sorted((int(number), host) for number, _, host in pairs if host))
