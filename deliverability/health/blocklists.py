"""Public block lists, asked by DNS (RFC 5782), and what their answers mean.

An answer is a listing only when it is one of the codes the list has published. Everything else, above all the
codes by which lists refuse public name servers, says that nothing is known. A list is believed only when it
names what it must always name, and does not name what it must never name: one that has closed down often
answers yes to everything.
"""

import asyncio
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from ipaddress import IPv4Address, ip_address
from types import MappingProxyType
from typing import Any

from deliverability.exchangers import AsksTheDns
from deliverability.health.findings import FindingLevel
from deliverability.health.inquiry import Inquiry
from deliverability.health.setup import Limits
from deliverability.resolver import CannotAskError

NO_ANSWER, STRANGE, DEAF, SAYS_ALL = "no_answer", "strange", "deaf", "says_all"
"""Why nothing is known, beside the list's own refusals. DEAF: it does not even name what it always names."""


class Subjects(StrEnum):
    """What a list is about."""

    IP = "ip"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Blocklist:
    """One list, as `blocklists.toml` describes it."""

    zone: str
    name: str
    lists: Subjects
    level: FindingLevel
    delist: str
    terms: str
    probe: str
    clear: str
    six: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    bits: Mapping[int, str] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)

    def knows(self, subject: str) -> bool:
        """Whether it can be asked about a subject."""
        try:
            address = ip_address(subject)
        except ValueError:
            return self.lists is Subjects.DOMAIN
        return self.lists is Subjects.IP and (self.six or isinstance(address, IPv4Address))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a list says of a subject: `answer` is the code, `meaning` its word.

    `problem`: why nothing is known.
    """

    zone: str
    subject: str
    listed: bool = False
    answer: str = ""
    meaning: str = ""
    problem: str = ""


@cache
def blocklists() -> Mapping[str, Blocklist]:
    """Every list by its zone."""
    text = (resources.files("deliverability.health") / "blocklists.toml").read_text(encoding="utf-8")
    read = [_read(row) for row in tomllib.loads(text)["blocklists"]]
    return MappingProxyType({each.zone: each for each in read})


def _read(row: dict[str, Any]) -> Blocklist:
    bits = {int(bit): word for bit, word in row.get("bits", {}).items()}
    return Blocklist(
        **{**row, "lists": Subjects(row["lists"]), "level": FindingLevel(row["level"]), "bits": bits}
    )


def name_to_ask(subject: str, zone: str) -> str:
    """The name that holds the answer: an address backwards, a domain as it is (RFC 5782 section 2)."""
    try:
        address = ip_address(subject)
    except ValueError:
        return f"{subject.rstrip('.').lower()}.{zone}"
    backwards = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return f"{backwards}.{zone}"


def judge(blocklist: Blocklist, subject: str, values: Sequence[str]) -> Answer:
    """What the addresses a list answered with mean; none: not listed."""
    for value in values:
        if value in blocklist.refusals:
            problem = blocklist.refusals[value]
            return Answer(blocklist.zone, subject, answer=value, problem=problem)
    for value in values:
        if meaning := _meaning(blocklist, value):
            return Answer(blocklist.zone, subject, listed=True, answer=value, meaning=meaning)
    # A name server that answers everything with an address of its own, or a code of tomorrow.
    return Answer(blocklist.zone, subject, answer=", ".join(values)[:300], problem=STRANGE if values else "")


def _meaning(blocklist: Blocklist, value: str) -> str:
    if value in blocklist.codes:
        return blocklist.codes[value]
    if value.startswith("127.0.0."):
        octet = int(value.rpartition(".")[2])
        return next((word for bit, word in blocklist.bits.items() if octet & bit), "")
    return ""


async def ask_blocklists(
    wanted: Iterable[tuple[Blocklist, str]], resolver: AsksTheDns, limits: Limits
) -> list[Answer]:
    """What lists say of subjects, in the order of `wanted`. Never raises: `problem` says what went wrong."""
    inquiry = Inquiry(resolver, limits)
    pairs = list(wanted)
    try:
        trusted = {each.zone: each for each, _ in pairs}
        doubts = dict(
            zip(
                trusted,
                await asyncio.gather(*(_doubt(each, inquiry) for each in trusted.values())),
                strict=True,
            )
        )
        return list(
            await asyncio.gather(
                *(_ask(each, subject, doubts[each.zone], inquiry) for each, subject in pairs)
            )
        )
    finally:
        await inquiry.close()


async def _ask(blocklist: Blocklist, subject: str, doubt: str, inquiry: Inquiry) -> Answer:
    if doubt:
        return Answer(blocklist.zone, subject, problem=doubt)
    try:
        answer = await inquiry.ask(name_to_ask(subject, blocklist.zone), "A")
    except CannotAskError:
        return Answer(blocklist.zone, subject, problem=NO_ANSWER)
    return judge(blocklist, subject, answer.values)


async def _doubt(blocklist: Blocklist, inquiry: Inquiry) -> str:
    """Why a list is not to be believed now, "" when it is."""
    asked = (
        inquiry.ask(name_to_ask(each, blocklist.zone), "A") for each in (blocklist.probe, blocklist.clear)
    )
    try:
        probe, clear = await asyncio.gather(*asked)
    except CannotAskError:
        return NO_ANSWER
    always = judge(blocklist, blocklist.probe, probe.values)
    if always.problem:
        return always.problem
    if not always.listed:
        return DEAF
    return SAYS_ALL if clear.values else ""
