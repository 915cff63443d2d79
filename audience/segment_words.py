"""The words of the segment language, in English and in French, and how its values are read.

Words are recognised without accents, case and hyphens. The canonical form is English with `and`, `or`,
`not`; a value is brought to the form the column holds (codes, ISO dates, days), so that what is saved
means the same whoever reads it.
"""

import difflib
import re
from collections.abc import Callable
from typing import Final

from audience import addresses, territory
from audience.dates import read_day
from models.errors import BadInputError, SegmentError
from models.interaction import kind_key
from models.segment_tree import (
    ATTRIBUTE_PREFIX,
    FIELDS,
    INTERACTION_PREFIX,
    PRESENCE_FIELDS,
    FieldKind,
    Operator,
    kind_of,
)
from models.states import ConsentStatus
from models.text import fold

AND_WORDS: Final = frozenset({"and", "et"})
OR_WORDS: Final = frozenset({"or", "ou"})
NOT_WORDS: Final = frozenset({"not", "non", "pas"})
EXCEPT_WORDS: Final = frozenset({"except", "sauf"})
KEYWORDS: Final = AND_WORDS | OR_WORDS | NOT_WORDS | EXCEPT_WORDS

_ALIASES: Final = {
    "tag": ("tags", "etiquette", "etiquettes"),
    "level": ("niveau", "adhesion", "niveau adhesion", "niveau d adhesion"),
    "commune": ("ville", "city", "town"),
    "canton": (),
    "postcode": ("code postal", "cp", "zip"),
    "departement": ("department", "dept", "dpt"),
    "region": (),
    "circonscription": ("circo", "constituency"),
    "polling station": ("bureau", "bureau de vote"),
    "language": ("langue",),
    "email": ("courriel", "mail", "e mail"),
    "phone": ("telephone", "tel", "mobile", "portable"),
    "external id": ("id", "identifiant", "numero"),
    "birth date": ("date de naissance", "naissance", "birthday"),
    "age": (),
    "created": ("cree", "ajoute"),
    "updated": ("modifie",),
    "has": ("avec", "possede"),
    "consent": ("consentement",),
    "received": ("recu",),
    "opened": ("ouvert",),
    "clicked": ("clique",),
    "replied": ("repondu",),
    "bounced": ("rebond", "rebondi"),
    "complained": ("plainte",),
    "unsubscribed": ("desinscrit", "desabonne"),
    "interaction": ("interactions", "participation"),
    "everyone": ("all", "tous", "tout le monde"),
    "first name": ("prenom",),
    "last name": ("nom",),
    "civility": ("civilite",),
}
_NAMES: Final = {
    alias: name.replace(" ", "_") for name, aliases in _ALIASES.items() for alias in (name, *aliases)
}
_CONSENTS: Final = {
    **dict.fromkeys(("granted", "yes", "oui", "accorde", "donne"), ConsentStatus.GRANTED),
    **dict.fromkeys(("withdrawn", "no", "non", "retire", "refuse"), ConsentStatus.WITHDRAWN),
    **dict.fromkeys(("unknown", "inconnu"), ConsentStatus.UNKNOWN),
}
_AGREED_TO: Final = {
    **dict.fromkeys(("email", "e mail", "courriel"), "email"),
    **dict.fromkeys(("sms", "mobile"), "sms"),
    **dict.fromkeys(("targeting", "ciblage"), "targeting"),
}
_SPAN = re.compile(r"(?P<count>[0-9]{1,4})\s?(?P<unit>[djwsDJWS])\Z")
_DAYS_BY_UNIT: Final = {"d": 1, "j": 1, "w": 7, "s": 7}


def field_named(word: str) -> str:
    """The field a word stands for, in either language; SegmentError naming the nearest one otherwise.

    `consent:email` is `consent.email`, so `consent` alone is a name too; `attr.x` and `attribut.x` are
    free attributes, `interaction.x` what people did.
    """
    head, dot, rest = word.partition(".")
    if dot and fold(head) in {"attr", "attribut", "attribute"}:
        return f"{ATTRIBUTE_PREFIX}{attribute_key(rest)}"
    if dot and _NAMES.get(fold(head)) == "consent" and fold(rest) in _AGREED_TO:
        return f"consent.{_AGREED_TO[fold(rest)]}"
    if dot and _NAMES.get(fold(head)) == "interaction" and kind_key(rest):
        return f"{INTERACTION_PREFIX}{kind_key(rest).replace(' ', '_')}"
    name = _NAMES.get(fold(word), "")
    if name in FIELDS or name == "consent":
        return name
    raise SegmentError(f"There is no field “{word}”{_nearest(word)}")


