"""The small outside world, put together: started, pointed at the service, asked what it saw, stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from models.clock import Clock, SystemClock
from sandbox.errands import Errands
from sandbox.errors import NotStartedError
from sandbox.fates import Fate, draw
from sandbox.imap_server import ImapServer
from sandbox.mailboxes import Mailbox, SeedAccount, open_mailboxes, with_trace
from sandbox.manners import EVERYBODY
from sandbox.notices import Notice, write_bounce, write_complaint, write_vacation
from sandbox.placement import Disliked, Folder, InboxShares, folder_by_rule, folder_for
from sandbox.postman import Postman
from sandbox.providers import Exchanger
from sandbox.readers import Readers
from sandbox.signatures import DkimKeys
from sandbox.tally import WorldTally
from sandbox.twilio_api import TwilioApi
from sandbox.witness import Letter, Witness

Address = tuple[str, int]
Span = tuple[float, float]
Act = Callable[[Letter], Awaitable[None]]
# Unhurried seconds from a message's arrival to what people and machines do with it: from, to.
BOUNCE_SECONDS = (5.0, 30.0)
COMPLAINT_SECONDS = (30.0, 120.0)
VACATION_SECONDS = (2.0, 10.0)
SCAN_SECONDS = (0.5, 2.0)
CLICK_SECONDS = (15.0, 180.0)
UNSUBSCRIBE_SECONDS = (20.0, 120.0)
SECOND_BOUNCE_SECONDS = (35.0, 40.0)
SEEING = frozenset({Fate.CLICKS, Fate.COMPLAINS, Fate.UNSUBSCRIBES})
"""What takes a person who has seen the message."""


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """How the world is.

    `inbound` is the service's mail server for reports, `web_base` its public URL; both may be given later
    with `World.point_at`. `fbl_address` is where Yahoo sends its feedback reports, by default `fbl@` and
    the domain of the return path; everybody else's go to the return path. `speed` divides every delay,
    not the rates. `easygoing` knows no rates, no limits of connections and no greylisting; in a `strict`
    one who comes too fast is shut out for as long as the provider really does it. `dkim_keys`
    are TXT records by (selector, domain); without them signatures are not looked at. `disliked` says
    which senders land in spam where, see `placement.folder_for`; `inbox_shares` take its place, and whom
    they put a mail in spam for does not see it. `keep_letters` keeps every message in `World.letters`.
    """

    inbound: Address | None = None
    web_base: str = ""
    twilio_account_sid: str = "AC00000000000000000000000000000000"
    twilio_auth_token: str = field(default="sandbox", repr=False)
    sms_per_second: float | None = None
    fbl_address: str | None = None
    seed: int = 0
    speed: float = 1.0
    easygoing: bool = False
    strict: bool = False
    seeds_per_provider: int = 2
    disliked: Disliked | None = None
    inbox_shares: InboxShares | None = None
    dkim_keys: DkimKeys | None = None
    keep_letters: bool = False
    clock: Clock = field(default_factory=SystemClock)


class World:
    """Mail exchangers, seed mailboxes, readers and a text-message provider, all on 127.0.0.1.

    `async with World(options) as world` starts and stops it. Nothing of it talks to anything but
    `inbound` and `web_base`, and those must be on the loopback too.
    """

    def __init__(self, options: WorldOptions) -> None:
        """Nothing listens before `start`."""
        self.options = options
        self._errands = Errands(options.speed)
        self._witness = Witness(options.dkim_keys, keep_letters=options.keep_letters)
        self._postman = Postman(self._errands, self._witness)
        self._readers = Readers(self._errands, self._witness, seed=options.seed)
        self._mailboxes: dict[str, Mailbox] = open_mailboxes(options.seeds_per_provider)
        self._imap = ImapServer(self._mailboxes)
        self._exchangers = {manners.key: self._open_exchanger(manners.key) for manners in EVERYBODY}
        self._twilio = TwilioApi(
            self._errands,
            self._witness,
            self._readers,
            options.clock,
            seed=options.seed,
            account_sid=options.twilio_account_sid,
            auth_token=options.twilio_auth_token,
            messages_per_second=options.sms_per_second,
        )
        self._habits: dict[Fate, tuple[tuple[Span, Act], ...]] = {
            Fate.CLICKS: ((CLICK_SECONDS, self._readers.click),),
            Fate.SCANNED: ((SCAN_SECONDS, self._readers.scan),),
            Fate.UNSUBSCRIBES: ((UNSUBSCRIBE_SECONDS, self._readers.unsubscribe),),
            Fate.COMPLAINS: ((COMPLAINT_SECONDS, self._complain),),
            Fate.ON_HOLIDAY: ((VACATION_SECONDS, self._answer),),
            Fate.BOUNCES: ((BOUNCE_SECONDS, self._bounce_hard),),
            Fate.BOUNCES_FULL: ((BOUNCE_SECONDS, self._bounce_soft),),
            Fate.BOUNCES_TWICE: (
                (BOUNCE_SECONDS, self._bounce_hard),
                (SECOND_BOUNCE_SECONDS, self._repeat_bounce),
            ),
        }
        self.smtp_routes: dict[str, Address] = {}
        self._imap_address: Address | None = None
        self._twilio_base_url: str | None = None
        self.point_at(inbound=options.inbound, web_base=options.web_base)

    @property
    def imap(self) -> Address:
        """Host and port of the seed mailboxes."""
        if self._imap_address is None:
            raise NotStartedError
        return self._imap_address

    @property
    def twilio_base_url(self) -> str:
        """Scheme, host and port of the text-message provider."""
        if self._twilio_base_url is None:
            raise NotStartedError
        return self._twilio_base_url

    @property
    def seed_accounts(self) -> list[SeedAccount]:
        """Every seed account, known before the start too."""
        return [mailbox.account for mailbox in self._mailboxes.values()]

    @property
    def letters(self) -> list[Letter]:
        """Every message taken, a letter a recipient, in order; empty without `keep_letters`."""
        return list(self._witness.letters or [])

    @property
    def redirects(self) -> list[str]:
        """Where the links that were clicked would have led, the last thousand."""
        return list(self._readers.locations)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen on free ports of the loopback."""
        for key, exchanger in self._exchangers.items():
            self.smtp_routes[key] = await exchanger.server.start()
        self._imap_address = await self._imap.start()
        self._twilio_base_url = await self._twilio.start()

    async def stop(self) -> None:
        """Drop what has not happened yet and close every port. May be called twice."""
        await self._errands.stop()
        await self._twilio.stop()
        await self._imap.stop()
        await asyncio.gather(*(exchanger.server.stop() for exchanger in self._exchangers.values()))
        await self._readers.stop()

    def point_at(self, *, inbound: Address | None = None, web_base: str = "") -> None:
        """Say where the service is, once it is known; what is left out stays as it was."""
        self._postman.inbound = inbound or self._postman.inbound
        self._readers.web_base = web_base.rstrip("/") or self._readers.web_base

    async def settle(self, timeout_seconds: float = 30.0) -> None:
        """Come back when nothing is left to happen by itself; TimeoutError when that takes longer."""
        await self._errands.settle(timeout_seconds)

    def tally(self) -> WorldTally:
        """What really happened up to now."""
        return self._witness.tally(self._errands.failures)

    def _open_exchanger(self, key: str) -> Exchanger:
        return Exchanger(
            next(manners for manners in EVERYBODY if manners.key == key),
            self._witness,
            self._receive,
            seed=self.options.seed,
            speed=self.options.speed,
            easygoing=self.options.easygoing,
            strict=self.options.strict,
            seed_addresses=frozenset(self._mailboxes),
        )

    def _receive(self, letter: Letter, fate: Fate) -> None:
        """A letter has arrived: file it, or let happen what its reader will do."""
        if self._witness.in_sample(letter):
            self._errands.after(0, lambda: self._witness.check_signatures(letter))
        mailbox = self._mailboxes.get(letter.recipient)
        if mailbox is not None:
            self._file(letter, mailbox)
            return
        if fate in SEEING and self.options.inbox_shares and self._folder_of(letter) is not Folder.INBOX:
            return
        for seconds, act in self._habits.get(fate, ()):
            self._later(letter, seconds, act)

    def _later(self, letter: Letter, seconds: Span, act: Act) -> None:
        """Let `act` happen within `seconds`, at a moment that depends on the letter alone."""
        lot = draw(self.options.seed, "when", letter.recipient, letter.headers.message_id)
        self._errands.after(seconds[0] + (seconds[1] - seconds[0]) * lot, lambda: act(letter))

    def _file(self, letter: Letter, mailbox: Mailbox) -> None:
        folder = self._folder_of(letter)
        now = self.options.clock.now()
        host = self._exchangers[letter.provider].manners.host
        content = with_trace(letter.content, letter.return_path, letter.recipient, host, now)
        mailbox.file(folder, content, now)
        self._witness.row(letter).seeds[folder.value] += 1

    def _folder_of(self, letter: Letter) -> Folder:
        options = self.options
        if options.inbox_shares is None:
            return folder_for(letter.provider, letter.sender, seed=options.seed, disliked=options.disliked)
        return folder_by_rule(
            letter.provider, letter.sender, letter.recipient, options.inbox_shares, seed=options.seed
        )

    async def _bounce_hard(self, letter: Letter) -> None:
        if await self._postman.deliver(self._write_bounce(letter, hard=True)):
            self._witness.row(letter).bounces_hard += 1

    async def _bounce_soft(self, letter: Letter) -> None:
        if await self._postman.deliver(self._write_bounce(letter, hard=False)):
            self._witness.row(letter).bounces_soft += 1

    async def _repeat_bounce(self, letter: Letter) -> None:
        """The same report once more, byte for byte but for its date: it counts as one bounce."""
        await self._postman.deliver(self._write_bounce(letter, hard=True))

    def _write_bounce(self, letter: Letter, *, hard: bool) -> Notice:
        manners = self._exchangers[letter.provider].manners
        return write_bounce(letter, manners, hard=hard, now=self.options.clock.now())

    async def _complain(self, letter: Letter) -> None:
        """Press the spam button; at Gmail, iCloud or Free the sender never hears of it."""
        manners = self._exchangers[letter.provider].manners
        if not manners.reports_complaints:
            return
        to = letter.return_path
        if manners.to_feedback_address:
            to = self.options.fbl_address or f"fbl@{to.rpartition('@')[2]}"
        if await self._postman.deliver(write_complaint(letter, manners, to=to, now=self.options.clock.now())):
            self._witness.row(letter).complaints += 1
            self._witness.saw_opt_out(letter.recipient, "complaint")

    async def _answer(self, letter: Letter) -> None:
        if await self._postman.deliver(write_vacation(letter, now=self.options.clock.now())):
            self._witness.row(letter).vacations += 1
