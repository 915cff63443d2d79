"""What becomes of a message to an address, decided by the address alone.

Drawn by a hash of the seed and the address and not by a random generator, so that the order in which
messages arrive, a retry or a second run changes nothing, and a test can ask beforehand. A word between
dots in the local part decides without drawing: `camille.inconnu@gmail.com` does not exist at Gmail.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from sandbox.manners import manners_of

_Value = TypeVar("_Value")


class Fate(StrEnum):
    """What an e-mail address does with what it gets.

    ORDINARY takes it and stays silent. CLICKS opens some links, SCANNED is a security robot that opens
    all of them, UNSUBSCRIBES presses the one-click button (RFC 8058), COMPLAINS presses the spam button,
    ON_HOLIDAY answers by itself (RFC 3834). GREYLISTED is deferred at first and taken later; FULL is
    deferred always; UNKNOWN and DISABLED are refused at RCPT, FILTERED after DATA. BOUNCES, BOUNCES_FULL
    and BOUNCES_TWICE are taken, and a report follows (RFC 3464): hard, soft, hard and sent twice.
    """

    ORDINARY = "ordinary"
    CLICKS = "clicks"
    SCANNED = "scanned"
    UNSUBSCRIBES = "unsubscribes"
    COMPLAINS = "complains"
    ON_HOLIDAY = "on_holiday"
    GREYLISTED = "greylisted"
    FULL = "full"
    UNKNOWN = "unknown"
    DISABLED = "disabled"
    FILTERED = "filtered"
    BOUNCES = "bounces"
    BOUNCES_FULL = "bounces_full"
    BOUNCES_TWICE = "bounces_twice"


class SmsFate(StrEnum):
    """What a mobile number does with a text message; the numbers are Twilio's error codes.

    STOPS and ANSWERS are delivered first and write back. Every other one but DELIVERED never is.
    """

    DELIVERED = "delivered"
    STOPS = "stops"
    ANSWERS = "answers"
    UNREACHABLE = "30003"
    UNKNOWN_HANDSET = "30005"
    LANDLINE = "30006"
    UNEXPLAINED = "30008"
    INVALID = "21211"
    OPTED_OUT = "21610"


FATE_BY_WORD = MappingProxyType(
    {
        "ordinaire": Fate.ORDINARY,
        "clic": Fate.CLICKS,
        "robot": Fate.SCANNED,
        "desabonne": Fate.UNSUBSCRIBES,
        "plainte": Fate.COMPLAINS,
        "absent": Fate.ON_HOLIDAY,
        "gris": Fate.GREYLISTED,
        "plein": Fate.FULL,
        "inconnu": Fate.UNKNOWN,
        "inactif": Fate.DISABLED,
        "filtre": Fate.FILTERED,
        "rebond": Fate.BOUNCES,
        "rebond-plein": Fate.BOUNCES_FULL,
        "rebond-double": Fate.BOUNCES_TWICE,
    }
)
"""Words that decide, as one dot-separated part of a local part."""

# Shares of a list looked after reasonably well; the rest is ordinary.
_SHARES: tuple[tuple[float, Fate], ...] = (
    (0.012, Fate.UNKNOWN),
    (0.002, Fate.DISABLED),
    (0.003, Fate.FULL),
    (0.004, Fate.BOUNCES),
    (0.003, Fate.BOUNCES_FULL),
    (0.001, Fate.BOUNCES_TWICE),
    (0.002, Fate.COMPLAINS),
    (0.005, Fate.UNSUBSCRIBES),
    (0.008, Fate.ON_HOLIDAY),
    (0.080, Fate.CLICKS),
    (0.020, Fate.SCANNED),
)

SMS_FATE_BY_ENDING = MappingProxyType(
    {
        "003": SmsFate.UNREACHABLE,
        "005": SmsFate.UNKNOWN_HANDSET,
        "006": SmsFate.LANDLINE,
        "008": SmsFate.UNEXPLAINED,
        "211": SmsFate.INVALID,
        "610": SmsFate.OPTED_OUT,
        "700": SmsFate.STOPS,
        "800": SmsFate.ANSWERS,
        "900": SmsFate.DELIVERED,
    }
)
"""Last three digits of a number that decide without drawing."""

_SMS_SHARES: tuple[tuple[float, SmsFate], ...] = (
    (0.012, SmsFate.UNREACHABLE),
    (0.008, SmsFate.UNKNOWN_HANDSET),
    (0.003, SmsFate.LANDLINE),
    (0.004, SmsFate.UNEXPLAINED),
    (0.010, SmsFate.STOPS),
    (0.006, SmsFate.ANSWERS),
)


def draw(seed: int, *words: str) -> float:
    """A number from 0 inclusive to 1 exclusive, always the same for the same seed and words."""
    digest = hashlib.blake2b("\0".join((str(seed), *words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def pick_one(shares: Sequence[tuple[float, _Value]], lot: float, otherwise: _Value) -> _Value:
    """The entry of `shares` (share of 1, value) on which `lot` falls, `otherwise` past the last one."""
    for share, value in shares:
        if lot < share:
            return value
        lot -= share
    return otherwise


def fate_of(address: str, seed: int = 0) -> Fate:
    """What becomes of a message to `address`; case does not matter."""
    local, _, domain = address.lower().rpartition("@")
    for word in local.split("."):
        if word in FATE_BY_WORD:
            return FATE_BY_WORD[word]
    if draw(seed, "greylist", local, domain) < manners_of(domain).greylisted_share:
        return Fate.GREYLISTED
    return pick_one(_SHARES, draw(seed, "fate", local, domain), Fate.ORDINARY)


def sms_fate_of(number: str, seed: int = 0) -> SmsFate:
    """What becomes of a text message to `number` (E.164)."""
    decided = SMS_FATE_BY_ENDING.get(number[-3:])
    if decided is not None:
        return decided
    return pick_one(_SMS_SHARES, draw(seed, "sms", number), SmsFate.DELIVERED)