def _nearest(word: str) -> str:
    known = [name for name, field in _NAMES.items() if field in FIELDS]
    found = difflib.get_close_matches(fold(word), known, n=1, cutoff=0.5)
    return f"; did you mean “{_NAMES[found[0]]}”?" if found else "."


def attribute_key(header: str) -> str:
    """The name of a free attribute: folded, underscores between words, at most 100 characters."""
    return re.sub(r"\W+", "_", fold(header)).strip("_")[:100]


def read_value(field: str, operator: Operator, text: str) -> str:
    """The value in the form the column holds; SegmentError, in one sentence, when it cannot be one."""
    value = " ".join(text.split())
    if operator in {Operator.WITHIN, Operator.BEYOND}:
        return read_days(value)
    if kind_of(field) is FieldKind.INTERACTION:
        return _read_interaction(value)
    if operator is Operator.STARTS:
        return value.upper() if field in {"circonscription", "polling_station"} else value
    reader = _READERS.get(field) or _READERS_BY_KIND.get(kind_of(field))
    if reader is None:
        return value
    try:
        return reader(value)
    except SegmentError:
        raise
    except BadInputError as error:
        raise SegmentError(f"“{value}” cannot be a value of {field}: {error.problem}") from error


def is_span(text: str) -> bool:
    """Whether the text is a number of days or weeks, as in `30d`, `30j`, `2w`, `2s`."""
    return _SPAN.match(text) is not None


def read_days(text: str) -> str:
    """The span in days, `30d`; SegmentError otherwise."""
    match = _SPAN.match(text)
    days = int(match["count"]) * _DAYS_BY_UNIT[match["unit"].lower()] if match else 0
    if not match or days > 9999:
        raise SegmentError(f"“{text}” is no span of time.", "Write it as in 30d or 4w.")
    return f"{days}d"


def _read_date(text: str) -> str:
    return read_day(text).isoformat()


def _read_consent(text: str) -> str:
    status = _CONSENTS.get(fold(text))
    if status is None:
        raise SegmentError(f"“{text}” is no consent.", "Say granted, withdrawn or unknown.")
    return status.value


def _read_presence(text: str) -> str:
    head, dot, rest = text.partition(".")
    if dot and fold(head) in {"attr", "attribut", "attribute"}:
        return f"{ATTRIBUTE_PREFIX}{attribute_key(rest)}"
    name = _NAMES.get(fold(text), "")
    if name not in PRESENCE_FIELDS:
        raise SegmentError(
            f"“has” cannot ask for “{text}”.", "It asks for email, phone, birth_date and so on."
        )
    return name


def _read_interaction(text: str) -> str:
    kind = kind_key(text)
    if not kind:
        raise SegmentError(f"“{text}” is nothing people do.", "Write it as in interaction:meeting.")
    return kind


def _read_number(text: str) -> str:
    return text.replace(",", ".")


_READERS: Final[dict[str, Callable[[str], str]]] = {
    "departement": territory.read_departement,
    "region": territory.read_region,
    "circonscription": territory.read_circonscription,
    "polling_station": territory.read_polling_station,
    "language": str.lower,
    "email": addresses.read_email,
    "phone": addresses.read_phone,
}
_READERS_BY_KIND: Final[dict[FieldKind, Callable[[str], str]]] = {
    FieldKind.DATE: _read_date,
    FieldKind.MOMENT: _read_date,
    FieldKind.CONSENT: _read_consent,
    FieldKind.PRESENCE: _read_presence,
}


def read_bound(field: str, operator: Operator, text: str) -> str:
    """Like `read_value`, for order: a free attribute is compared with a number."""
    if kind_of(field) is FieldKind.ATTRIBUTE:
        return _read_number(text)
    return read_value(field, operator, text)
