"""What can be said in SMTP (RFC 5321), and how: envelopes as commands, messages with their dots stuffed."""

import re

from models.values import EmailEnvelope

# No control characters and no angle brackets: nothing that ends the command or the path.
_PATH = re.compile(r"[ !-;=?-~]*\Z")


def find_problem(envelope: EmailEnvelope) -> str | None:
    """Why the envelope cannot be said in SMTP, or None: nothing in it may end a command or the message."""
    for address in (envelope.return_path, envelope.recipient):
        if not _PATH.match(address):
            return "An address of the envelope holds characters that SMTP cannot carry."
    if "@" not in envelope.recipient:
        return "The envelope has no recipient."
    data = bytes(envelope.data)
    if not data.isascii():
        return "The message is not 7-bit."
    breaks = data.count(b"\r\n")
    if breaks != data.count(b"\n") or breaks != data.count(b"\r"):
        return "The message has a line end that is not CRLF."
    return None


def say_mail(envelope: EmailEnvelope, *, declare_size: bool) -> bytes:
    """The command that begins a transaction; the size in octets (RFC 1870) where the server wants it."""
    size = b" SIZE=%d" % len(envelope.data) if declare_size else b""
    return b"MAIL FROM:<%b>%b\r\n" % (envelope.return_path.encode("ascii"), size)


def say_rcpt(envelope: EmailEnvelope) -> bytes:
    """The command that names the recipient."""
    return b"RCPT TO:<%b>\r\n" % envelope.recipient.encode("ascii")


def stuff_dots(data: bytes) -> bytes:
    """The message as DATA carries it (RFC 5321 section 4.5.2), ending in CRLF, without the final dot."""
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n..")
    if data.startswith(b"."):
        data = b"." + data
    return data if data.endswith(b"\r\n") else data + b"\r\n"
