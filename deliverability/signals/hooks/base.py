"""What the readers of providers' webhooks share: the request, the proofs, and the careful reading of JSON.

A provider's file says how its calls are signed and what its words mean; everything a stranger could get
wrong (types, sizes, dates, control characters) is dealt with here.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Final
from urllib.parse import parse_qsl

from deliverability.reasons import Reason, Said, cause_of, reason_of
from deliverability.signals.dsn import plain_words
from deliverability.signals.mime import clean
from models.errors import TocsinError
from models.states import BounceClass, Channel, EventKind, Fault, Permanence
from models.tokens import TOKEN_LENGTH, TokenPurpose, Tokens
from models.values import Reply, Signal, Verdict

FUTURE: Final = timedelta(minutes=5)
"""How far a provider's clock may be ahead of ours."""
MOST_FIELDS: Final = 500
MOST_EVENTS: Final = 20_000
_TOKEN = re.compile(rf"(?:^|<|[^a-z2-7])([a-z2-7]{{{TOKEN_LENGTH}}})(?:@|$|[^a-z2-7])", re.IGNORECASE)
_CODE = re.compile(r"(?:^|[^\d.])([245]\d\d)(?=[ \-:;,)]|$)")
_ENHANCED = re.compile(r"(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")


class ForgedError(TocsinError):
    """The call is not signed by the provider, or not with a secret that is set here."""


class StaleError(ForgedError):
    """Signed, but too long ago, or with a token that served before."""


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One call, as it arrived. Header names are in lower case; `url` is the public one, query included.

    `fetched`: what `Provider.needs` asked for.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    fetched: bytes = b""


JSON: Final = frozenset({"application/json"})
URLENCODED: Final = "application/x-www-form-urlencoded"
FORM: Final = frozenset({URLENCODED, "multipart/form-data"})
Check = Callable[[HookRequest, Sequence[str], datetime], str | None]
Read = Callable[[HookRequest, Tokens, datetime], list[Signal]]


def recall(raw: bytes) -> HookRequest:
    """The call an original was kept of, for its reader: the piece itself, as JSON."""
    return HookRequest("", {"content-type": "application/json"}, raw)


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider's calls are proven and read.

    `check(request, keys, now)` raises ForgedError or StaleError, and gives the token that may serve one
    body only, where the signature does not cover the body. Without it, the provider signs nothing and a
    name and password in the web address prove it. `needs`: an address to read a certificate from first, and
    `confirms`: one to read afterwards. `content_types`: those its calls come in. `recall` makes a call again
    of the piece of one that was kept. `key_problem`: what is wrong with a key, "" when it can serve.
    """

    key: str
    name: str
    read: Read
    check: Check | None = None
    needs: Callable[[HookRequest, Sequence[str]], str | None] | None = None
    confirms: Callable[[HookRequest], str | None] | None = None
    content_types: frozenset[str] = JSON
    recall: Callable[[bytes], HookRequest] = recall
    key_problem: Callable[[str], str] = lambda _key: ""

    def speaks(self, content_type: str) -> bool:
        """Whether its calls come in that form; parameters such as a charset do not matter."""
        return content_type.partition(";")[0].strip().lower() in self.content_types

    def read_again(self, raw: bytes, tokens: Tokens, came_at: datetime) -> list[Signal]:
        """What a kept original says. It was proven when it came, at `came_at`."""
        return self.read(self.recall(raw), tokens, came_at)

    def problem_of(self, secret: str) -> str:
        """What is wrong with one secret of the settings, as the end of a sentence; "" when it can serve."""
        if _is_pair(secret):
            name, _, password = secret.partition(":")
            return "" if name and password else "has no name, or no password; write name:password"
        return self.key_problem(secret) if self.check else "is no name and password; write name:password"

    def has_keys(self, secrets: Sequence[str]) -> bool:
        """Whether its calls have to be signed; a name and password alone could be guessed at."""
        return not all(map(_is_pair, secrets))

    def verify(self, request: HookRequest, secrets: Sequence[str], now: datetime) -> str | None:
        """Raise ForgedError or StaleError unless the call is the provider's own.

        Among `secrets`, `name:password` are credentials of the web address, the others keys of signatures;
        where both are set, both must be right, and one of each is enough.
        """
        pairs = [secret for secret in secrets if _is_pair(secret)]
        keys = [secret for secret in secrets if not _is_pair(secret)]
        if not pairs and (not keys or self.check is None):
            raise ForgedError(f"No secret of {self.name} is set.")
        if pairs:
            check_password(request, pairs)
        return self.check(request, keys, now) if self.check is not None and keys else None


def _is_pair(secret: str) -> bool:
    return ":" in secret and not secret.startswith("arn:")


def check_password(request: HookRequest, pairs: Sequence[str]) -> None:
    """HTTP basic authentication (RFC 7617), in constant time for each pair."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise ForgedError("It came without a name and password.")
    try:
        decoded = base64.b64decode(given.strip(), validate=True)
        given_pair = decoded if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given_pair = b""
    # A sum looks at every pair; `any` would stop at the right one.
    if not sum(hmac.compare_digest(given_pair, pair.encode()) for pair in pairs):
        raise ForgedError("Wrong name or password.")


