"""Checks of the very octets: headers, signatures, lines, size, parts. Each looks at one thing.

A check gives the values of each time it trips: nothing is fine. None: it does not apply.
"""

import re
from collections.abc import Sequence
from email.utils import getaddresses
from urllib.parse import urlsplit

from scheduler.preflight.examined import Examined, Mail

Tripped = Sequence[dict[str, str]] | None
"""What a check gives: the values of its words, once for each time it trips."""
ONCE: Tripped = ({},)
FINE: Tripped = ()

CLIPPED_OCTETS = 102 * 1024
"""Gmail shows no more, and so hides the link to unsubscribe."""
HEAVY_OCTETS = 90 * 1024
MOST_LINE_OCTETS = 998
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
NOWHERE = (".test", ".example", ".invalid", ".localhost")
"""Names that nobody outside can reach (RFC 2606)."""
ONE_CLICK = "List-Unsubscribe=One-Click"
SINGLE = frozenset(
    {
        "date",
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "message-id",
        "in-reply-to",
        "references",
        "subject",
        "mime-version",
        "content-type",
        "list-unsubscribe",
        "list-unsubscribe-post",
    }
)
"""Fields that stand once (RFC 5322 section 3.6, RFC 8058 section 4)."""
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>@]+>")
_BRACKETED = re.compile(r"<([^<>]*)>")
_LEAST_WORDS_A_PICTURE = 20


def _once(tripped: bool) -> Tripped:  # noqa: FBT001 - said by its name
    return ONCE if tripped else FINE


def list_unsubscribe_missing(seen: Examined) -> Tripped:
    """Exactly one HTTPS address in List-Unsubscribe (RFC 8058 section 3.1)."""
    if seen.mail is None:
        return None
    found = _BRACKETED.findall(str(seen.mail.parsed["List-Unsubscribe"] or ""))
    web = [one for one in found if one.lower().startswith(("https://", "http://"))]
    return _once(len(web) != 1)


def list_unsubscribe_in_the_open(seen: Examined) -> Tripped:
    """The address of the one-click POST is HTTPS (RFC 8058 section 3.1).

    Nobody asks for it in a rehearsal, where the host is this very machine or none at all.
    """
    if seen.mail is None:
        return None
    found = [urlsplit(one) for one in _BRACKETED.findall(str(seen.mail.parsed["List-Unsubscribe"] or ""))]
    hosts = [one.hostname or "" for one in found if one.scheme == "http"]
    plain = any(host not in HERE and not host.endswith(NOWHERE) for host in hosts)
    return [{"url": seen.public_url}] if plain else FINE


def one_click_missing(seen: Examined) -> Tripped:
    """The field that announces the one-click POST."""
    if seen.mail is None:
        return None
    return _once(str(seen.mail.parsed["List-Unsubscribe-Post"] or "").strip() != ONE_CLICK)


def signed_fields(mail: Mail) -> list[frozenset[str]]:
    """The fields each DKIM signature covers, in lower case."""
    return [
        frozenset(name.strip().lower() for name in _tag(str(signature), "h").split(":"))
        for signature in mail.parsed.get_all("DKIM-Signature", [])
    ]


def unsubscribe_not_signed(seen: Examined) -> Tripped:
    """Both fields are among those a signature covers (RFC 8058 section 4)."""
    if seen.mail is None or not (signatures := signed_fields(seen.mail)):
        return None
    wanted = {"list-unsubscribe", "list-unsubscribe-post"}
    return _once(not all(wanted <= signed for signed in signatures))


def not_signed(seen: Examined) -> Tripped:
    """Somebody else, the relay, has to sign."""
    return None if seen.mail is None else _once(not signed_fields(seen.mail))


def from_not_one(seen: Examined) -> Tripped:
    """One From with one address (RFC 5322 section 3.6.2, and Gmail's rules)."""
    if seen.mail is None:
        return None
    fields = seen.mail.parsed.get_all("From", [])
    addresses = [address for _, address in getaddresses([str(one) for one in fields]) if address]
    return _once(len(fields) != 1 or len(addresses) != 1)


def message_id_broken(seen: Examined) -> Tripped:
    """One Message-ID in its right form (RFC 5322 section 3.6.4)."""
    if seen.mail is None:
        return None
    found = [str(one).strip() for one in seen.mail.parsed.get_all("Message-ID", [])]
    return _once(len(found) != 1 or _MESSAGE_ID.fullmatch(found[0]) is None)


def header_twice(seen: Examined) -> Tripped:
    """Fields that may stand once do."""
    if seen.mail is None:
        return None
    names = [name.lower() for name in seen.mail.parsed]
    twice = sorted({name for name in names if name in SINGLE and names.count(name) > 1})
    return [{"name": name} for name in twice]


def line_too_long(seen: Examined) -> Tripped:
    """No line of more than 998 octets (RFC 5322 section 2.1.1)."""
    if seen.mail is None:
        return None
    longest = max(map(len, seen.mail.raw.split(b"\r\n")))
    return [{"octets": str(longest)}] if longest > MOST_LINE_OCTETS else FINE


def attached(seen: Examined) -> Tripped:
    """Files travel as links."""
    if seen.mail is None:
        return None
    names = [
        part.get_filename() or part.get_content_type()
        for part in seen.mail.parsed.walk()
        if part.get_content_disposition() == "attachment"
        or part.get_content_maintype() not in {"text", "multipart", "image"}
    ]
    return [{"names": ", ".join(names)}] if names else FINE


def clipped(seen: Examined) -> Tripped:
    """Gmail cuts what comes after 102 kB, the link to unsubscribe first of all."""
    if seen.mail is None:
        return None
    size = seen.mail.largest
    return [{"kilobytes": str(size // 1024)}] if size > CLIPPED_OCTETS else FINE


def heavy(seen: Examined) -> Tripped:
    """Near the size at which Gmail cuts."""
    if seen.mail is None:
        return None
    size = seen.mail.largest
    return [{"kilobytes": str(size // 1024)}] if HEAVY_OCTETS < size <= CLIPPED_OCTETS else FINE


def text_part_missing(seen: Examined) -> Tripped:
    """A text/plain part that says something."""
    return None if seen.mail is None else _once(not seen.mail.text.strip())


def pictures_only(seen: Examined) -> Tripped:
    """Nothing to read where pictures are not shown."""
    return None if seen.mail is None else _once(not seen.mail.words.split())


def mostly_pictures(seen: Examined) -> Tripped:
    """Some words for each picture."""
    if seen.mail is None or not seen.mail.words.split():
        return None
    count = len(seen.mail.words.split())
    images = seen.mail.images
    tripped = images > 0 and count < _LEAST_WORDS_A_PICTURE * images
    return [{"words": str(count), "images": str(images)}] if tripped else FINE


def pictures_without_words(seen: Examined) -> Tripped:
    """Each picture says what it shows."""
    if seen.mail is None:
        return None
    return [{"count": str(seen.mail.without_alt)}] if seen.mail.without_alt else FINE


def _tag(signature: str, name: str) -> str:
    """The value of one tag of a signature (RFC 6376 section 3.2); "" when it is not there."""
    for part in "".join(signature.split()).split(";"):
        found, _, value = part.partition("=")
        if found == name:
            return value
    return ""
