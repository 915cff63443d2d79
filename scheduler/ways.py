"""Which transport takes what: the real one of a channel, or for test messages the one that leads nowhere."""

from collections.abc import Iterator, Mapping

from models.providers import SANDBOXES
from models.states import Channel
from sender import Transport
from sender.rehearsal import Rehearsal


class Ways:
    """The transports of one process."""

    def __init__(self, transports: Mapping[Channel, Transport]) -> None:
        """`transports`: one a channel that this installation sends; the others have none."""
        self._real = transports
        self._rehearsals: dict[Channel, Transport] = {channel: Rehearsal(channel) for channel in Channel}

    def to(self, channel: Channel, provider: str) -> Transport | None:
        """What carries messages of a channel to a provider; None when this installation sends none."""
        return self._rehearsals[channel] if provider in SANDBOXES else self._real.get(channel)

    def allow(self, provider: str, channel: Channel, connections: int | None, messages: int | None) -> None:
        """How many connections may go to a provider, and messages over each; see `Transport.allow`."""
        transport = self.to(channel, provider)
        if transport is not None:
            transport.allow(provider, connections, messages)

    def __iter__(self) -> Iterator[Transport]:
        """Each of them."""
        yield from self._real.values()
        yield from self._rehearsals.values()
