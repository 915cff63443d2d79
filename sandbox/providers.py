"""One mail exchanger a provider: its manners (`sandbox.manners`) put to work on the loopback."""

import asyncio
import re
from collections.abc import Callable

from sandbox.doorkeeper import Doorkeeper
from sandbox.fates import Fate, draw, fate_of
from sandbox.inspection import read_headers
from sandbox.manners import LimitedAt, Manners, manners_of
from sandbox.smtp_server import Answer, SmtpServer, Transaction
from sandbox.witness import Letter, Witness

_CODE = re.compile(r"(\d{3})(?:[ -](\d\.\d{1,3}\.\d{1,3})(?!\d))?")

OnLetter = Callable[[Letter, Fate], None]


class Exchanger:
    """Answers for one provider. Implements `smtp_server.MailHost`."""

    def __init__(
        self,
        manners: Manners,
        witness: Witness,
        on_letter: OnLetter,
        *,
        seed: int,
        speed: float,
        easygoing: bool,
        strict: bool,
        seed_addresses: frozenset[str],
    ) -> None:
        """`easygoing` knows no limits of rate or connections and no greylisting; `strict` shuts people out.

        `seed_addresses` are mailboxes that exist whatever their name.
        """
        self.manners = manners
        self.server = SmtpServer(self, manners.host)
        self._witness = witness
        self._on_letter = on_letter
        self._seed = seed
        self._door = Doorkeeper(manners, speed=speed, strict=strict)
        self._easygoing = easygoing
        self._seed_addresses = seed_addresses
        self._count = 0

    def greet(self, peer: str, open_connections: int) -> Answer:
        """Welcome, or the one connection too many."""
        if not self._easygoing and not self._door.admits_connection(open_connections):
            return self._refuse(self.manners.wording.too_many_connections, "", peer=peer)
        return Answer(self._say(self.manners.wording.banner, peer=peer))

    def start(self, transaction: Transaction, peer: str, taken_before: int) -> Answer:
        """A message begins, unless there were too many already."""
        wording = self.manners.wording
        if not self._easygoing and not self._door.admits_another(taken_before):
            return self._refuse(wording.too_many_messages, transaction.return_path, peer=peer)
        if self.manners.limited_at is LimitedAt.MAIL and self._is_too_fast(transaction.return_path):
            return self._refuse(wording.too_fast, transaction.return_path, peer=peer)
        return Answer("250 2.1.0 Ok")

    def add_recipient(self, transaction: Transaction, recipient: str) -> Answer:
        """The recipient's fate decides; a stranger is sent away."""
        domain = recipient.rpartition("@")[2].lower()
        wording, return_path = self.manners.wording, transaction.return_path
        if self.manners.domains and manners_of(domain).key != self.manners.key:
            self._witness.saw_misrouted(recipient)
            return self._refuse(wording.relaying_denied, return_path, recipient=recipient)
        match self._fate(recipient):
            case Fate.UNKNOWN:
                choice = int(draw(self._seed, "wording", recipient.lower()) * len(wording.unknown))
                return self._refuse(wording.unknown[choice], return_path, recipient=recipient)
            case Fate.DISABLED:
                return self._refuse(wording.disabled, return_path, recipient=recipient)
            case Fate.FULL:
                return self._refuse(wording.full, return_path, recipient=recipient)
            case Fate.GREYLISTED if self._must_wait(return_path, recipient):
                return self._refuse(wording.greylisted, return_path, recipient=recipient)
            case _:
                return Answer("250 2.1.5 Ok")

    def take(self, transaction: Transaction, content: bytes, peer: str) -> Answer:
        """The message has come: take it, or not after all."""
        wording, recipients = self.manners.wording, transaction.recipients
        if self.manners.limited_at is LimitedAt.DATA and self._is_too_fast(transaction.return_path):
            return self._refuse_content(wording.too_fast, content, len(recipients), peer)
        if any(self._fate(recipient) is Fate.FILTERED for recipient in recipients):
            return self._refuse_content(wording.filtered, content, len(recipients), peer)
        letters = self._witness.saw_taken(
            self.manners.key, transaction.return_path, recipients, content, eight_bit=transaction.eight_bit
        )
        for letter in letters:
            self._on_letter(letter, self._fate(letter.recipient))
        return Answer(self._say(wording.taken, peer=peer))

    def _fate(self, recipient: str) -> Fate:
        if recipient.lower() in self._seed_addresses:
            return Fate.ORDINARY
        return fate_of(recipient, self._seed)

    def _refuse(self, text: str, return_path: str, *, recipient: str = "", peer: str = "") -> Answer:
        said = self._say(text, recipient=recipient, peer=peer)
        self._witness.saw_refused(self.manners.key, return_path, code_of(said), recipient or None)
        return Answer(said, hang_up=said.startswith("421"))

    def _refuse_content(self, text: str, content: bytes, count: int, peer: str) -> Answer:
        said = self._say(text, peer=peer)
        self._witness.saw_filtered(self.manners.key, read_headers(content), code_of(said), count)
        return Answer(said, hang_up=said.startswith("421"))

    def _say(self, text: str, *, recipient: str = "", peer: str = "") -> str:
        self._count += 1
        queue_id = f"{self.manners.key[:2].upper()}{self._count:08X}"
        return text.format(recipient=recipient, host=self.manners.host, peer=peer, queue_id=queue_id)

    def _must_wait(self, return_path: str, recipient: str) -> bool:
        """Greylisting: known since long enough?"""
        now = asyncio.get_running_loop().time()
        return not self._easygoing and self._door.must_wait(_domain(return_path), recipient.lower(), now)

    def _is_too_fast(self, return_path: str) -> bool:
        now = asyncio.get_running_loop().time()
        return not self._easygoing and self._door.is_too_fast(_domain(return_path), now)


def _domain(return_path: str) -> str:
    return return_path.rpartition("@")[2].lower()


def code_of(reply: str) -> str:
    """Reply code and, where there is one, enhanced status: "550 5.1.1", "421"."""
    found = _CODE.match(reply)
    return " ".join(part for part in found.groups() if part) if found else ""
