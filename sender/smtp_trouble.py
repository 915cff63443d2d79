"""Why a mail server cannot be used, in plain words with the remedy, instead of what the system calls it.

Reads the causes that Python itself raises (`ssl`, `socket`, `OSError`); what the client library adds to
them is of no use to whoever has to mend a setting.
"""

import errno
import re
import socket
import ssl
from typing import TypeVar

from sender.transport import (
    CertificateError,
    TransportError,
    TransportTimeoutError,
    TransportUnavailableError,
)

CauseT = TypeVar("CauseT", bound=BaseException)

WRONG_NAME = frozenset({62, 63, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, _EMAIL_MISMATCH and _IP_ADDRESS_MISMATCH."""
_ERRNO = re.compile(r"\[Errno (-?\d+)\]")
_CHECK_ADDRESS = "Check the host and the port in TOCSIN_SMTP_URL, and that the server runs."
_NETWORK = {
    errno.ECONNREFUSED: ("connection refused, nothing answers there", _CHECK_ADDRESS),
    errno.EHOSTUNREACH: ("no way leads to that host", "Check the network, and the host in TOCSIN_SMTP_URL."),
    errno.ENETUNREACH: ("this machine has no way into that network", "Check this machine's network."),
    errno.ECONNRESET: ("it hung up at once", "Check that it takes mail from this machine."),
    errno.ETIMEDOUT: ("it did not answer in time", "Check that no firewall shuts that port."),
    errno.EACCES: ("this machine may not connect there", "Check its firewall."),
    errno.EPERM: ("this machine may not connect there", "Check its firewall."),
}


def explain_trouble(name: str, host: str, error: Exception, *, implicit_tls: bool) -> TransportError:
    """The error of our own family for `error`, which `name` (host and port) was the answer to.

    `implicit_tls`: encryption was expected from the first octet on.
    """
    certificate = find_cause(error, ssl.SSLCertVerificationError)
    if certificate is not None:
        return _certificate(name, host, certificate)
    if find_cause(error, ssl.SSLError) is not None:
        return _no_tls(name, implicit=implicit_tls)
    lookup = find_cause(error, socket.gaierror)
    if lookup is not None:
        return _unknown_name(name, host, lookup)
    if find_cause(error, UnicodeError) is not None:
        return TransportUnavailableError(
            f"The mail server {name} cannot be reached: {host} is no host name.", _CHECK_ADDRESS
        )
    if find_cause(error, TimeoutError) is not None:
        return TransportTimeoutError(
            f"The mail server {name} cannot be reached: it did not answer in time.",
            "Check that no firewall shuts that port, or try again later.",
        )
    known = _NETWORK.get(_error_number(error) or 0)
    if known is not None:
        return TransportUnavailableError(f"The mail server {name} cannot be reached: {known[0]}.", known[1])
    return _missing(name, error)


def _missing(name: str, error: Exception) -> TransportError:
    """What the client library found missing in the conversation, which only its words tell."""
    words = str(error)
    if "STARTTLS extension" in words:
        return TransportUnavailableError(
            f"The mail server {name} offers no encryption: it does not know STARTTLS.",
            "Is smtps:// meant in TOCSIN_SMTP_URL, or smtp:// for a server on this machine?",
        )
    if "AUTH extension" in words:
        return TransportUnavailableError(
            f"The mail server {name} offers no way to sign in.",
            "Use smtp+starttls:// or smtps://, or leave the user name out of TOCSIN_SMTP_URL.",
        )
    if "Malformed" in words:
        return TransportUnavailableError(
            f"What answers on {name} is no mail server.", "Check the port in TOCSIN_SMTP_URL."
        )
    if "EOF" in words or find_cause(error, ConnectionError) is not None:
        return TransportUnavailableError(
            f"The mail server {name} cannot be used: it hung up before it took a message.",
            "Check that it takes mail from this machine, and the kind of encryption in TOCSIN_SMTP_URL.",
        )
    return TransportUnavailableError(
        f"The mail server {name} cannot be used: {_plain(error)}.",
        "Check the address and the kind of encryption in TOCSIN_SMTP_URL.",
    )


def find_cause(error: BaseException, kind: type[CauseT]) -> CauseT | None:
    """The first error of that kind in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__
    return cause


def _certificate(name: str, host: str, error: ssl.SSLCertVerificationError) -> TransportError:
    if error.verify_code in WRONG_NAME:
        return CertificateError(
            f"The certificate of {name} cannot be trusted: it is not for the name {host}.",
            "Write the name it is for in TOCSIN_SMTP_URL.",
        )
    return CertificateError(
        f"The certificate of {name} cannot be trusted: {error.verify_message.rstrip('.')}.",
        "Correct the host name, or name the file of the authority that issued it in TOCSIN_SMTP_CA_FILE.",
    )


def _no_tls(name: str, *, implicit: bool) -> TransportError:
    if implicit:
        return TransportUnavailableError(
            f"The mail server {name} cannot be used: it does not speak TLS from the start.",
            "Is smtp+starttls:// meant in TOCSIN_SMTP_URL?",
        )
    return TransportUnavailableError(
        f"The mail server {name} cannot be used: it offers STARTTLS, and then does not agree on TLS.",
        "Is smtps:// meant in TOCSIN_SMTP_URL?",
    )


def _unknown_name(name: str, host: str, error: socket.gaierror) -> TransportError:
    if error.errno == socket.EAI_AGAIN:
        return TransportUnavailableError(
            f"The mail server {name} cannot be reached: nobody answers what the address of {host} is.",
            "Check this machine's DNS.",
        )
    return TransportUnavailableError(
        f"The mail server {name} cannot be reached: the name {host} is unknown.",
        "Check the host in TOCSIN_SMTP_URL.",
    )


def _error_number(error: BaseException) -> int | None:
    """The system's number of the innermost error; of several addresses tried, that of the first."""
    cause: BaseException | None = error
    number: int | None = None
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            number = cause.errno
        elif isinstance(cause, OSError) and (found := _ERRNO.search(str(cause))):
            number = number or int(found[1])
        cause = cause.__cause__
    return number


def _plain(error: BaseException) -> str:
    """The innermost error's words, without the system's numbers and without a full stop."""
    while error.__cause__ is not None:
        error = error.__cause__
    words = re.sub(r"\[[^\]]*\]|\(_ssl\.c:\d+\)", "", str(error)).strip().rstrip(".")
    return words or type(error).__name__
