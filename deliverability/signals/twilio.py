"""Twilio's calls about text messages: status callbacks and messages people send back.

The signature is checked here, without Twilio's library: HMAC-SHA-1 over the public URL and the sorted
form fields, as their security page describes, is ten lines, and the library takes a fifth of a second and
30 MB to import in the process that serves the hooks.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit

from deliverability.classify import classify_reply
from deliverability.signals.mime import clean
from deliverability.words import Keyword, read_keyword
from models.providers import SMS
from models.states import Channel, EventKind
from models.values import Reply, Signal

SOURCE = "twilio"
KIND_BY_STATUS = MappingProxyType(
    {
        "accepted": EventKind.RELAYED,
        "scheduled": EventKind.RELAYED,
        "queued": EventKind.RELAYED,
        "sending": EventKind.RELAYED,
        "sent": EventKind.RELAYED,
        "delivered": EventKind.DELIVERED,
        "read": EventKind.DELIVERED,
        "undelivered": EventKind.BOUNCED,
        "failed": EventKind.BOUNCED,
    }
)
"""Twilio's words; `sent` means the operator has it, which is less than delivered."""
KIND_BY_KEYWORD = MappingProxyType(
    {
        Keyword.STOP: EventKind.UNSUBSCRIBED,
        Keyword.UNCLEAR_STOP: EventKind.UNSUBSCRIBED,
        Keyword.START: EventKind.RESUBSCRIBED,
        Keyword.HELP: EventKind.REPLIED,
        Keyword.OTHER: EventKind.REPLIED,
    }
)
_DEFAULT_PORT = MappingProxyType({"https": 443, "http": 80})


def verify_signature(url: str, form: Mapping[str, str], signature: str, auth_token: str) -> bool:
    """Whether Twilio signed this call. `url` is the public one, query included, as Twilio was given it.

    Twilio may or may not name the standard port in what it signs: both are tried.
    """
    fields = "".join(f"{name}{form[name]}" for name in sorted(form))
    given = signature.encode("utf-8", "replace")
    # No early return: every form of the address takes the same time.
    matches = [hmac.compare_digest(_sign(f"{form_of}{fields}", auth_token), given) for form_of in _forms(url)]
    return bool(auth_token) and any(matches)


def read_status(form: Mapping[str, str], now: datetime) -> Signal:
    """A status callback; a word that is not in the table gives kind UNKNOWN and is kept."""
    status = form.get("MessageStatus", form.get("SmsStatus", "")).lower()
    number = _sid(form)
    kind = KIND_BY_STATUS.get(status, EventKind.UNKNOWN)
    error = form.get("ErrorCode", "")
    reply = Reply(
        code=int(error) if error.isascii() and error.isdigit() and len(error) < 9 else None,
        enhanced=None,
        text=clean(form.get("ErrorMessage", ""))[:2000],
    )
    verdict = None
    if kind is EventKind.BOUNCED:
        verdict = classify_reply(reply, provider=SMS, channel=Channel.SMS, permanent=True)
    return Signal(
        kind=kind,
        channel=Channel.SMS,
        source=SOURCE,
        source_id=f"{number}:{status or 'none'}"[:200],
        at=now,
        provider_message_id=number or None,
        recipient=form.get("To") or None,
        reply=reply if reply.code is not None or reply.text else None,
        verdict=verdict,
        details={"status": clean(status)[:60]},
        raw=_raw(form),
    )


def read_inbound(form: Mapping[str, str], now: datetime) -> Signal:
    """A message from a person: UNSUBSCRIBED, RESUBSCRIBED or REPLIED; `details["keyword"]` says how it reads.

    Twilio's own reading (`OptOutType`, where its opt-out handling is on) wins over ours.
    """
    text = clean(form.get("Body", ""))[:2000]
    stated = form.get("OptOutType", "").lower()
    keyword = Keyword(stated) if stated in set(Keyword) else read_keyword(text)
    return Signal(
        kind=KIND_BY_KEYWORD[keyword],
        channel=Channel.SMS,
        source=f"{SOURCE} inbound",
        source_id=(_sid(form) or hashlib.sha256(_raw(form)).hexdigest())[:200],
        at=now,
        recipient=form.get("From") or None,
        reply=Reply(code=None, enhanced=None, text=text),
        details={"keyword": keyword.value, "via": "text"},
        raw=_raw(form),
    )


def _sid(form: Mapping[str, str]) -> str:
    return clean(form.get("MessageSid") or form.get("SmsSid") or "")[:60]


def _raw(form: Mapping[str, str]) -> bytes:
    return urlencode(sorted(form.items()), errors="replace").encode()


def _sign(text: str, auth_token: str) -> bytes:
    digest = hmac.new(auth_token.encode(), text.encode("utf-8", "replace"), hashlib.sha1).digest()
    return base64.b64encode(digest)


def _forms(url: str) -> list[str]:
    """The address as given, with its standard port and without."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return [url]
    host = parts.netloc.rpartition("@")[2]
    bare = host.removesuffix(f":{port}") if port else host
    login = parts.netloc[: len(parts.netloc) - len(host)]
    with_port = parts._replace(
        netloc=f"{login}{bare}:{port or _DEFAULT_PORT.get(parts.scheme, 443)}"
    ).geturl()
    without_port = parts._replace(netloc=f"{login}{bare}").geturl()
    return [url, with_port, without_port]
