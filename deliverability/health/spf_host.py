"""Whether an address may send for a domain: `check_host()` of RFC 7208 section 4, as receivers do it."""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from deliverability.health.inquiry import Inquiry, is_name
from deliverability.health.spf_record import (
    ASKING,
    Qualifier,
    SpfRecord,
    SpfSyntaxError,
    Term,
    is_spf,
    read_spf,
)
from deliverability.health.spf_survey import MOST_EXCHANGERS, MOST_LOOKUPS, MOST_VOIDS
from deliverability.resolver import CannotAskError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MOST_REVERSE_NAMES = 10

_MACRO = re.compile(r"%(?:([%_-])|\{([A-Za-z])(\d*)([rR]?)([-.+,/_=]*)\})")
_PLAIN = {"%": "%", "_": " ", "-": "%20"}


class SpfResult(StrEnum):
    """Section 2.6."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - the word of the RFC, no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_RESULTS = {
    Qualifier.PASS: SpfResult.PASS,
    Qualifier.FAIL: SpfResult.FAIL,
    Qualifier.SOFTFAIL: SpfResult.SOFTFAIL,
    Qualifier.NEUTRAL: SpfResult.NEUTRAL,
}


class _PermanentError(Exception):
    """The record cannot be evaluated (section 2.6.7)."""


@dataclass(slots=True)
class _Evaluation:
    """One address, one sender, and what has been spent on them."""

    ip: Address
    sender: str
    hello: str
    inquiry: Inquiry
    lookups: int = 0
    voids: int = 0


async def check_host(ip: str, domain: str, inquiry: Inquiry, *, hello: str = "") -> SpfResult:
    """What a receiver finds when `ip` sends with a return path at `domain`."""
    evaluation = _Evaluation(ipaddress.ip_address(ip), f"bounces@{domain}", hello or domain, inquiry)
    try:
        return await _check(evaluation, domain)
    except _PermanentError:
        return SpfResult.PERMERROR
    except CannotAskError:
        return SpfResult.TEMPERROR


async def _check(evaluation: _Evaluation, domain: str) -> SpfResult:
    record = await _record_of(evaluation, domain)
    if record is None:
        return SpfResult.NONE
    for term in record.reached:
        if term.name in ASKING:
            evaluation.lookups += 1
            if evaluation.lookups > MOST_LOOKUPS:
                raise _PermanentError
        if term.name == "redirect":
            result = await _check(evaluation, _expand(term.domain, domain, evaluation))
            if result is SpfResult.NONE:
                raise _PermanentError
            return result
        if await _matches(evaluation, term, domain):
            return _RESULTS[term.qualifier]
    return SpfResult.NEUTRAL


async def _record_of(evaluation: _Evaluation, domain: str) -> SpfRecord | None:
    if not is_name(domain):
        return None
    texts = [text for text in await evaluation.inquiry.texts(domain) if is_spf(text)]
    if not texts:
        return None
    if len(texts) > 1:
        raise _PermanentError
    try:
        return read_spf(texts[0])
    except SpfSyntaxError as error:
        raise _PermanentError from error


async def _matches(evaluation: _Evaluation, term: Term, domain: str) -> bool:
    name = _expand(term.domain, domain, evaluation) if term.domain else domain
    match term.name:
        case "all":
            return True
        case "ip4" | "ip6":
            return term.network is not None and evaluation.ip in term.network
        case "include":
            result = await _check(evaluation, name)
            if result in {SpfResult.NONE, SpfResult.PERMERROR}:
                raise _PermanentError
            return result is SpfResult.PASS
        case "a":
            return _holds(evaluation, term, await _own_addresses(evaluation, name))
        case "mx":
            return await _is_exchanger(evaluation, term, name)
        case "exists":
            answer = await evaluation.inquiry.ask(name, "A")
            _count_void(evaluation, answer.values)
            return bool(answer.values)
        case _:
            return await _is_named(evaluation, name)


async def _own_addresses(evaluation: _Evaluation, name: str) -> tuple[str, ...]:
    """The addresses of a name, of the sender's own kind (section 5.3)."""
    kind = "AAAA" if evaluation.ip.version == 6 else "A"
    values = (await evaluation.inquiry.ask(name, kind)).values
    _count_void(evaluation, values)
    return values


async def _is_exchanger(evaluation: _Evaluation, term: Term, name: str) -> bool:
    answer = await evaluation.inquiry.ask(name, "MX")
    hosts = [host for host in (value.partition(" ")[2] for value in answer.values) if host]
    _count_void(evaluation, tuple(hosts))
    if len(hosts) > MOST_EXCHANGERS:
        raise _PermanentError
    for host in hosts:
        if _holds(evaluation, term, await _own_addresses(evaluation, host)):
            return True
    return False


async def _is_named(evaluation: _Evaluation, name: str) -> bool:
    """The `ptr` mechanism (section 5.5): a reverse name that leads back, and stands below `name`."""
    try:
        reverse = (await evaluation.inquiry.ask(evaluation.ip.reverse_pointer, "PTR")).values
    except CannotAskError:
        return False
    for host in reverse[:MOST_REVERSE_NAMES]:
        if host == name or host.endswith(f".{name}"):
            try:
                found = await evaluation.inquiry.addresses(host)
            except CannotAskError:
                continue
            if evaluation.ip in map(ipaddress.ip_address, found):
                return True
    return False


def _holds(evaluation: _Evaluation, term: Term, addresses: tuple[str, ...]) -> bool:
    size = term.six if evaluation.ip.version == 6 else term.four
    return any(
        evaluation.ip in ipaddress.ip_network(f"{address}/{size}", strict=False) for address in addresses
    )


def _count_void(evaluation: _Evaluation, values: tuple[str, ...]) -> None:
    evaluation.voids += not values
    if evaluation.voids > MOST_VOIDS:
        raise _PermanentError


def _expand(text: str, domain: str, evaluation: _Evaluation) -> str:
    """A domain-spec with its macros filled in (section 7), cut from the left to 253 characters."""
    local, _, sender_domain = evaluation.sender.partition("@")
    ip = evaluation.ip
    dotted = ".".join(ip.exploded.replace(":", "")) if ip.version == 6 else str(ip)
    letters = {
        "s": evaluation.sender,
        "l": local,
        "o": sender_domain,
        "d": domain,
        "i": dotted,
        "p": "unknown",
        "v": "ip6" if ip.version == 6 else "in-addr",
        "h": evaluation.hello,
    }

    def fill(found: re.Match[str]) -> str:
        plain, letter, digits, turned, signs = found.groups()
        if plain:
            return _PLAIN[plain]
        parts = re.split("[" + re.escape(signs or ".") + "]", letters.get(letter.lower(), ""))
        if turned:
            parts.reverse()
        return ".".join(parts[-int(digits) :] if digits and int(digits) else parts)

    name = _MACRO.sub(fill, text).rstrip(".").lower()
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]
    return name
