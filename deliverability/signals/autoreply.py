"""Out-of-office notes and other answers by machines (RFC 3834): neither bounces nor replies."""

import re
from email.message import Message

from deliverability.signals.mime import header

_MARKING_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Vacation")
_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})
_SUBJECT = re.compile(
    r"^\s*(?:auto(?:mati(?:c|que))?[\s:-]*(?:reply|response|réponse)|réponse automatique"
    r"|out of (?:the )?office|absen(?:ce|t)\b|automatische antwort|abwesenheit"
    r"|respuesta automática|risposta automatica)",
    re.IGNORECASE,
)


def is_automatic_reply(mail: Message) -> bool:
    """Whether a machine answered for a person. Ask after having looked for a delivery status report.

    `Auto-Submitted: auto-generated` alone does not count: bounces carry it as well.
    """
    if header(mail, "Auto-Submitted").lower().startswith("auto-replied"):
        return True
    if any(header(mail, name) for name in _MARKING_HEADERS):
        return True
    if header(mail, "Precedence").lower() in _PRECEDENCE:
        return True
    return bool(_SUBJECT.match(header(mail, "Subject")))
