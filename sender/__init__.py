"""The wire: builds and signs messages, and hands them to mail servers and SMS providers.

What comes in: rendered messages and the sender identity they leave as, then envelopes. What goes out:
an `Outcome` for each envelope, exactly as the other side put it, with its reply as evidence. Keeps no
records and knows no campaign. Called by the scheduler; transports are chosen and made by the service,
which loads `sender.sms_twilio` only where text messages are sent: its HTTP client takes six megabytes.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from sender.errors import MessageError
    from sender.mime import EmailBuilder
    from sender.smtp import SmtpOptions, SmtpServer, SmtpTransport
    from sender.transport import Parcel, Transport
else:
    __getattr__ = offered(
        __name__,
        {
            "EmailBuilder": "mime",
            "MessageError": "errors",
            "Parcel": "transport",
            "SmtpOptions": "smtp",
            "SmtpServer": "smtp",
            "SmtpTransport": "smtp",
            "Transport": "transport",
        },
    )

__all__ = [
    "EmailBuilder",
    "MessageError",
    "Parcel",
    "SmtpOptions",
    "SmtpServer",
    "SmtpTransport",
    "Transport",
]
