"""E-mail addresses and telephone numbers, brought to the one form in which they are stored and compared.

The one door to email-validator and phonenumbers. Both are thorough and slow (some 20 µs and 80 µs a
value), so each has a fast path before it: a strict expression that takes only what the library would
take and gives the same normal form. Tests hold the two ways against each other.

The whole e-mail address is lower-cased, the part before the @ too: RFC 5321 section 2.3.11 allows
mailboxes that differ by case alone, but no provider has them, and two spellings would be two contacts
and two messages in one mailbox. An internationalised domain is kept in its ASCII form, the one that
travels; accents before the @ are refused, since few servers take them (RFC 6531) and in a French file
they are slips of the pen.
"""

import re
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from models.errors import BadInputError

__all__ = ["AddressError", "is_mobile", "plain_email", "plain_mobile", "read_email", "read_phone", "typo_in"]

EMAIL_LENGTH: Final = 254
_LABEL = r"[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]|[a-z0-9]"
_PLAIN_EMAIL = re.compile(
    r"(?=.{6,254}\Z)[a-z0-9_+-]{1,32}(?:\.[a-z0-9_+-]{1,31})?"
    rf"@(?:(?:{_LABEL})\.)+(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[a-z]{{2,24}}\Z"
)
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_FRENCH_MOBILE = re.compile(r"(?:\+33|0033|0)(?P<number>6[0-24-8][0-9]{7}|7[3-9][0-9]{7})\Z")
_FRENCH_FIXED = re.compile(r"(?:\+33|0033|0)(?P<number>[13][0-9]{8}|4[1-9][0-9]{7})\Z")
# Kept for fiction by the regulator (ARCEP decision 2018-0881), so nobody's: what rehearsals write to.
# phonenumbers takes 0639 for Mayotte and calls them invalid.
_FRENCH_FICTIONAL = re.compile(r"(?:\+33|0033|0)(?P<number>63998[0-9]{4})\Z")
_PUNCTUATION = str.maketrans("", "", " .-/\u00a0\u202f")
_FRENCH_NUMBERS = (_FRENCH_MOBILE, _FRENCH_FIXED, _FRENCH_FICTIONAL)
_OVERSEAS_BY_PREFIX: Final = {
    **dict.fromkeys(("0590", "0690", "0691"), "GP"),
    **dict.fromkeys(("0594", "0694"), "GF"),
    **dict.fromkeys(("0596", "0696", "0697"), "MQ"),
    **dict.fromkeys(("0262", "0263", "0692", "0693"), "RE"),
    **dict.fromkeys(("0269", "0639"), "YT"),
}
"""Overseas numbers as people write them at home; the FR numbering plan does not know them."""

_TYPOS: Final = {
    **dict.fromkeys(
        ("gmial.com", "gmai.com", "gmal.com", "gamil.com", "gmail.con", "gmail.co", "gmail.cm", "gmail.fr",
         "gmaill.com", "gnail.com", "gmail.om"),
        "gmail.com",
    ),
    **dict.fromkeys(("hotmial.com", "hotmai.com", "hotmal.com", "hotmail.con", "hotmil.com"), "hotmail.com"),
    **dict.fromkeys(("hotmial.fr", "hotmai.fr", "hotmal.fr", "hotmil.fr"), "hotmail.fr"),
    **dict.fromkeys(("outlok.fr", "outloook.fr", "oulook.fr"), "outlook.fr"),
    **dict.fromkeys(("outlok.com", "oulook.com", "outlook.con"), "outlook.com"),
    **dict.fromkeys(("yaho.fr", "yahooo.fr", "yhaoo.fr", "yahou.fr"), "yahoo.fr"),
    **dict.fromkeys(("yaho.com", "yahoo.con", "yhaoo.com"), "yahoo.com"),
    **dict.fromkeys(("ornage.fr", "orage.fr", "orange.com.fr", "oange.fr"), "orange.fr"),
    **dict.fromkeys(("wanado.fr", "wandoo.fr", "wanadoo.com"), "wanadoo.fr"),
    **dict.fromkeys(("laposte.com", "laposte.fr", "lapost.net"), "laposte.net"),
    **dict.fromkeys(("iclou.com", "icloud.fr", "icoud.com"), "icloud.com"),
    "fre.fr": "free.fr",
    "sfr.com": "sfr.fr",
}  # fmt: skip
"""Domains that exist or could exist, and that people type by mistake: worth a note, no refusal."""


