"""What a look at an identity has to be told: how this installation sends, and how far the look may go."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from models.errors import TocsinError

FetchText = Callable[[str], Awaitable[str]]
"""Gets a text over HTTPS by its URL, capped in size and time; raises CannotFetchError."""


class CannotFetchError(TocsinError):
    """A text that the web should hold could not be had."""


@dataclass(frozen=True, slots=True)
class SendingSetup:
    """How our mail leaves and comes back.

    `sending_ips`: the addresses providers see, where the server that hands mail to them is our own; none
    where a provider's relay does. `relay_spf`: what such a relay asks to put into SPF (`include:…`).
    `hello_name`: how that server of ours greets. `inbound_host`: where bounces are received.
    `report_address`: where DMARC and TLS reports go. `link_host`: where the links in mails lead.
    Whatever is empty is not known, and not judged.
    """

    sending_ips: tuple[str, ...] = ()
    relay_spf: str = ""
    hello_name: str = ""
    inbound_host: str = ""
    report_address: str = ""
    link_host: str = ""

    @property
    def sends_directly(self) -> bool:
        """Whether providers see addresses of ours, whose names in the DNS are ours to set."""
        return bool(self.sending_ips)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one look may go, whatever a zone says: the whole of it, and its questions to the DNS."""

    time: timedelta = timedelta(seconds=20)
    questions: int = 150
    at_once: int = 8
