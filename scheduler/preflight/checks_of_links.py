"""Checks of where links lead, and of what they show."""

import re
import unicodedata
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from deliverability.health.grammar import registered_domain
from scheduler.preflight.checks_of_form import FINE, Tripped
from scheduler.preflight.examined import Examined
from templates.lint import SHORTENERS

FILES = (
    ".pdf",
    ".doc",
    ".docx",
    ".odt",
    ".ods",
    ".odp",
    ".xls",
    ".xlsx",
    ".pptx",
    ".jpg",
    ".png",
    ".mp3",
    ".mp4",
)
"""How names of files end that people show as links."""
_HOST_IN_TEXT = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/?#]\S*)?", re.IGNORECASE)


def link_in_the_open(seen: Examined) -> Tripped:
    """Links to pages are encrypted."""
    return _hosts(seen, lambda parts: parts.scheme == "http")


def link_shortened(seen: Examined) -> Tripped:
    """No public shortener: spammers hide behind them too."""
    return _hosts(seen, lambda parts: bare(parts.hostname or "") in SHORTENERS)


def link_to_number(seen: Examined) -> Tripped:
    """A host has a name."""
    return _hosts(seen, lambda parts: is_address(parts.hostname or ""))


def link_of_two_scripts(seen: Examined) -> Tripped:
    """Letters of one script in one name: others are made to look like somebody else's."""
    return _hosts(seen, lambda parts: is_mixed(parts.hostname or ""))


def link_shows_another(seen: Examined) -> Tripped:
    """A link that shows an address leads to it, or to another host of the same people."""
    if seen.mail is None:
        return None
    found: dict[tuple[str, str], None] = {}
    for link in seen.mail.links:
        shown = _HOST_IN_TEXT.fullmatch(link.shown.strip())
        host = host_of(link.target)
        if shown and host and not _is_kin(shown.group(1).lower(), host):
            found[shown.group(1).lower(), host] = None
    return [{"shown": shown, "host": host} for shown, host in found]


def _is_kin(shown: str, host: str) -> bool:
    """Whether a shown name is the host's, or no host at all: a file's."""
    return bare(shown) == bare(host) or shown.endswith(FILES) or same_organisation(shown, host)


def counter_foreign(seen: Examined) -> Tripped:
    """Links pass a host of the sender's own domain: a stranger's name in each link looks like phishing."""
    if seen.mail is None or not seen.sender.from_domain:
        return None
    host = urlsplit(seen.public_url).hostname or ""
    if same_organisation(host, seen.sender.from_domain):
        return FINE
    return [{"host": host, "domain": seen.sender.from_domain}]


def counter_in_the_open(seen: Examined) -> Tripped:
    """The host that counts clicks answers over HTTPS."""
    if seen.mail is None:
        return None
    return [{"url": seen.public_url}] if urlsplit(seen.public_url).scheme != "https" else FINE


def _hosts(seen: Examined, bad: Callable[[SplitResult], bool]) -> Tripped:
    """The hosts of the campaign's own links that are bad, each once."""
    if seen.mail is None:
        return None
    found: dict[str, None] = {}
    for link in seen.mail.links:
        parts = _split(link.target)
        if link.tracked and parts is not None and parts.scheme in {"http", "https"} and bad(parts):
            found[parts.hostname or ""] = None
    return [{"host": host} for host in found]


def _split(target: str) -> SplitResult | None:
    try:
        parts = urlsplit(target)
        _ = parts.hostname
    except ValueError:
        return None
    return parts


def host_of(target: str) -> str:
    """The host a link leads to; "" where it leads to none."""
    parts = _split(target)
    return parts.hostname or "" if parts is not None else ""


def bare(host: str) -> str:
    """A host in small letters, without www."""
    return host.lower().removeprefix("www.")


def is_address(host: str) -> bool:
    """Whether it is the number of a host, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_mixed(host: str) -> bool:
    """Whether a label of the host has letters of more than one script."""
    return any(len(_scripts(label)) > 1 for label in host.lower().split("."))


def _scripts(label: str) -> set[str]:
    if label.startswith("xn--"):
        try:
            label = label.removeprefix("xn--").encode("ascii").decode("punycode")
        except UnicodeError:
            return set()
    return {unicodedata.name(letter, "?").split()[0] for letter in label if letter.isalpha()}


def same_organisation(one: str, other: str) -> bool:
    """Whether two hosts stand below one registered domain."""
    if is_address(one) or is_address(other) or "." not in one:
        return False
    return registered_domain(one.lower()) == registered_domain(other.lower())