class AddressError(BadInputError):
    """An address that cannot be written to; `reason` says why, without naming the address."""

    def __init__(self, reason: str) -> None:
        """`reason` is one sentence."""
        super().__init__(reason)
        self.reason = reason


def read_email(text: str) -> str:
    """The mailbox in its normal form: lower case, ASCII domain, at most 254 characters.

    AddressError when it is no address. Nothing is looked up: whether the domain takes mail is not asked.
    """
    address = text.strip()
    if address.isascii():
        lowered = address.lower()
        if _PLAIN_EMAIL.match(lowered):
            return lowered
    return _read_unusual_email(address)


def plain_email(text: str) -> str | None:
    """`read_email` of an address beyond doubt that is no known slip; None when a closer look is needed."""
    if not text.isascii():
        return None
    lowered = text.lower()
    if _PLAIN_EMAIL.match(lowered) is None or lowered.partition("@")[2] in _TYPOS:
        return None
    return lowered


def plain_mobile(text: str) -> str | None:
    """`read_phone` of a French mobile number as most files write it; None when a closer look is needed."""
    match = _FRENCH_MOBILE.match(text.replace(" ", "")) or _FRENCH_MOBILE.match(text.translate(_PUNCTUATION))
    return f"+33{match['number']}" if match else None


def _read_unusual_email(address: str) -> str:
    address = address.strip(_INVISIBLE).strip()
    if not address:
        raise AddressError("The e-mail address is empty.")
    if "@" not in address:
        raise AddressError("An e-mail address holds an @ sign.")
    try:
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise AddressError(str(error)) from error
    # With allow_smtputf8 off every accepted address has an ASCII form.
    normal = (valid.ascii_email or valid.normalized).lower()
    if len(normal) > EMAIL_LENGTH:
        raise AddressError(f"The e-mail address is longer than {EMAIL_LENGTH} characters.")
    return normal


def typo_in(email: str) -> str | None:
    """The domain probably meant, when that of this normalised address is a known slip; else None."""
    return _TYPOS.get(email.rpartition("@")[2])


def read_phone(text: str, region: str = "FR") -> str:
    """The number in E.164 (`+33612345678`); AddressError unless it is a possible and valid number.

    `region` (ISO 3166 alpha-2) tells how to read numbers without a country code. With "FR", the ten
    digits of Guadeloupe, Guyane, Martinique, La Réunion and Mayotte are understood too, and so is the
    number whose leading zero a spreadsheet ate.
    """
    if region == "FR":
        digits = text.translate(_PUNCTUATION)
        match = next(filter(None, (known.match(digits) for known in _FRENCH_NUMBERS)), None)
        if match and digits.isascii():
            return f"+33{match['number']}"
    return _read_unusual_phone(text, region)


def _read_unusual_phone(text: str, region: str) -> str:
    written = text.strip().strip(_INVISIBLE).strip()
    if not written:
        raise AddressError("The telephone number is empty.")
    if re.fullmatch(r"[0-9][.,][0-9]+[eE]\+?[0-9]+", written):
        raise AddressError("A spreadsheet has rounded this number: its digits are lost.")
    number = _parse(written, region)
    if region == "FR" and not phonenumbers.is_valid_number(number):
        overseas = _OVERSEAS_BY_PREFIX.get(re.sub(r"[^0-9]", "", written)[:4])
        number = _parse(written, overseas) if overseas else number
    if not phonenumbers.is_possible_number(number):
        raise AddressError("A telephone number of that country does not have so many digits, or so few.")
    if not phonenumbers.is_valid_number(number):
        raise AddressError("No telephone number begins like that.")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _parse(written: str, region: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException as error:
        raise AddressError("This does not look like a telephone number.") from error


def is_mobile(phone: str) -> bool:
    """Whether a number in E.164 can be a mobile: only those receive SMS."""
    if phone.startswith(("+336", "+337")):
        return True
    if phone.startswith(("+331", "+332", "+333", "+334", "+335")):
        return False
    kind = phonenumbers.number_type(phonenumbers.parse(phone))
    return kind in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
