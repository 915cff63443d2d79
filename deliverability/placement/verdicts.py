"""What a mailbox's own server says of SPF, DKIM and DMARC (Authentication-Results, RFC 8601). Pure.

Anybody can write such a field into a mail. The server puts its own on top, so the topmost is believed,
and only if it is signed with that server's name; what stands below may come from the sender.
"""

import re
from collections.abc import Iterable, Sequence

METHODS = ("spf", "dkim", "dmarc", "arc")
LONGEST = 4000
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"\s*([a-z][a-z0-9-]*)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)\b", re.IGNORECASE)
_NAMELESS = re.compile(r"\s*[a-z][a-z0-9-]*\s*=", re.IGNORECASE)
OWN_NAMES: dict[str, tuple[str, ...]] = {
    "gmail": ("google.com", "googlemail.com"),
    "outlook": ("outlook.com", "hotmail.com", "microsoft.com"),
    "yahoo": ("yahoo.com", "yahoo.net", "yahoodns.net", "aol.com"),
    "icloud": ("icloud.com", "apple.com", "me.com"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "laposte": ("laposte.net",),
    "sfr": ("sfr.fr", "sfr.net", "numericable.fr"),
    "free": ("free.fr", "proxad.net"),
    "gmx": ("gmx.net", "gmx.com", "gmx.de", "kundenserver.de"),
}
"""Under which domains a provider's servers have their names."""
_EVERYBODYS = frozenset({"ac", "asso", "co", "com", "edu", "gouv", "gov", "ne", "net", "nom", "or", "org"})
"""Second labels under which strangers register their domains (x.co.uk, x.gouv.fr)."""
SPREAD = frozenset({"icloud.com"})
"""Whose servers write one field for each method, one right after the other."""
NAMELESS = frozenset({"outlook"})
"""Providers that leave out the name, which RFC 8601 section 2.2 asks for."""


def results_of(
    fields: Sequence[tuple[str, str]], *, provider: str, known_hosts: Iterable[str] = ()
) -> dict[str, str]:
    """Results by method, in lower case, as the seed's own server found them; empty: none is to be believed.

    `fields` are the mail's header fields from the top, names in any case; `known_hosts` further names of
    the server: its IMAP host, the domain of the address, the host that took the mail last.
    """
    names = [*OWN_NAMES.get(provider, ()), *known_hosts]
    own: list[str] = []
    for place, (name, value) in enumerate(fields):
        if name.lower() != "authentication-results":
            continue
        text = plain(value)
        signed = authserv_id(text)
        if not _is_own(signed, names, provider):
            break
        own.append(text)
        following = fields[place + 1][0].lower() if place + 1 < len(fields) else ""
        if not any(_is_under(signed, spread) for spread in SPREAD) or following != name.lower():
            break
    found: dict[str, str] = {}
    for method, result in (pair for text in own for pair in _results(text)):
        # Of several signatures one that holds is enough (RFC 6376 section 6.1).
        if method in METHODS and (method not in found or result == "pass"):
            found[method] = result
    return found


def authserv_id(text: str) -> str:
    """The server a field (without comments) is signed with, in lower case; "" when it names none."""
    first = text.partition(";")[0]
    if _NAMELESS.match(first):
        return ""
    words = first.split()
    return words[0].lower().rstrip(".") if words else ""


def plain(value: str) -> str:
    """The field on one line, without its comments, which nest (RFC 5322 section 3.2.2)."""
    kept: list[str] = []
    depth, escaped = 0, False
    for character in value[:LONGEST]:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
            continue
        if depth == 0:
            kept.append(" " if character in "\r\n\t" else character)
    return _QUOTED.sub(lambda quoted: quoted[1].replace(";", " "), "".join(kept))


def _results(text: str) -> Iterable[tuple[str, str]]:
    for part in text.split(";"):
        found = _RESULT.match(part)
        if found is not None:
            yield found[1].lower(), found[2].lower()


def _is_own(signed: str, names: Iterable[str], provider: str) -> bool:
    if not signed:
        return provider in NAMELESS
    return any(name and (_is_under(signed, name) or _are_siblings(signed, name)) for name in names)


def _is_under(host: str, domain: str) -> bool:
    return host == domain.lower() or host.endswith(f".{domain.lower()}")


def _are_siblings(one: str, other: str) -> bool:
    """Whether two hosts are named below the same domain of somebody's own (mx1.x.fr, imap.x.fr)."""
    parents = [host.lower().partition(".")[2] for host in (one, other)]
    first, dot, rest = parents[0].partition(".")
    return parents[0] == parents[1] and bool(dot) and (first not in _EVERYBODYS or "." in rest)
