"""Text messages: the GSM alphabet, what a message costs, and how to make it cost less.

One character outside the GSM 7-bit alphabet (3GPP TS 23.038) turns the whole message into UCS-2, with 70
characters a segment in place of 160, so one ê can double what a campaign costs. é, è, à and ù are in the
alphabet, ê, ç and œ are not.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from models.values import SmsMessage
from templates.language import Part, compile_part
from templates.personalise import line_sandbox
from templates.slots import Slots
from templates.source import normalise

BODY_LENGTH = 4000
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each; the escape itself is left out."""
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Two septets each: an escape and a sign."""
_GSM = GSM_BASIC | GSM_EXTENSION
GSM_SINGLE, GSM_PART = 160, 153
UCS2_SINGLE, UCS2_PART = 70, 67

_REPLACEMENTS = (
    dict.fromkeys("\u2018\u2019\u201a\u2032\u02bc`´", "'")
    | dict.fromkeys("«»“”„″", '"')
    | dict.fromkeys("\u2010\u2011\u2012–—\u2015\u2212•·", "-")
    | dict.fromkeys("\u00a0\u202f\u2007\u2009\u200a\u2002\u2003\u3000\t", " ")
    | dict.fromkeys("\u200b\u200c\u200d\ufe0e\ufe0f\u00ad\ufeff", "")
    | {"…": "...", "°": "o", "œ": "oe", "Œ": "OE", "×": "x", "→": "->", "‹": "<", "›": ">"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "þ": "th", "ð": "d"}
    | {"©": "(c)", "®": "(r)", "™": "(tm)"}
)
_PICTURES = frozenset({"So", "Sk", "Mn", "Me", "Cf", "Cc"})
_BLANKS = re.compile(r"[ \t]+")
_AROUND_NEWLINE = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Length:
    """What a text costs: `units` are septets, or 16-bit units in `unicode`; `left` more fit for free."""

    segments: int
    units: int
    left: int
    unicode: bool


def measure(text: str) -> Length:
    """Count as the network does: an escaped sign or a surrogate pair is never split over two parts."""
    unicode = not _GSM.issuperset(text)
    single, part = (UCS2_SINGLE, UCS2_PART) if unicode else (GSM_SINGLE, GSM_PART)
    sizes = [_units(character, unicode=unicode) for character in text]
    units = sum(sizes)
    if units <= single:
        return Length(1, units, single - units, unicode)
    segments, used = 1, 0
    for size in sizes:
        if used + size > part:
            segments, used = segments + 1, 0
        used += size
    return Length(segments, units, part - used, unicode)


def _units(character: str, *, unicode: bool) -> int:
    if unicode:
        return 2 if ord(character) > 0xFFFF else 1
    return 2 if character in GSM_EXTENSION else 1


def offending(text: str) -> tuple[str, ...]:
    """The characters that force UCS-2, each once, in the order they come."""
    return tuple(dict.fromkeys(character for character in text if character not in _GSM))


def to_gsm(text: str) -> str:
    """A proposal in the GSM alphabet: ç → c, ’ → ', « → ", … → ..., and é stays é.

    Pictures are dropped; letters of other scripts have no equivalent and stay, so the result may still be
    UCS-2. Doing it twice changes nothing.
    """
    return "".join(map(_simplify, unicodedata.normalize("NFC", text)))


def _simplify(character: str) -> str:
    """The nearest thing to a character in the alphabet; the character itself when there is none."""
    if character in _GSM:
        return character
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    bare = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    if bare and _GSM.issuperset(bare):
        return bare
    return "" if unicodedata.category(character) in _PICTURES else character


@dataclass(frozen=True, slots=True)
class CompiledSms:
    """A text message ready to be rendered for any number of people."""

    fields: frozenset[str]
    _slots: Slots
    _body: Part

    def missing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The fields that would be shown blank to this person, without a declared fallback."""
        return self._slots.missing(values)

    def render(self, values: Mapping[str, str]) -> SmsMessage:
        """One person's message; raises MissingValueError when `missing(values)` names any field."""
        filled = {name: spelled.clean for name, spelled in self._slots.ready(values).items()}
        text = tidy(self._body.render(filled))
        return SmsMessage(text=text, segments=measure(text).segments)


def compile_sms(*, body: str, fallbacks: Mapping[str, str]) -> CompiledSms:
    """Compile the body of a text message; raises TemplateError."""
    source = normalise(body, "text message", BODY_LENGTH)
    slots = Slots(source, fallbacks)
    return CompiledSms(fields=slots.fields, _slots=slots, _body=compile_part(line_sandbox(), source))


def tidy(text: str) -> str:
    """Without the blanks and blank lines that false conditions leave behind, each of which costs."""
    return _BLANK_LINES.sub("\n\n", _AROUND_NEWLINE.sub("\n", _BLANKS.sub(" ", text))).strip()