def check_hmac(expected: Sequence[bytes], given: Sequence[bytes]) -> None:
    """One of the signatures must be one of those expected; every pair is compared."""
    if not sum(hmac.compare_digest(one, other) for one in expected for other in given):
        raise ForgedError("Wrong signature.")


def check_age(seconds: str | float, now: datetime, tolerance: timedelta) -> None:
    """StaleError for what was signed longer ago than `tolerance`, or in the future. `seconds` since 1970."""
    try:
        signed = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise StaleError("Signed at no readable time.") from error
    if not now - tolerance <= signed <= now + FUTURE:
        raise StaleError("Signed too long ago.")


# Reading


def is_readable(request: HookRequest) -> bool:
    """Whether the body is a document at all: an object, objects in an array, the fields of a form."""
    if "json" not in request.headers.get("content-type", "").lower() and form_of(request):
        return True
    document = parse(request.body)
    if isinstance(document, list):
        return all(isinstance(one, dict) for one in document)
    return isinstance(document, dict)


def parse(text: bytes | str) -> object:
    """The JSON in it, None when there is none."""
    try:
        written = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        parsed: object = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return parsed


def pieces(text: bytes | str) -> list[tuple[Mapping[str, object], bytes]]:
    """Each object of a JSON array, or the only one, with the very octets it was written in."""
    written = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    decoder, found = json.JSONDecoder(), list[tuple[Mapping[str, object], bytes]]()
    at = _skip(written, 0)
    many = written[at : at + 1] == "["
    at += many
    while len(found) < MOST_EVENTS:
        begin = _skip(written, at)
        try:
            value, at = decoder.raw_decode(written, begin)
        except (ValueError, RecursionError):
            break
        if isinstance(value, dict):
            found.append((value, written[begin:at].encode("utf-8", "replace")))
        if not many:
            break
    return found


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def inside(value: object, *path: str) -> Mapping[str, object]:
    """The object at `path`; an empty one when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def said(value: object, *path: str) -> str:
    """The text or number at `path` as one clean line, "" when there is none."""
    *way, last = path
    found = inside(value, *way).get(last)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    try:
        return clean(str(found))[:2000]
    except ValueError:  # an integer of thousands of digits
        return ""


def items(value: object) -> list[object]:
    """The members of an array; of anything else, none."""
    return list(value) if isinstance(value, list) else []


def form_of(request: HookRequest) -> list[tuple[str, str]]:
    """The fields of a form, urlencoded or multipart, in order."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        try:
            text = request.body.decode("utf-8", "replace")
            return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return []
    head = f"Content-Type: {clean(kind)}\r\n\r\n".encode("utf-8", "replace")
    try:
        parts = message_from_bytes(head + request.body, policy=policy.compat32).get_payload()
        named = [
            (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
            for part in (parts if isinstance(parts, list) else [])[:MOST_FIELDS]
            if not isinstance(part, str)
        ]
    except Exception:  # noqa: BLE001 - the standard library's parser assumes; a stranger's form stops nothing
        return []
    return [
        (name, value.decode("utf-8", "replace"))
        for name, value in named
        if isinstance(name, str) and isinstance(value, bytes)
    ]


def moment_of(value: object, now: datetime) -> datetime:
    """Seconds or milliseconds since 1970, or an ISO 8601 text; `now` when unreadable or yet to come."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value):
            text = re.sub(r"(\.\d{6})\d+", r"\1", value.strip()).replace(" UTC", "+00:00")
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = float(value)
            if not math.isfinite(seconds):
                return now
            at = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        else:
            return now
    except (ValueError, OverflowError, OSError):
        return now
    return min(at, now)


def reply_of(text: str, code: str = "", enhanced: str = "") -> Reply | None:
    """What the receiving server answered, as far as the provider tells it; None when it does not."""
    text = plain_words(text)
    stated, status = _CODE.search(code or text), _ENHANCED.search(enhanced or text)
    if not text and stated is None and status is None:
        return None
    # A code of the provider's own (605, 498) is no SMTP reply.
    number = int(stated[1]) if stated else None
    return Reply(number, status[1] if status else None, text[:2000])


def judged(reply: Reply | None, verdict: Verdict | None) -> Verdict | None:
    """The provider's own verdict, unless the server's answer says enough for our rules to judge."""
    if reply is not None and (reply.code is not None or reply.enhanced is not None):
        return None
    return verdict


def no_such_address(rule: str) -> Verdict:
    """The provider's word that the address does not exist."""
    return Verdict(BounceClass.NO_SUCH_ADDRESS, Fault.RECIPIENT, Permanence.HARD, rule)


def not_sent(rule: str) -> Verdict:
    """The provider took the message and did not send it: for reasons of its own, nobody's fault outside."""
    return Verdict(BounceClass.UNKNOWN, Fault.RELAY, Permanence.HARD, rule)


def held_back(rule: str) -> Verdict:
    """The address is on a list the provider keeps itself: the message was not tried, and proves nothing."""
    return Verdict(BounceClass.HELD_BACK, Fault.PROVIDER, Permanence.HARD, rule)


def of_class(bounce_class: BounceClass, fault: Fault, rule: str, *, hard: bool = False) -> Verdict:
    """What the provider's word says of a bounce."""
    return Verdict(bounce_class, fault, Permanence.HARD if hard else Permanence.SOFT, rule)


def delivery_in(tokens: Tokens, texts: Sequence[str]) -> int | None:
    """The delivery whose token stands in one of the texts: a Message-ID, a header of ours, metadata."""
    for text in texts:
        for found in _TOKEN.finditer(text):
            number = tokens.read(TokenPurpose.MESSAGE, found[1].lower())
            if number is not None:
                return number
    return None


@dataclass(frozen=True, slots=True)
class Told:
    """One event as a provider tells it, before it becomes a signal; `word` is the provider's own.

    `marks`: texts in which our token may stand. `event_id` "": the octets name it.
    """

    kind: EventKind
    word: str
    raw: bytes
    at: datetime
    event_id: str = ""
    recipient: str = ""
    message_id: str = ""
    marks: Sequence[str] = ()
    reply: Reply | None = None
    verdict: Verdict | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def signal_of(source: str, told: Told, tokens: Tokens) -> Signal:
    """The signal of what was told. `source_id` fits its column, and is the same each time it is told.

    It names no address: it stays when the person is erased.
    """
    named = clean(told.event_id)
    if not named or len(named) > 190 or "@" in named:
        named = hashlib.sha256((named.encode() or told.raw) + told.recipient.encode()).hexdigest()
    details = {"status": clean(told.word)[:60], **told.details, **_cause(told)}
    return Signal(
        kind=told.kind,
        channel=Channel.EMAIL,
        source=source,
        source_id=named,
        at=told.at,
        delivery_id=delivery_in(tokens, told.marks),
        provider_message_id=clean(told.message_id).strip("<>")[:200] or None,
        recipient=address_in(told.recipient) or None,
        reply=told.reply,
        verdict=told.verdict,
        details={name: clean(value)[:500] for name, value in details.items() if value},
        raw=told.raw,
    )


def _cause(told: Told) -> dict[str, str]:
    """Why the far server refused, where the provider hands on what it said."""
    if told.verdict is not None and told.verdict.bounce_class is BounceClass.HELD_BACK:
        return cause_of(Reason.SUPPRESSED)
    if told.reply is None or told.kind not in {EventKind.BOUNCED, EventKind.DEFERRED}:
        return {}
    host = address_in(told.recipient).rpartition("@")[2]
    delayed = told.kind is EventKind.DEFERRED
    return cause_of(
        reason_of(Said(told.reply.text, told.reply.code, told.reply.enhanced, host, is_delay=delayed))
    )


def address_in(text: str) -> str:
    """The bare address of `Name <a@b>`, in lower case, as deliveries have it."""
    text = clean(text)
    _, bracket, rest = text.rpartition("<")
    bare = (rest.partition(">")[0] if bracket else text).strip().lower()
    return bare[:254] if "@" in bare else ""
