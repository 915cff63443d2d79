"""What people text back: STOP in its many spellings, START, HELP, and everything else.

When in doubt a message counts as an objection and is flagged for a person to read: writing once more to
somebody who said "arrêtez de m'écrire" costs more than one lost subscriber.
"""

import re
from enum import StrEnum

from models.text import fold


class Keyword(StrEnum):
    """What a text message asks for. UNCLEAR_STOP is treated as STOP, and shown to a person."""

    STOP = "stop"
    UNCLEAR_STOP = "unclear_stop"
    START = "start"
    HELP = "help"
    OTHER = "other"


STOP_WORDS = frozenset(
    {
        "stop",
        "stopall",
        "stoppub",
        "stopsms",
        "arret",
        "arrete",
        "arretez",
        "desabo",
        "desabonner",
        "desabonnement",
        "desinscription",
        "desinscrire",
        "desinscrivez",
        "unsubscribe",
        "unsub",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "resilier",
        "resiliation",
    }
)
START_WORDS = frozenset(
    {"start", "unstop", "yes", "oui", "reprise", "reprendre", "abonnement", "reabonnement"}
)
HELP_WORDS = frozenset({"help", "info", "infos", "aide", "contact", "qui"})
NEAR_STOP_BUT_WORDS = frozenset({"top", "stp", "step", "shop", "slop", "atop", "scop", "soop", "spot"})
"""One slip of the finger away from STOP, and words of their own: STP is French for "please"."""
LONGEST_CERTAIN = 4
_NOT_LETTERS = re.compile(r"[^\w ]+")
_OBJECTION = re.compile(
    r"\b(?:ne (?:\w+ ){0,2}plus (?:\w+ ){0,3}(?:recevoir|contacter|ecrire|deranger)"
    r"|plus (?:de|aucun) (?:sms|message|texto|pub)s?"
    r"|(?:arret|cess)\w* (?:de |d )?(?:m|me|nous)"
    r"|(?:laiss|enlev|retir|supprim|efface|ray)\w* (?:\w+ ){0,2}(?:moi|mon|mes|tranquille|numero)"
    r"|foutez\w* (?:moi )?la paix|pas (?:donne|donner) (?:mon )?(?:accord|numero)"
    r"|des(?:abon|inscri)\w*|opt out|remove me|unsubscribe|do not (?:text|contact))\b"
)


def read_keyword(text: str) -> Keyword:
    """What a text message asks for; case, accents and punctuation play no part."""
    words = _NOT_LETTERS.sub(" ", fold(text)).split()
    if not words:
        return Keyword.OTHER
    first = words[0]
    if first in STOP_WORDS or "".join(words) in STOP_WORDS:
        return Keyword.STOP if len(words) <= LONGEST_CERTAIN else Keyword.UNCLEAR_STOP
    if len(words) == 1 and is_slip_of_stop(first):
        return Keyword.STOP
    if first in START_WORDS and len(words) <= 2:
        return Keyword.START
    if first in HELP_WORDS and len(words) <= 2:
        return Keyword.HELP
    return Keyword.UNCLEAR_STOP if _OBJECTION.search(" ".join(words)) else Keyword.OTHER


def is_stop(text: str) -> bool:
    """Whether the sender must not be written to any more."""
    return read_keyword(text) in {Keyword.STOP, Keyword.UNCLEAR_STOP}


def is_slip_of_stop(word: str) -> bool:
    """Whether `word` is STOP with one letter missing, added, changed or swapped, and no word of its own."""
    return word not in NEAR_STOP_BUT_WORDS and word != "stop" and _one_slip_apart(word, "stop")


def _one_slip_apart(typed: str, meant: str) -> bool:
    if abs(len(typed) - len(meant)) > 1:
        return False
    same = 0
    while same < min(len(typed), len(meant)) and typed[same] == meant[same]:
        same += 1
    rest, wanted = typed[same:], meant[same:]
    swapped = len(rest) >= 2 and len(wanted) >= 2 and rest[1::-1] + rest[2:] == wanted
    return swapped or rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:]
