"""Which folder of a mailbox is which: the inbox, the places beside it, and spam. Pure.

The server says it by SPECIAL-USE (RFC 6154), or the folder has one of the usual names. Gmail has no tab
folders: everything but spam is in All Mail, and a tab is a category asked for by X-GM-RAW.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

INBOX = "INBOX"
JUNK_NAMES = frozenset(
    {
        "junk",
        "spam",
        "junk e-mail",
        "junk email",
        "junk mail",
        "bulk",
        "bulk mail",
        "indésirable",
        "indésirables",
        "courrier indésirable",
        "courriers indésirables",
        "messages indésirables",
        "pourriel",
        "pourriels",
        "spamverdacht",
        "unerwünscht",
        "posta indesiderata",
        "correo no deseado",
        "quarantaine",
        "quarantine",
    }
)
"""How junk folders are called where the server does not say which one it is."""
_CLOSED = frozenset({b"\\noselect", b"\\nonexistent"})
"""Names that only hold other folders (RFC 3501 section 7.2.2, RFC 5258)."""
TAB_NAMES = frozenset(
    {
        "promotions",
        "newsletter",
        "newsletters",
        "publicités",
        "pubs",
        "réseaux sociaux",
        "social",
        "unbekannt",
        "unknown",
    }
)
"""How providers call the folders they sort bulk mail into that they do not take for spam."""
CATEGORIES = ("promotions", "updates", "social", "forums")
"""Gmail's tabs beside the primary one, as X-GM-RAW and the labels name them."""
_LABEL_STARTS = ("category_", "^smartlabel_")


class Place(StrEnum):
    """What finding a mail in a folder means."""

    INBOX = "inbox"
    TAB = "tab"
    SPAM = "spam"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder to look into. `has_tabs`: which tab a mail of it is in is asked by category."""

    name: str
    place: Place
    has_tabs: bool = False


def folders_to_look_in(listed: Sequence[tuple[Iterable[bytes], str]], *, gmail: bool) -> list[Folder]:
    """What to look into, of the folders listed with their flags; what comes later counts more.

    Spam comes last: a mail that lies in two folders is where the provider put it, and copies are ours.
    """
    every = {name: {flag.lower() for flag in flags} for flags, name in listed}
    marked = {name: flags for name, flags in every.items() if not flags & _CLOSED}
    main = [Folder(INBOX, Place.INBOX, has_tabs=gmail)]
    if gmail:
        # All Mail holds what a filter archived, too. It may be hidden from IMAP.
        everything = [name for name in marked if b"\\all" in marked[name]]
        main = [Folder(name, Place.INBOX, has_tabs=True) for name in everything] or main
    tabs = [] if gmail else [Folder(name, Place.TAB) for name in marked if _last(name) in TAB_NAMES]
    junk = [name for name in marked if b"\\junk" in marked[name]] or [
        name for name in marked if _last(name) in JUNK_NAMES
    ]
    return [*main, *tabs, *(Folder(name, Place.SPAM) for name in junk)]


def tab_of_labels(labels: Iterable[bytes | str]) -> str:
    """The tab that a mail's labels tell of; "" when none does."""
    for label in labels:
        word = (label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)).lower()
        for start in _LABEL_STARTS:
            found = word.removeprefix(start)
            if word != found and found.removesuffix("s") in {name.removesuffix("s") for name in CATEGORIES}:
                return next(name for name in CATEGORIES if name.removesuffix("s") == found.removesuffix("s"))
    return ""


def _last(name: str) -> str:
    """The folder's own name, below whatever it lies in."""
    return name.lower().replace("inbox.", "").rpartition("/")[2]
