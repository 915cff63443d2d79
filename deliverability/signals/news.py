"""What one mail from outside says: its kind, and for each recipient the reply, the verdict and the reason.

Pure and total: bytes in, a `Reading` out, whatever the bytes are. Which message of ours it speaks of is
asked elsewhere (`signals.origin`): an address in a report proves nothing.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import Message
from enum import StrEnum

from deliverability.classify import classify_by_rules, provider_behind
from deliverability.reasons import Reason, Said, reason_of, verdict_of
from deliverability.signals.arf import read_complaint
from deliverability.signals.autoreply import is_automatic_reply
from deliverability.signals.dsn import NO_STREET, RecipientStatus, read_delivery_status, reply_in
from deliverability.signals.letter import ADDRESS, named_in, own_part
from deliverability.signals.mime import (
    addresses_in,
    body_text,
    children_of,
    clean,
    content_type,
    enclosed_headers,
    header,
    open_mail,
    parts_of,
    texts_of,
    why_unread,
)
from deliverability.signals.ses_mail import read_ses
from deliverability.signals.wording import wording
from models.providers import provider_of
from models.states import Channel, EventKind
from models.values import Reply, Verdict

MAX_NAMED = 50
MAX_REPLY = 600
"""What a rule is shown of a letter: replies are shorter (RFC 5321 section 4.5.3.1.5)."""


class MailKind(StrEnum):
    """What kind of mail it is."""

    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    AUTOREPLY = "autoreply"
    ORDINARY = "ordinary"


@dataclass(frozen=True, slots=True)
class RecipientNews:
    """What is said of one recipient. `reason` is finer than the verdict and decides nothing."""

    address: str
    reply: Reply
    verdict: Verdict | None
    reason: Reason
    action: str = ""

    @property
    def is_hard(self) -> bool:
        """Whether the address itself is said to be wrong for good: a label, no proof against a person."""
        if self.action in {"delayed", "delivered", "relayed", "expanded"}:
            return False
        if self.reason is Reason.NOTACCEPT:
            return not (self.reply.enhanced or "5").startswith("4") and (self.reply.code or 500) >= 500
        return self.reason in {Reason.USERUNKNOWN, Reason.HOSTUNKNOWN, Reason.HASMOVED}


@dataclass(frozen=True, slots=True)
class Reading:
    """One mail, read. `unread`: one line on what of it could not be, "" when there is nothing to tell."""

    kind: MailKind
    recipients: tuple[RecipientNews, ...] = field(default=())
    unread: str = ""


NAMES_NOBODY = "The letter says that something did not arrive, and names nobody."
_PERSONAL = re.compile(r"was automatically rejected:\s{1,4}(\S[^\n]{1,300})")
"""What a person's own filter says (Sieve): it speaks louder than the status made up around it."""
_RETURNED_TO = re.compile(rf"^To: [^\n@]{{0,120}}?({ADDRESS})", re.MULTILINE | re.IGNORECASE)
MAX_RETURNED = 20_000
_LOCAL_NAME = re.compile(
    r"following (?:recipient|address|user)[^\n:]{0,150}(?:\n[^\n:]{0,80})?:\s{1,8}"
    r"([a-z0-9][\w.+-]{0,63})[ \t]*(?=\r?\n|$)",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"(?<![\w.])([45]\d\d)[ :-]{1,3}(?:[45]\d\d[ -]{1,2})?#?([45]\.\d{1,3}\.\d{1,3})(?![.\d])"
)
_BARE = re.compile(rf"(?:^|[:>\s\[\"'(])([45]\d\d){NO_STREET}[ :-](?=[^\d\s]| [^\d\s])", re.IGNORECASE)
_TROUBLE = re.compile(r"\b(?:error|failed|rejected|not taken|refused|invalid)\b", re.IGNORECASE)
_IN_BRACKETS = re.compile(
    r"\(#?([45]\.\d{1,3}\.\d{1,3})\)"
    r"|(?:(?<![\w.])#|\b(?:code|status|error|erreur|fehler|errore)\b ?[:=]? ?)([45]\.\d{1,3}\.\d{1,3})"
    r"(?!\.?\d)",
    re.IGNORECASE,
)
_NAMES = re.compile(rf"^<{ADDRESS}>:", re.IGNORECASE | re.MULTILINE)
_SNS = re.compile(r"amazonaws|[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
"""No date is read here; older ones than `now` allows cost nothing."""


def read_news(raw: bytes, now: datetime = _NO_DATE) -> Reading:
    """What `raw` says; ORDINARY when nothing of it is news. Never raises on any input."""
    return read_opened(open_mail(raw), raw, now)


def read_opened(mail: Message | None, raw: bytes, now: datetime = _NO_DATE) -> Reading:
    """The same of a mail that is open already: what `open_mail` made of `raw`."""
    reading = _first_reading(mail, now) if mail is not None else None
    if reading is None:
        return Reading(MailKind.ORDINARY, unread=why_unread(raw, mail))
    if reading.kind is MailKind.BOUNCE and not reading.recipients:
        return replace(reading, unread=NAMES_NOBODY)
    return reading


def _first_reading(mail: Message, now: datetime) -> Reading | None:
    for reader in (_complaint, _report, _notification, _letter, _autoreply):
        reading = reader(mail, now)
        if reading is not None:
            return reading
    return None


def _complaint(mail: Message, now: datetime) -> Reading | None:
    report = next((part for part in parts_of(mail) if content_type(part) == "message/feedback-report"), None)
    if report is not None and read_complaint(mail, now) is not None:
        fields = next(iter(children_of(report)), report)
        named = _addresses(fields, "Original-Rcpt-To", "Removal-Recipient", "Redacted-Address")
    elif wording("complaints").search(header(mail, "Subject")):
        named = []
    else:
        return None
    for enclosed in enclosed_headers(mail) if not named else ():
        named = named or _addresses(enclosed, "X-HmXmrOriginalRecipient") or _addresses(enclosed, "To")
    return Reading(MailKind.COMPLAINT, tuple(_plainly(address, Reason.FEEDBACK) for address in named))


def _report(mail: Message, now: datetime) -> Reading | None:
    statuses = read_delivery_status(mail, now)
    if not statuses:
        return None
    letter = own_part("\n".join(texts_of(mail)))
    told = [_recipient(status, letter) for status in statuses]
    if any(status.action == "failed" for status in statuses):
        kind = MailKind.BOUNCE
    elif all(status.kind is EventKind.DELIVERED for status in statuses):
        kind = MailKind.DELIVERED
    elif all(status.kind is EventKind.DEFERRED for status in statuses):
        kind = MailKind.DELAY
    else:
        kind = MailKind.BOUNCE
    return Reading(kind, tuple(news for news in told if "@" in news.address))


def _recipient(status: RecipientStatus, letter: str) -> RecipientNews:
    address, reply = status.address, status.reply
    if status.kind is EventKind.DELIVERED:
        return RecipientNews(address, reply, None, Reason.DELIVERED, status.action)
    personal = _PERSONAL.search(letter)
    text = personal[1] if personal else reply.text
    if status.category:
        text = f"x-powermta: {status.category} {text}"
    return _news(address, reply, action=status.action, mta=status.remote_mta, letter=letter, text=text)


def _news(address: str, reply: Reply, *, action: str, mta: str, letter: str, text: str) -> RecipientNews:
    address = clean(address)
    delayed = action == "delayed" or ((reply.enhanced or "").startswith("4.") and action != "failed")
    verdict = classify_by_rules(
        Reply(reply.code, reply.enhanced, reply.text[:MAX_REPLY]),
        provider=provider_behind(provider_of(address), mta),
        channel=Channel.EMAIL,
        permanent=not delayed,
    )
    near = _near(letter, address)
    host = f"{mta} {address.rpartition('@')[2]}".lower()
    said = Said(text, reply.code, reply.enhanced, host, near, is_delay=delayed)
    reason = reason_of(said)
    for more in (near, letter):
        if reason is Reason.UNDEFINED or len(text) < 12:
            reason = reason_of(Said(f"{text} {more}", reply.code, reply.enhanced, host, is_delay=delayed))
    if not verdict.rule:
        verdict = verdict_of(reason, permanent=not delayed) or verdict
    return RecipientNews(address, reply, verdict, reason, action)


def _near(letter: str, address: str) -> str:
    """What the letter says after it names the address, else all it says."""
    place = letter.lower().find(address.lower()) if address else -1
    return letter[max(place, 0) :][:1500]


def _notification(mail: Message, now: datetime) -> Reading | None:  # noqa: ARG001 - one shape for all readers
    if not _SNS.search(header(mail, "From") + header(mail, "X-Amz-Sns-Message-Id")):
        return None
    found = read_ses("\n".join(texts_of(mail))[:200_000])
    if found is None:
        return None
    if found.kind == "complaint":
        named = tuple(_plainly(address, Reason.FEEDBACK) for address, _, _ in found.told)
        return Reading(MailKind.COMPLAINT, named)
    if found.kind == "delivery":
        return Reading(
            MailKind.DELIVERED, tuple(_plainly(name, Reason.DELIVERED) for name, _, _ in found.told)
        )
    told = tuple(
        _news(
            name,
            reply_in(reply.text, reply.enhanced or ""),
            action=action,
            mta="",
            letter="",
            text=reply.text,
        )
        for name, reply, action in found.told
    )
    return Reading(MailKind.BOUNCE, told)


def _letter(mail: Message, now: datetime) -> Reading | None:  # noqa: ARG001 - one shape for all readers
    failed = header(mail, "X-Failed-Recipients")
    subject = header(mail, "Subject")
    text = "\n".join(_texts(mail))
    letter = own_part(text)
    if not failed and not _is_bounce_letter(mail, subject, letter, text):
        return None
    robot = header(mail, "From")
    writers = {address.lower() for address in _addresses(mail, "From", "Reply-To", "Sender")}
    others = writers | {address.lower() for address in _addresses(mail, "To", "Delivered-To")}
    members = wording("members").search(subject) is not None
    named = named_in(letter, others, anywhere=members) or [
        # One who wrote to themselves; a mere "Hello you@here" names nobody.
        name
        for name in named_in(letter, writers)
        if f"{name.address}:" in letter or f"<{name.address}>" in letter
    ]
    if failed:
        known = [address.strip(" <>") for address in failed.split(",") if "@" in address][:MAX_NAMED]
        said = {name.address.lower(): name.text for name in named}
        pairs = [(address, said.get(address.lower(), letter)) for address in known]
    else:
        pairs = [(name.address, name.text) for name in named]
    if not pairs and (local := _LOCAL_NAME.search(letter)) and wording("certain_robots").search(robot):
        # A name of its own house, without the domain that goes without saying there.
        pairs = [(f"{local[1]}@{robot.rpartition('@')[2].strip('> ')}", letter)]
    if not pairs:
        pairs = [(address, letter) for address in _returned_to(mail, letter, text)[:1]]
    delayed = wording("delayed").search(subject) is not None
    told = tuple(_told(address, text, letter, delayed=delayed) for address, text in pairs)
    if not told and not wording("failed").search(subject):
        return None
    return Reading(MailKind.DELAY if delayed else MailKind.BOUNCE, told)


def _told(address: str, text: str, letter: str, *, delayed: bool) -> RecipientNews:
    reply = _reply_of(clean(text))
    if reply.code is None and reply.enhanced is None:
        # A reply that stands before the address, or apart from it.
        quoted = _reply_of(clean(letter))
        reply = Reply(quoted.code, quoted.enhanced, reply.text)
    return _news(address, reply, action="delayed" if delayed else "failed", mta="", letter=letter, text=text)


def _reply_of(text: str) -> Reply:
    """The reply a letter quotes, wherever it stands in it."""
    full = _REPLY.search(text)
    if full is not None:
        return Reply(int(full[1]), full[2], text)
    found = reply_in(text)
    status = _IN_BRACKETS.search(text)
    if status is not None and found.enhanced is None:
        return Reply(found.code, status[1] or status[2], text)
    return found if found.code or found.enhanced else Reply(_bare_code(text), None, text)


def _bare_code(text: str) -> int | None:
    found = _BARE.search(text)
    return int(found[1]) if found else None


def _returned_to(mail: Message, letter: str, text: str) -> list[str]:
    """To whom the message was written that `mail` returns, enclosed or below the letter."""
    found = [address for block in enclosed_headers(mail)[:1] for address in _addresses(block, "To")]
    if not found and (below := _RETURNED_TO.search(text[len(letter) :][:MAX_RETURNED])):
        found = [below[1]]
    return found


def _is_bounce_letter(mail: Message, subject: str, letter: str, text: str) -> bool:
    """Whether a mail system wrote it because something went wrong: its sender and its words say so.

    `letter` is what it says itself, `text` with what it returns.
    """
    sender = header(mail, "From")
    if wording("members").search(subject):
        return True
    if _is_a_persons_machine(mail) or not _is_from_a_robot(mail, sender):
        return False
    if wording("failed").search(subject) or wording("delayed").search(subject):
        return True
    said = letter[:3000]
    quotes = _REPLY.search(said) or (_BARE.search(said) and (_TROUBLE.search(said) or _NAMES.search(said)))
    failed = wording("failed").search(said) is not None
    if not wording("certain_robots").search(sender):
        # A list's owner may write about bounces: there is something to show, or it is none.
        shows = (
            _has_the_form(mail)
            or quotes
            or _IN_BRACKETS.search(said)
            or _NAMES.search(said)
            or len(text) > len(letter) + 40
            or enclosed_headers(mail)
        )
        return failed and bool(shows) and not is_automatic_reply(mail)
    if quotes or failed:
        return True
    # In a language that nobody here has words for: what was sent comes back, under the name of who missed it.
    if not is_automatic_reply(mail) and enclosed_headers(mail) and _NAMES.search(said):
        return True
    named = said.lower()
    return any(
        address.lower() in named and address.lower() not in sender.lower()
        for address in _returned_to(mail, letter, text)
    )


def _is_a_persons_machine(mail: Message) -> bool:
    """Whether it is an absence note; mail systems mark bounces so, too."""
    if wording("robots").search(header(mail, "From")) or content_type(mail) == "multipart/report":
        return False
    return is_automatic_reply(mail)


def _is_from_a_robot(mail: Message, sender: str) -> bool:
    """Whether no person can have written it: by its sender, its form, or where it was sent."""
    return wording("robots").search(sender) is not None or _has_the_form(mail)


def _has_the_form(mail: Message) -> bool:
    """Whether nothing but a bounce comes in this form, or to such an address."""
    returned = header(mail, "Return-Path").lower()
    return (
        returned == "<>"
        or returned.startswith("<mailer-daemon")
        or content_type(mail) == "multipart/report"
        or wording("return_paths").search(header(mail, "To")) is not None
    )


def _autoreply(mail: Message, now: datetime) -> Reading | None:  # noqa: ARG001 - one shape for all readers
    if not is_automatic_reply(mail) or wording("certain_robots").search(header(mail, "From")):
        return None
    senders = _addresses(mail, "From")
    text = "\n".join(_texts(mail))[:4000]
    if wording("gone").search(text):
        named = named_in(text, {address.lower() for address in _addresses(mail, "To")})
        address = named[0].address if named else next(iter(senders), "")
        reply = Reply(None, None, clean(text)[:500])
        return Reading(MailKind.AUTOREPLY, (RecipientNews(address, reply, None, Reason.SUSPEND),))
    return Reading(MailKind.AUTOREPLY, tuple(_plainly(address, Reason.VACATION) for address in senders[:1]))


def _texts(mail: Message) -> list[str]:
    """The texts for people; the HTML when there is no other."""
    return list(texts_of(mail)) or [
        _tagless(body_text(part)) for part in parts_of(mail) if content_type(part) == "text/html"
    ]


_TAGS = re.compile(r"<(?!/?[^<>\s]{1,80}@)[^<>]{0,2000}>")
_BREAKS = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d)\b[^<>]{0,500}>", re.IGNORECASE)


def _tagless(html: str) -> str:
    text = _TAGS.sub(" ", _BREAKS.sub("\n", html[:60_000]))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")


def _addresses(mail: Message, *names: str) -> list[str]:
    found: list[str] = []
    for name in names:
        if not header(mail, name):
            continue
        for field_name, value in mail.raw_items():
            if field_name.lower() == name.lower():
                found.extend(addresses_in(str(value)))
    return list(dict.fromkeys(found))[:MAX_NAMED]


def _plainly(address: str, reason: Reason) -> RecipientNews:
    return RecipientNews(clean(address), Reply(None, None, ""), None, reason)
