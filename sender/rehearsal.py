"""Takes messages to nowhere and answers as the address says: what test keys and magic addresses get.

Everything before the wire has been gone through; here the answer is made up. An address that is nobody's
(`models.magic`) always gets the same one, everybody else's takes the message.
"""

import asyncio
from collections import deque

from models.errors import TocsinError
from models.magic import Magic, magic_of
from models.states import Channel
from models.values import Accepted, Deferred, EmailEnvelope, Envelope, Outcome, Refused, Reply, Uncertain
from sender.transport import Parcel, send_one

TAKEN = Accepted(Reply(250, "2.0.0", "taken by the sandbox, which delivers to nobody"))
UNKNOWN = Refused(Reply(550, "5.1.1", "sandbox: there is no such mailbox"))
LATER = Deferred(Reply(451, "4.7.1", "sandbox: greylisted, try again later"))
DROPPED = Uncertain(Reply(None, None, "sandbox: the line dropped before the answer"))
_MOST_DEFERRED = 10_000


class Rehearsal:
    """A transport of one channel that leads nowhere."""

    def __init__(self, channel: Channel) -> None:
        """It is always there."""
        self._channel = channel
        self._deferred: deque[str] = deque(maxlen=_MOST_DEFERRED)
        self._waiting: deque[Parcel] = deque()
        self._work: asyncio.Task[None] | None = None

    @property
    def channel(self) -> Channel:
        """What kind of envelope it takes."""
        return self._channel

    def route(self, provider: str) -> str:
        """One way for all, and no other transport's: what happens here says nothing of theirs."""
        del provider
        return "sandbox"

    def offer(self, parcel: Parcel) -> None:
        """Queue a parcel; its answer comes at the loop's next turn."""
        self._waiting.append(parcel)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._answer_all())

    def withdraw(self) -> None:
        """Give back whatever is still queued."""
        while self._waiting:
            self._waiting.popleft().done(None)

    def allow(self, provider: str, connections: int | None, messages: int | None = None) -> None:
        """There are no connections to limit."""

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """One envelope, awaited."""
        return await send_one(self, envelope, provider)

    async def check(self) -> str:
        """Nothing is needed."""
        return "the sandbox, which delivers to nobody"

    async def close(self) -> None:
        """Answer what is queued."""
        if self._work is not None:
            await self._work

    async def _answer_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)
            if not self._waiting:
                return  # withdrawn meanwhile
            parcel = self._waiting.popleft()
            if not parcel.is_wanted():
                parcel.done(None)
                continue
            parcel.done(self._answer(parcel))

    def _answer(self, parcel: Parcel) -> Outcome:
        try:
            parcel.on_wire()
        except TocsinError as error:
            return Deferred(Reply(None, None, str(error)), unreached=True)
        recipient = parcel.envelope.recipient
        # Each message is put off once, not each address.
        this = f"{recipient} {_own_mark(parcel.envelope)}"
        match magic_of(self._channel, recipient):
            case Magic.BOUNCED:
                return UNKNOWN
            case Magic.UNCERTAIN:
                return DROPPED
            case Magic.DEFERRED if this not in self._deferred:
                self._deferred.append(this)
                return LATER
            case _:
                return TAKEN


def _own_mark(envelope: Envelope) -> str:
    """What tells two messages to one address apart, in every try the same."""
    return envelope.return_path if isinstance(envelope, EmailEnvelope) else envelope.status_callback or ""
