"""Checks of what is said: who writes, why, how to leave, what the subject and the sender's name look like."""

import re
import unicodedata

from models.states import LegalBasis, Purpose
from models.text import fold
from scheduler.preflight.checks_of_form import FINE, ONCE, Tripped
from scheduler.preflight.examined import Examined

LEAST_NAME = 3
"""Shorter names are found in too many words."""
MANY_SIGNS = 3
_UNRESOLVED = re.compile(
    r"\{\{[^{}\n]{0,80}\}\}|\{%[^%\n]{0,80}%\}|<%[^%\n]{0,80}%>|\*\|\w{1,60}\|\*|%%\w{1,60}%%|\$\{\w{1,60}\}|\[\[\w{1,60}\]\]|\{[A-Z_]{3,40}\}"
)
"""Merge tags as Tocsin and the usual other tools write them; bounded, so that no text is read for minutes."""
_REPLY = re.compile(r"\s*(?:re|fw|fwd|tr|rép|ref)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_COUNTER = re.compile(r"\(\d+\)|\[\d+\]")
_ORIGIN = re.compile(
    r"vous (?:recevez|avez reçu|êtes (?:destinataire|inscrit|abonn)|figurez|nous avez|avez (?:donné|laissé))"
    r"|parce que vous|car vous|vos (?:données|coordonnées)|listes? électorales?"
    r"|votre (?:adresse|numéro|inscription)|origine de|you (?:are receiving|receive|received|get|got)"
    r"|because you|your (?:data|address|details)|we have your|was sent to you",
    re.IGNORECASE,
)
"""How people say where the address comes from; whoever says it otherwise is told, and may go past."""


def tag_unresolved(seen: Examined) -> Tripped:
    """A merge tag that nobody filled in, in the subject, the text or the HTML."""
    if seen.mail is None:
        return None
    whole = f"{seen.mail.subject}\n{seen.mail.words}\n{seen.mail.text}"
    found = dict.fromkeys(match.group()[:60] for match in _UNRESOLVED.finditer(whole))
    return [{"tag": tag} for tag in found]


def blanks(seen: Examined) -> Tripped:
    """People of the audience whose message would show a blank."""
    if seen.crowd is None:
        return None
    if not seen.crowd.blanks:
        return FINE
    return [{"count": str(seen.crowd.blanks), "fields": ", ".join(sorted(seen.crowd.fields))}]


def no_way_to_leave(seen: Examined) -> Tripped:
    """A link to unsubscribe that people see."""
    if seen.mail is None:
        return None
    way = seen.mail.unsubscribe_url
    there = any(link.target == way and link.shown.strip() for link in seen.mail.links)
    return FINE if there else ONCE


def sender_unnamed(seen: Examined) -> Tripped:
    """The organisation, or the sender's own name, in the message itself."""
    if seen.mail is None:
        return None
    names = [name for name in (seen.sender.organisation, seen.sender.name) if name.strip()]
    return FINE if any(_holds(_shown(seen), name) for name in names) else ONCE


def address_missing(seen: Examined) -> Tripped:
    """The sender's postal address in the message itself; an answer somebody asked for needs none.

    A warning: what somebody typed into the template where the identity has none cannot be told from text.
    """
    if seen.mail is None or seen.purpose is Purpose.TRANSACTIONAL:
        return None
    address = seen.sender.postal_address
    return FINE if address.strip() and _holds(_shown(seen), address) else ONCE


def origin_missing(seen: Examined) -> Tripped:
    """Where the address comes from, said to those who did not give it themselves (GDPR article 14)."""
    if seen.mail is None or seen.basis is not LegalBasis.LEGITIMATE_INTEREST:
        return None
    return FINE if _ORIGIN.search(_shown(seen)) else ONCE


def origin_unsaid(seen: Examined) -> Tripped:
    """The same where people agreed: they may have forgotten, and press "spam"."""
    if seen.mail is None or seen.basis is LegalBasis.LEGITIMATE_INTEREST:
        return None
    return FINE if _ORIGIN.search(_shown(seen)) else ONCE


def subject_empty(seen: Examined) -> Tripped:
    """A subject."""
    return None if seen.mail is None else FINE if seen.mail.subject.strip() else ONCE


def subject_pretends(seen: Examined) -> Tripped:
    """No reply and no forward that never was."""
    if seen.mail is None:
        return None
    found = _REPLY.match(seen.mail.subject)
    return [{"start": found.group().strip()}] if found else FINE


def subject_shouts(seen: Examined) -> Tripped:
    """Not all in capitals."""
    if seen.mail is None:
        return None
    letters = [letter for letter in seen.mail.subject if letter.isalpha()]
    return ONCE if len(letters) > 6 and all(letter.isupper() for letter in letters) else FINE


def subject_excited(seen: Examined) -> Tripped:
    """Few exclamation marks and pictures."""
    if seen.mail is None:
        return None
    subject = seen.mail.subject
    signs = subject.count("!") + sum(map(is_picture, subject))
    repeated = "!!" in subject or "??" in subject
    return ONCE if repeated or signs >= MANY_SIGNS else FINE


def name_with_pictures(seen: Examined) -> Tripped:
    """No emoji and no check mark in the sender's name (Gmail's rules on display names)."""
    if seen.mail is None:
        return None
    found = "".join(dict.fromkeys(sign for sign in seen.sender.name if is_picture(sign)))
    return [{"signs": found}] if found else FINE


def name_counts(seen: Examined) -> Tripped:
    """No "(2)" that looks like a conversation."""
    if seen.mail is None:
        return None
    found = _COUNTER.search(seen.sender.name)
    return [{"sign": found.group()}] if found else FINE


def name_of_reader(seen: Examined) -> Tripped:
    """The sender's name does not hold the recipient's."""
    if seen.mail is None:
        return None
    own = fold(seen.sender.name).split()
    found = [name for name in seen.mail.reader if len(name) >= LEAST_NAME and fold(name) in own]
    return [{"name": found[0]}] if found else FINE


def name_of_subject(seen: Examined) -> Tripped:
    """The sender's name does not hold the subject's text."""
    if seen.mail is None:
        return None
    subject, name = fold(seen.mail.subject), fold(seen.sender.name)
    return ONCE if len(subject) > 8 and subject in name else FINE


def is_picture(sign: str) -> bool:
    """Whether a character is an emoji, a check mark or another small picture."""
    return ord(sign) == 0xFE0F or unicodedata.category(sign) == "So"


def _shown(seen: Examined) -> str:
    return "" if seen.mail is None else f"{seen.mail.words}\n{seen.mail.text}"


def _holds(text: str, wanted: str) -> bool:
    """Whether all of `wanted` stands there, whatever the blanks and capitals between."""
    return " ".join(fold(wanted).split()) in " ".join(fold(text).split())
