"""The notebook of the world: everybody in it writes down here what they saw; `tally` reads it."""

import asyncio
from collections import Counter, defaultdict
from copy import deepcopy
from dataclasses import dataclass

from sandbox.inspection import Headers, count_signatures, faults_of, read_headers
from sandbox.signatures import DkimKeys, check_signature
from sandbox.tally import MailTally, Malformed, SmsTally, Unwanted, WorldTally

# The first messages of each provider and then one in fifty: dkimpy takes milliseconds for each.
SAMPLE_FIRST = 20
SAMPLE_EVERY = 50
# Lists in the tally are evidence, not archives.
MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as one recipient got it; `content` with CRLF, as it came."""

    provider: str
    return_path: str
    recipient: str
    content: bytes
    headers: Headers

    @property
    def sender(self) -> str:
        """The From address."""
        return self.headers.sender


class Witness:
    """Counts. Every moment is the running loop's time, in seconds."""

    def __init__(self, dkim_keys: DkimKeys | None, *, keep_letters: bool) -> None:
        """Without `dkim_keys` no signature is checked; `keep_letters` keeps every message in memory."""
        self._dkim_keys = dkim_keys
        self.letters: list[Letter] | None = [] if keep_letters else None
        self.sms = SmsTally()
        self.dkim: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()
        self._rows: defaultdict[tuple[str, str], MailTally] = defaultdict(MailTally)
        self._senders_by_domain: defaultdict[str, set[str]] = defaultdict(set)
        self._seen: set[tuple[str, str]] = set()
        self._doubles: list[tuple[str, str]] = []
        self._malformed: list[Malformed] = []
        self._opted_out: dict[str, tuple[float, str]] = {}
        self._unwanted: list[Unwanted] = []
        self._refused_for_good: set[str] = set()
        self._asked_again: list[str] = []
        self._misrouted: list[str] = []

    def row(self, letter: Letter) -> MailTally:
        """The counts that news about `letter` belongs to."""
        return self._rows[letter.provider, letter.sender]

    def saw_taken(
        self, provider: str, return_path: str, recipients: list[str], content: bytes, *, eight_bit: bool
    ) -> list[Letter]:
        """A message was taken; returns one letter a recipient."""
        headers = read_headers(content)
        faults = faults_of(content, headers, eight_bit=eight_bit)
        letters = [
            Letter(provider, return_path, recipient.lower(), content, headers) for recipient in recipients
        ]
        self._senders_by_domain[_domain(return_path)].add(headers.sender)
        for letter in letters:
            self._note_letter(letter)
            if faults and len(self._malformed) < MAX_LISTED:
                self._malformed.append(Malformed(headers.message_id, letter.recipient, faults))
        return letters

    def saw_refused(self, provider: str, return_path: str, code: str, recipient: str | None = None) -> None:
        """An answer of 4xx or 5xx. `recipient`, when the answer speaks of that person alone."""
        row = self._rows[provider, f"@{_domain(return_path)}"]
        (row.deferred if code.startswith("4") else row.refused)[code] += 1
        if recipient is None or code.startswith("4"):
            return
        if recipient.lower() in self._refused_for_good:
            self._asked_again.append(recipient.lower())
        self._refused_for_good.add(recipient.lower())

    def saw_filtered(self, provider: str, headers: Headers, code: str, count: int) -> None:
        """A message was refused or deferred after DATA, for `count` recipients."""
        row = self._rows[provider, headers.sender]
        (row.deferred if code.startswith("4") else row.refused)[code] += count

    def saw_misrouted(self, recipient: str) -> None:
        """A recipient was offered to a provider that is not theirs."""
        self._misrouted.append(recipient)

    def saw_opt_out(self, address: str, how: str) -> None:
        """The service has confirmed that it knows: nothing more may come."""
        self._opted_out.setdefault(address, (asyncio.get_running_loop().time(), how))

    def note_if_unwanted(self, address: str, sender: str) -> None:
        """A message has come for `address`."""
        if address in self._opted_out:
            moment, how = self._opted_out[address]
            after = asyncio.get_running_loop().time() - moment
            self._unwanted.append(Unwanted(address, sender, how, after))

    def in_sample(self, letter: Letter) -> bool:
        """Whether this letter's signatures are worth the time to check."""
        if self._dkim_keys is None:
            return False
        count = self.row(letter).taken
        return count <= SAMPLE_FIRST or count % SAMPLE_EVERY == 0

    async def check_signatures(self, letter: Letter) -> None:
        """Count each DKIM signature of `letter` by whether it holds."""
        count = count_signatures(letter.headers)
        if not count:
            self.dkim["unsigned"] += 1
        for index in range(count):
            sound = await asyncio.to_thread(check_signature, letter.content, index, self._dkim_keys or {})
            self.dkim["pass" if sound else "fail"] += 1

    def tally(self, problems: list[str]) -> WorldTally:
        """A copy of everything counted so far."""
        rows: defaultdict[tuple[str, str], MailTally] = defaultdict(MailTally)
        for (provider, sender), row in self._rows.items():
            rows[provider, self._name_of(sender)] += row
        return WorldTally(
            rows=dict(rows),
            sms=deepcopy(self.sms),
            doubles=tuple(self._doubles),
            malformed=tuple(self._malformed),
            after_opt_out=tuple(self._unwanted),
            asked_again=tuple(self._asked_again),
            misrouted=tuple(self._misrouted),
            dkim=Counter(self.dkim),
            notices=Counter(self.notices),
            problems=tuple(problems),
        )

    def _note_letter(self, letter: Letter) -> None:
        key = (letter.headers.message_id, letter.recipient)
        if key in self._seen:
            self._doubles.append(key)
        else:
            self._seen.add(key)
            self.row(letter).taken += 1
        self.note_if_unwanted(letter.recipient, letter.sender)
        if self.letters is not None:
            self.letters.append(letter)

    def _name_of(self, sender: str) -> str:
        """The From address behind "@return-path-domain", where only one sender uses that domain."""
        if not sender.startswith("@"):
            return sender
        known = self._senders_by_domain.get(sender[1:], set())
        return next(iter(known)) if len(known) == 1 else sender


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
