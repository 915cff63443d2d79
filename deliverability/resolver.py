"""The one door to the DNS: questions asked of name servers, answers as plain values.

Nothing goes out by itself: a resolver is made where the parts are chosen, and handed in, so that a test
or a rehearsal brings its own or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from dns import _features

# Nobody is asked over HTTPS: two HTTP clients less in memory, five megabytes of every process.
_features.force("doh", enabled=False)

import dns.asyncresolver  # noqa: E402
import dns.exception  # noqa: E402
import dns.rdatatype  # noqa: E402
import dns.resolver  # noqa: E402

from models.errors import TocsinError  # noqa: E402

TIMEOUT_SECONDS = 5.0


class CannotAskError(TocsinError):
    """No name server answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says of a name: texts joined, MX as "10 host" ("0 " for the null MX of RFC 7505).

    `exists`: the name is there, perhaps without such records. `ttl` is zero where nothing was found.
    """

    values: tuple[str, ...]
    exists: bool
    ttl: timedelta = timedelta(0)


class Resolver(Protocol):
    """Asks the DNS."""

    async def records(self, name: str, kind: str) -> list[str]:
        """The values of `name`, texts joined, MX as "10 host"; empty when there are none.

        Raises CannotAskError when no answer came.
        """
        ...


class DnsResolver:
    """The DNS itself, through `nameservers` or those of the machine."""

    def __init__(
        self, nameservers: Sequence[str] = (), port: int = 53, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """`timeout_seconds` is for one question, with all its repetitions."""
        self._nameservers = list(nameservers)
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._made: dns.asyncresolver.Resolver | None = None

    async def records(self, name: str, kind: str) -> list[str]:
        """The values of `name`; CannotAskError when no answer came in time."""
        return list((await self.ask(name, kind)).values)

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer with its lifetime; CannotAskError when none came in time."""
        try:
            answer = await self._resolver().resolve(name, kind)
        except dns.resolver.NXDOMAIN:
            return Answer((), exists=False)
        except dns.resolver.NoAnswer:
            return Answer((), exists=True)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise CannotAskError(str(error)) from error
        values = tuple(_value(record, kind) for record in answer)
        ttl = 0 if answer.rrset is None else answer.rrset.ttl
        return Answer(values, exists=True, ttl=timedelta(seconds=ttl))

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._made is None:
            try:
                self._made = dns.asyncresolver.Resolver(configure=not self._nameservers)
            except (dns.exception.DNSException, OSError) as error:
                raise CannotAskError(str(error)) from error
            if self._nameservers:
                self._made.nameservers = list(self._nameservers)
                self._made.port = self._port
            self._made.lifetime = self._timeout_seconds
        return self._made


def _value(record: object, kind: str) -> str:
    if kind == "TXT":
        parts: tuple[bytes, ...] = getattr(record, "strings", ())
        return b"".join(parts).decode("utf-8", "replace")
    if kind == "MX":
        exchange = str(getattr(record, "exchange", ".")).rstrip(".").lower()
        return f"{getattr(record, 'preference', 0)} {exchange}"
    return str(record)
