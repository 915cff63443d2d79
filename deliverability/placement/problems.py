"""What stands in the way of reading a mailbox, in plain sentences."""

import re
import socket
import ssl

from imapclient.exceptions import LoginError

from models.errors import SettingsError, TocsinError

PROBLEM_LENGTH = 500


class SeedError(TocsinError):
    """A seed mailbox cannot be read: host, port, encryption, user name or password."""


class ConsentError(SeedError):
    """The provider gives no access token for a mailbox: its consent has ended, or was never there."""


def explain(error: Exception) -> str:
    """What stood in the way of reading a mailbox, in a plain sentence."""
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, SettingsError):
        return str(error)
    if isinstance(error, SeedError):
        return error.problem[:PROBLEM_LENGTH]
    return _sentence(error)[:PROBLEM_LENGTH]


def _sentence(error: Exception) -> str:
    """Whole sentences, each to be found as it is: pages say them in other languages."""
    match error:
        case LoginError():
            return f"The mailbox cannot be read: the server refused the sign-in: {_words_of(error)}."
        case socket.gaierror():
            return "The mailbox cannot be read: the name of its server is unknown."
        case ConnectionRefusedError():
            return "The mailbox cannot be read: nothing answers there (connection refused)."
        case ssl.SSLCertVerificationError():
            why = error.verify_message.rstrip(".")
            return f"The mailbox cannot be read: the certificate of its server cannot be trusted: {why}."
        case ssl.SSLError():
            return "The mailbox cannot be read: its server does not speak TLS on that port."
        case _:
            return f"The mailbox cannot be read: {_words_of(error)}."


def advise(error: Exception) -> str:
    """What to do about it."""
    if isinstance(error, SeedError):
        return error.advice
    if isinstance(error, LoginError):
        return "Most providers want an application password, and IMAP switched on."
    if isinstance(error, ssl.SSLError):
        return "Port 993 is the usual one; --no-tls is for rehearsals."
    return "Check the host and the port."


def _words_of(error: Exception) -> str:
    """What the other side said, without Python's quotes or the system's numbers."""
    text = re.sub(r"^b'(.*)'$|\[Errno -?\d+\] ", r"\1", str(error).strip())
    return (text or type(error).__name__).rstrip(".")
