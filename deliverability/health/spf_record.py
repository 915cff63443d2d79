"""SPF records read and written (RFC 7208 sections 4.5, 4.6, 5, 6 and 12). Pure.

Read strictly, as receivers do: one bad term makes the whole record a permanent error (section 4.6).
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from models.errors import BadInputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

VERSION = "v=spf1"
MOST_TERMS = 500
LONGEST_TOLD = 80
"""Characters of a term that are told."""
ASKING = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""What costs one of the ten look-ups (section 4.6.4)."""
NAMED = frozenset({"include", "exists", "redirect"})
"""What needs a domain."""

_IS_SPF = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_TERM = re.compile(
    r"(?P<qualifier>[-+?~]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)(?P<rest>(?:[:/].*)?)\Z",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9._-]*)=(?P<value>.*)\Z")
_SIZES = re.compile(r"(?P<domain>.*?)(?:/(?P<four>0|[1-9]\d?))?(?://(?P<six>0|[1-9]\d{0,2}))?\Z")
_MACRO = re.compile(r"%(?:%|_|-|\{[slodiphcrtvSLODIPHCRTV]\d*[rR]?[-.+,/_=]*\})")
_TOPLABEL_IS_WRONG = re.compile(r"\.(?:\d+|-[^.]*|[^.]*-)\.?\Z")


class SpfSyntaxError(BadInputError):
    """A term of an SPF record that cannot be read, and so makes the record worthless; `term` is it."""

    def __init__(self, term: str, problem: str) -> None:
        """`problem` says what is wrong with it."""
        super().__init__(problem)
        self.term = term[:LONGEST_TOLD]


class Qualifier(StrEnum):
    """What a match means (section 4.6.2)."""

    PASS = "+"  # noqa: S105 - the sign of the RFC, no password
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism, or the modifier `redirect`.

    `domain`: its domain-spec, perhaps with macros, "" where the record's own is meant. `network`: of ip4 and
    ip6. `four`, `six`: how many bits of an address count, for `a` and `mx`.
    """

    name: str
    qualifier: Qualifier = Qualifier.PASS
    domain: str = ""
    network: Network | None = None
    four: int = 32
    six: int = 128

    @property
    def has_macros(self) -> bool:
        """Whether its domain depends on the message."""
        return "%" in self.domain

    def __str__(self) -> str:
        if self.name == "redirect":
            return f"redirect={self.domain}"
        sign = "" if self.qualifier is Qualifier.PASS and self.name != "all" else self.qualifier.value
        if self.network is not None:
            whole = self.network.prefixlen == self.network.max_prefixlen
            return f"{sign}{self.name}:{self.network.network_address if whole else self.network}"
        sizes = ("" if self.four == 32 else f"/{self.four}") + ("" if self.six == 128 else f"//{self.six}")
        return f"{sign}{self.name}{':' if self.domain else ''}{self.domain}{sizes}"


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """A record's terms in their order; `redirect` applies only without an `all` (section 6.1)."""

    terms: tuple[Term, ...]
    redirect: Term | None = None
    others: tuple[str, ...] = ()

    @property
    def end(self) -> Qualifier | None:
        """What its `all` says, None without one."""
        return next((term.qualifier for term in self.terms if term.name == "all"), None)

    @property
    def reached(self) -> tuple[Term, ...]:
        """What is ever looked at: nothing behind `all` (section 5.1), and a redirect only without one."""
        for index, term in enumerate(self.terms):
            if term.name == "all":
                return self.terms[: index + 1]
        return (*self.terms, self.redirect) if self.redirect else self.terms

    def __str__(self) -> str:
        tail = [str(self.redirect)] if self.redirect else []
        return " ".join([VERSION, *map(str, self.terms), *tail, *self.others])

    def with_terms(self, terms: tuple[Term, ...]) -> "SpfRecord":
        """The same with other mechanisms."""
        return replace(self, terms=terms)


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record (section 4.5): its first word decides."""
    return _IS_SPF.match(text) is not None


def read_spf(text: str) -> SpfRecord:
    """A record's terms; SpfSyntaxError for the first that is none."""
    words = [word for word in text.split(" ")[1:] if word]
    if len(words) > MOST_TERMS:
        raise SpfSyntaxError(words[MOST_TERMS], f"It has more than {MOST_TERMS} terms.")
    terms: list[Term] = []
    redirect: Term | None = None
    others: dict[str, str] = {}
    for word in words:
        if found := _TERM.match(word):
            terms.append(
                _read_mechanism(word, found["qualifier"] or "+", found["name"].lower(), found["rest"])
            )
        elif modifier := _MODIFIER.match(word):
            name = modifier["name"].lower()
            if name in {"redirect", "exp"} and (name in others or (name == "redirect" and redirect)):
                raise SpfSyntaxError(word, f"{name}= stands in it twice.")
            if name == "redirect":
                redirect = Term(name, domain=_read_domain(word, modifier["value"]))
            else:
                others[name if name == "exp" else word] = word
        else:
            raise SpfSyntaxError(word, "No such term is known.")
    return SpfRecord(tuple(terms), redirect, tuple(others.values()))


def _read_mechanism(word: str, sign: str, name: str, rest: str) -> Term:
    qualifier = Qualifier(sign)
    match name:
        case "all":
            if rest:
                raise SpfSyntaxError(word, "Nothing may follow all.")
            return Term(name, qualifier)
        case "ip4" | "ip6":
            return Term(name, qualifier, network=_read_network(word, name, rest.removeprefix(":")))
        case "a" | "mx":
            return _read_sizes(word, Term(name, qualifier), rest)
        case _:
            if rest.startswith("/"):
                raise SpfSyntaxError(word, f"{name} takes no prefix length.")
            return Term(name, qualifier, domain=_read_domain(word, rest[1:]) if rest or name in NAMED else "")


def _read_sizes(word: str, term: Term, rest: str) -> Term:
    found = _SIZES.match(rest)
    if found is None or rest == ":":
        raise SpfSyntaxError(word, "Its prefix length cannot be read.")
    four, six = int(found["four"] or 32), int(found["six"] or 128)
    if four > 32 or six > 128:
        raise SpfSyntaxError(word, "Its prefix length is too long.")
    domain = found["domain"].removeprefix(":")
    return replace(term, domain=_read_domain(word, domain) if domain else "", four=four, six=six)


def _read_network(word: str, name: str, text: str) -> Network:
    kind = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    size = text.partition("/")[2]
    try:
        if (size and not (size.isascii() and size.isdigit())) or "%" in text:
            raise ValueError  # noqa: TRY301 - Python reads masks and scopes, which SPF does not know
        return kind(text, strict=False)
    except ValueError as error:
        raise SpfSyntaxError(word, f"It holds no {name} address or network.") from error


def _read_domain(word: str, text: str) -> str:
    """A domain-spec (section 7.1): visible ASCII, right macros, an end that can be a name."""
    if not text:
        raise SpfSyntaxError(word, "It names no domain.")
    bare = _MACRO.sub("", text)
    if "%" in bare or any(not "!" <= letter <= "~" for letter in text):
        raise SpfSyntaxError(word, "Its domain holds signs that no domain may hold.")
    ends_in_macro = text.endswith("}") and _MACRO.search(text) is not None
    if not ends_in_macro and ("." not in text or _TOPLABEL_IS_WRONG.search(text) or "/" in bare):
        raise SpfSyntaxError(word, "Its domain is no full name.")
    return text
