"""What providers mail back: delivery reports (RFC 3464), complaints (RFC 5965), automatic answers (RFC 3834).

Written as text and not by a mail library, because each provider has its own handwriting and the reader on
the other side must cope with it. Pure: everything comes in as arguments.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from sandbox.inspection import split_message
from sandbox.manners import Manners, ReportStyle
from sandbox.witness import Letter

MAX_RETURNED_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the service: `content` with CRLF, to be sent from the null path to `recipient`."""

    recipient: str
    content: bytes


def write_bounce(letter: Letter, manners: Manners, *, hard: bool, now: datetime) -> Notice:
    """The report that a message which was taken has not been delivered.

    `hard`: there is no such person; otherwise the mailbox is full.
    """
    wording = manners.wording.bounce_hard if hard else manners.wording.bounce_soft
    diagnostic = wording.format(recipient=letter.recipient, host=manners.host, peer="127.0.0.1", queue_id="0")
    words = diagnostic.split(" ", 2)
    fallback = "5.1.1" if hard else "4.2.2"
    status = words[1] if len(words) > 1 and words[1].count(".") == 2 else fallback
    head, _ = split_message(letter.content)
    machine = [
        f"Reporting-MTA: dns; {manners.host}",
        f"Arrival-Date: {format_datetime(now)}",
        "",
        *_recipient_fields(letter.recipient, manners.report_style, status, diagnostic),
    ]
    subject, human = _human_part(letter, manners, diagnostic)
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + _lines(human),
        b"Content-Type: message/delivery-status\r\n\r\n" + _lines(machine),
        b"Content-Type: text/rfc822-headers\r\n\r\n" + head + b"\r\n",
    ]
    domain = manners.domains[0] if manners.domains else manners.host
    fields = [
        f"From: Mail Delivery System <MAILER-DAEMON@{domain}>",
        f"To: {letter.return_path}",
        f"Subject: {subject}",
        "Auto-Submitted: auto-replied",
    ]
    report = _report(fields, "delivery-status", parts, _tag(letter, "dsn", status), now)
    return Notice(letter.return_path, report)


def write_complaint(letter: Letter, manners: Manners, *, to: str, now: datetime) -> Notice:
    """The feedback report of a press on the spam button; the complainer's address is blacked out."""
    machine = [
        "Feedback-Type: abuse",
        f"User-Agent: {manners.name.replace(' ', '')}-Feedback/1.0",
        "Version: 1",
        f"Original-Mail-From: <{letter.return_path}>",
        f"Arrival-Date: {format_datetime(now)}",
        "Source-IP: 127.0.0.1",
        f"Reported-Domain: {letter.sender.rpartition('@')[2]}",
        f"Reporting-MTA: dns; {manners.host}",
    ]
    blacked_out = b"redacted@" + letter.recipient.rpartition("@")[2].encode()
    returned = letter.content[:MAX_RETURNED_BYTES].replace(letter.recipient.encode(), blacked_out)
    human = [
        f"This is an abuse report for a message received by {manners.name}.",
        "The address of the person who reported it has been removed.",
    ]
    parts = [
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + _lines(human),
        b"Content-Type: message/feedback-report\r\n\r\n" + _lines(machine),
        b"Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n" + returned,
    ]
    domain = manners.domains[0] if manners.domains else manners.host
    fields = [
        f"From: {manners.name} Feedback <feedbackloop@{domain}>",
        f"To: {to}",
        f"Subject: Abuse report: {_ascii(letter.headers.first('subject'))}",
    ]
    return Notice(to, _report(fields, "feedback-report", parts, _tag(letter, "arf", ""), now))


