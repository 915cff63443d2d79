"""What a whole SPF record costs, whoever sends: its look-ups and void look-ups (RFC 7208 section 4.6.4).

A receiver counts until something matches, so what it counts depends on the sender. Whoever is named last pays
for all that stands before: the record has to keep the limit when everything is counted, and so it is here.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network

from deliverability.health.inquiry import Inquiry
from deliverability.health.spf_record import (
    ASKING,
    Network,
    SpfRecord,
    SpfSyntaxError,
    Term,
    is_spf,
    read_spf,
)

MOST_LOOKUPS = 10
MOST_VOIDS = 2
MOST_EXCHANGERS = 10
GIVEN_UP_AT = 40
"""Look-ups after which counting stops: by then the figure only has to be called too high."""


class Fault(StrEnum):
    """Why the record of a name cannot be used."""

    MISSING = "missing"
    SEVERAL = "several"
    SYNTAX = "syntax"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Costs:
    """What one term costs, with everything below it.

    `networks`: whom it names, as far as that does not depend on the message (`is_fixed`).
    """

    term: Term
    lookups: int = 0
    voids: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    is_fixed: bool = True
    below: "Survey | None" = None
    too_many_exchangers: bool = False


@dataclass(frozen=True, slots=True)
class Survey:
    """One name's record and what it costs; `record` is None with a `fault`. `path`: what led here."""

    domain: str
    path: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    record: SpfRecord | None = None
    fault: Fault | None = None
    bad_term: str = ""
    parts: tuple[Costs, ...] = field(default=())

    @property
    def lookups(self) -> int:
        """Terms that ask the DNS, in all."""
        return sum(part.lookups for part in self.parts)

    @property
    def voids(self) -> tuple[str, ...]:
        """Names that answered nothing, each as often as it was asked for."""
        return tuple(name for part in self.parts for name in part.voids)

    def all_below(self) -> Iterator["Survey"]:
        """This one and every record it brings in."""
        yield self
        for part in self.parts:
            if part.below is not None:
                yield from part.below.all_below()

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every term that may be looked at, of all records."""
        return tuple(part.term for survey in self.all_below() for part in survey.parts)


async def survey_spf(domain: str, inquiry: Inquiry) -> Survey:
    """Count a name's record through. CannotAskError when a question that matters found no answer."""
    return await _Surveyor(inquiry).look(domain, ())


async def survey_draft(record: SpfRecord, domain: str, inquiry: Inquiry) -> Survey:
    """The same for a record that is not published yet."""
    return await _Surveyor(inquiry).count(record, domain, (), (str(record),))


class _Surveyor:
    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._lookups = 0

    async def look(self, domain: str, path: tuple[str, ...]) -> Survey:
        if domain in path:
            return Survey(domain, path, fault=Fault.LOOP)
        texts = tuple(text for text in await self._inquiry.texts(domain) if is_spf(text))
        if len(texts) != 1:
            return Survey(domain, path, texts, fault=Fault.SEVERAL if texts else Fault.MISSING)
        try:
            record = read_spf(texts[0])
        except SpfSyntaxError as error:
            return Survey(domain, path, texts, fault=Fault.SYNTAX, bad_term=error.term)
        return await self.count(record, domain, path, texts)

    async def count(
        self, record: SpfRecord, domain: str, path: tuple[str, ...], texts: tuple[str, ...]
    ) -> Survey:
        """What `record` costs, or would cost, at `domain`."""
        parts = []
        for term in record.reached:
            if self._lookups > GIVEN_UP_AT:
                break
            parts.append(await self._cost(term, domain, (*path, domain)))
        return Survey(domain, path, texts, record, parts=tuple(parts))

    async def _cost(self, term: Term, domain: str, path: tuple[str, ...]) -> Costs:
        if term.name not in ASKING:
            return Costs(term, networks=(term.network,) if term.network else ())
        self._lookups += 1
        if term.has_macros or term.name == "ptr":
            return Costs(term, 1, is_fixed=False)
        name = (term.domain or domain).rstrip(".").lower()
        match term.name:
            case "include" | "redirect":
                return await self._cost_of_record(term, name, path)
            case "mx":
                return await self._cost_of_exchangers(term, name)
            case "exists":
                values = (await self._inquiry.ask(name, "A")).values
                return Costs(term, 1, () if values else (name,), is_fixed=False)
            case _:
                addresses = await self._inquiry.addresses(name)
                return Costs(term, 1, () if addresses else (name,), _networks(addresses, term))

    async def _cost_of_record(self, term: Term, name: str, path: tuple[str, ...]) -> Costs:
        below = await self.look(name, path)
        void = () if below.fault is not Fault.MISSING or await self._inquiry.texts(name) else (name,)
        return Costs(
            term,
            1 + below.lookups,
            (*void, *below.voids),
            tuple(network for part in below.parts if _lets_pass(part) for network in part.networks),
            is_fixed=below.fault is None and all(map(_is_plain, below.parts)),
            below=below,
        )

    async def _cost_of_exchangers(self, term: Term, name: str) -> Costs:
        values = (await self._inquiry.ask(name, "MX")).values
        hosts = [host for host in (value.partition(" ")[2] for value in values) if host]
        if not hosts:
            return Costs(term, 1, (name,))
        found = await asyncio.gather(*(self._inquiry.addresses(host) for host in hosts[:MOST_EXCHANGERS]))
        voids = tuple(host for host, addresses in zip(hosts, found, strict=False) if not addresses)
        networks = tuple(network for addresses in found for network in _networks(addresses, term))
        return Costs(term, 1, voids, networks, too_many_exchangers=len(hosts) > MOST_EXCHANGERS)


def _is_plain(part: Costs) -> bool:
    """Whether it only adds networks, so that they can stand in its place."""
    return part.is_fixed and (part.term.name == "all" or _lets_pass(part))


def _lets_pass(part: Costs) -> bool:
    return part.term.name == "redirect" or part.term.qualifier.value == "+"


def _networks(addresses: tuple[str, ...], term: Term) -> tuple[Network, ...]:
    sizes = {False: term.four, True: term.six}
    return tuple(ip_network(f"{each}/{sizes[':' in each]}", strict=False) for each in addresses)
