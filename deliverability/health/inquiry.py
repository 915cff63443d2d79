"""The questions of one look: each asked once, and all of them within limits, whatever the zones say.

A zone may name a thousand others (RFC 7208 section 11.1 tells how that hurts third parties): after so many
questions, or so much time, the rest counts as not answered, and the look says that it was cut short.
"""

import asyncio
import ipaddress
from dataclasses import dataclass

from deliverability.exchangers import AsksTheDns
from deliverability.health.setup import Limits
from deliverability.resolver import Answer, CannotAskError

MOST_VALUES = 100
"""Records of one name that are read; nobody in earnest has more."""
NO_SUCH_NAME = Answer((), exists=False)
ADDRESS_KINDS = ("A", "AAAA")


class CutShortError(CannotAskError):
    """The look has asked, or waited, as much as it may."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question nobody answered, and what came instead."""

    name: str
    kind: str
    why: str


class Inquiry:
    """Asks through a resolver, remembers answers; to be used within one running event loop, for one look."""

    def __init__(self, resolver: AsksTheDns, limits: Limits) -> None:
        """The clock of `limits.time` starts now."""
        self._resolver = resolver
        self._limits = limits
        self._deadline = asyncio.get_running_loop().time() + limits.time.total_seconds()
        self._turns = asyncio.Semaphore(limits.at_once)
        self._asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self.answered = 0
        self.cut_short = False

    @property
    def asked(self) -> int:
        """How many questions went out."""
        return len(self._asked)

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer; CannotAskError when none came, CutShortError when the look has gone far enough.

        A name that cannot be one in the DNS does not exist, and nobody is asked.
        """
        name = name.rstrip(".").lower()
        if not is_name(name):
            return NO_SUCH_NAME
        key = (name, kind)
        if key not in self._asked:
            if len(self._asked) >= self._limits.questions:
                self.cut_short = True
                raise CutShortError(f"More than {self._limits.questions} questions were needed.")
            self._asked[key] = asyncio.create_task(self._put(name, kind))
        return await asyncio.shield(self._asked[key])

    async def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records of a name, the strings of each joined without blanks."""
        return (await self.ask(name, "TXT")).values

    async def addresses(self, name: str) -> tuple[str, ...]:
        """The IPv4 and IPv6 addresses of a name."""
        answers = await asyncio.gather(*(self.ask(name, kind) for kind in ADDRESS_KINDS))
        return tuple(value for answer in answers for value in answer.values)

    async def zone_of(self, name: str) -> str:
        """The zone a name stands in: the nearest name upwards with an SOA, "" where there is none.

        A name of one label is a registry's, and nobody's own.
        """
        labels = name.split(".")
        for start in range(max(0, len(labels) - 1)):
            parent = ".".join(labels[start:])
            if (await self.ask(parent, "SOA")).values:
                return parent
        return ""

    async def close(self) -> None:
        """Nothing is asked any more, and nothing is left running."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _put(self, name: str, kind: str) -> Answer:
        try:
            async with asyncio.timeout_at(self._deadline), self._turns:
                answer = await self._resolver.ask(name, kind)
        except TimeoutError as error:
            self.cut_short = True
            raise CutShortError("The look took too long.") from error
        self.answered += 1
        # Name servers turn records round; two looks at the same records should say the same.
        values = tuple(sorted(_tidy(value, kind) for value in answer.values[:MOST_VALUES]))
        return Answer(values, exists=answer.exists, ttl=answer.ttl)


def plain_name(text: str) -> str:
    """A domain as the DNS has it: lower case, letters beyond ASCII in their IDNA form (RFC 3490)."""
    name = text.strip().rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def is_name(text: str) -> bool:
    """Whether a text can be asked of the DNS at all (RFC 1035 section 2.3.4)."""
    if not text or len(text) > 253 or any(letter.isspace() for letter in text):
        return False
    try:
        labels = text.encode("idna" if not text.isascii() else "ascii").decode().split(".")
    except UnicodeError:
        return False
    return all(0 < len(label) <= 63 for label in labels)


def is_host_name(text: str) -> bool:
    """Whether a text is a full host name, of two labels or more, and not an address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return is_name(text) and "." in text.strip(".")
    return False


def _tidy(value: str, kind: str) -> str:
    """Names without their final dot, in lower case; texts as they are."""
    return value.rstrip(".").lower() if kind in {"PTR", "CNAME", "NS"} else value