def write_vacation(letter: Letter, *, now: datetime) -> Notice:
    """The answer of somebody who is away. It is no bounce, and must not be taken for one."""
    fields = [
        f"From: {letter.recipient}",
        f"To: {letter.return_path}",
        f"Subject: =?utf-8?q?R=C3=A9ponse_automatique?= : {_ascii(letter.headers.first('subject'))}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{_tag(letter, 'away', '')}>",
        f"In-Reply-To: {letter.headers.message_id}",
        f"References: {letter.headers.message_id}",
        "Auto-Submitted: auto-replied (vacation)",
        "X-Auto-Response-Suppress: All",
        "Precedence: bulk",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Bonjour,",
        "",
        "Je suis en congés et ne lis pas mes messages jusqu'à mon retour.",
        "L'adresse mailbox@unknown.example n'existe pas, n'y écrivez pas.",
    ]
    return Notice(letter.return_path, _lines(fields))


def _recipient_fields(recipient: str, style: ReportStyle, status: str, diagnostic: str) -> list[str]:
    final = f"Final-Recipient: rfc822; {recipient}"
    code = f"Diagnostic-Code: smtp; {diagnostic}"
    match style:
        case ReportStyle.EXCHANGE:
            return [
                final.replace("; ", ";"),
                "Action: failed",
                f"Status: {status}",
                code.replace("smtp; ", "smtp;"),
            ]
        case ReportStyle.GMAIL:
            remote = "Remote-MTA: dns; gmail-smtp-in.l.google.com. (127.0.0.1, the server for the domain)"
            return [final, "Action: failed", f"Status: {status}", remote, code]
        case ReportStyle.PLAIN | ReportStyle.BILINGUAL:
            original = f"Original-Recipient: rfc822;{recipient}"
            # Folded, as long diagnostics are (RFC 5322 section 2.2.3).
            folded = f"Diagnostic-Code: smtp;\r\n    {diagnostic}"
            return [final, original, "Action: failed", f"Status: {status}", folded]


def _human_part(letter: Letter, manners: Manners, diagnostic: str) -> tuple[str, list[str]]:
    """Subject and text for people, in the provider's handwriting."""
    who = letter.recipient
    match manners.report_style:
        case ReportStyle.GMAIL:
            text = ["** Address not found **", "", f"Your message wasn't delivered to {who}.", "", diagnostic]
            return "Delivery Status Notification (Failure)", text
        case ReportStyle.EXCHANGE:
            text = ["Delivery has failed to these recipients or groups:", "", who, diagnostic]
            return f"Undeliverable: {_ascii(letter.headers.first('subject'))}", text
        case ReportStyle.BILINGUAL:
            text = [
                "Votre message n'a pas pu être remis au destinataire suivant :",
                "Your message could not be delivered to the following recipient:",
                *("", f"    {who}", "", diagnostic),
            ]
            return "=?utf-8?q?=C3=89chec_de_la_remise?= / Delivery failure", text
        case ReportStyle.PLAIN:
            text = [
                f"This is the mail system at host {manners.host}.",
                *("", "Your message could not be delivered to one or more recipients.", ""),
                f"<{who}>: {diagnostic}",
            ]
            return "Undelivered Mail Returned to Sender", text


def _report(fields: list[str], kind: str, parts: list[bytes], tag: str, now: datetime) -> bytes:
    """A multipart/report (RFC 6522) of `parts`, each with its own header block."""
    boundary = "=_" + tag.partition("@")[0]
    head = [
        *fields,
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{tag}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"',
        "",
        "This is a MIME-encapsulated message.",
    ]
    body = b"".join(
        b"--" + boundary.encode() + b"\r\n" + part.rstrip(b"\r\n") + b"\r\n\r\n" for part in parts
    )
    return _lines(head) + b"\r\n" + body + b"--" + boundary.encode() + b"--\r\n"


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _tag(letter: Letter, kind: str, detail: str) -> str:
    """A Message-ID without brackets, the same for the same letter: a report sent twice is the same report."""
    original = letter.headers.message_id.strip("<>").partition("@")[0] or "unknown"
    where = letter.recipient.partition("@")[2]
    mark = letter.recipient.partition("@")[0].replace(".", "-")
    return f"{kind}.{detail.replace('.', '')}.{mark}.{_ascii(original)[:60]}@{where}"
