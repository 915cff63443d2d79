"""Asking the name servers that hold a zone themselves, past everybody's memory.

Who has looked for a record before it was there is told for minutes or hours that it is not (RFC 2308): just
after somebody has published one, only the zone's own servers know. They are asked one question at a time, and
where none of them answers (many networks let nobody but their own resolver out), the usual way is taken.
"""

import asyncio
from ipaddress import ip_address

from deliverability.exchangers import AsksTheDns
from deliverability.resolver import Answer, CannotAskError, DnsResolver

MOST_SERVERS = 4
MOST_ALIASES = 8
SILENT_ZONES = 2
"""So many zones whose servers say nothing, and none that does: this network lets no questions out."""
DNS_PORT = 53


class AuthoritativeResolver:
    """Asks the servers of the zone a name stands in; finds them through `usual`. For one look, not for long.

    `anywhere`: servers at addresses that are not of the public internet are asked too.
    """

    def __init__(
        self,
        usual: AsksTheDns,
        *,
        port: int = DNS_PORT,
        timeout_seconds: float = 2.0,
        anywhere: bool = False,
    ) -> None:
        """`timeout_seconds` is for one question to one zone's servers."""
        self._usual = usual
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._anywhere = anywhere
        self._servers: dict[str, asyncio.Task[tuple[str, DnsResolver] | None]] = {}
        self._silent: set[str] = set()
        self._heard = False

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer of the zone's own servers, aliases followed; CannotAskError when nobody answers."""
        for _ in range(MOST_ALIASES):
            try:
                answer, alias = await self._ask_zone(name, kind)
            except CannotAskError:
                return await self._usual.ask(name, kind)
            if not alias:
                return answer
            name = alias
        raise CannotAskError(f"{name} is an alias of too many names.")

    async def records(self, name: str, kind: str) -> list[str]:
        """The values of `name`; see `ask`."""
        return list((await self.ask(name, kind)).values)

    async def _ask_zone(self, name: str, kind: str) -> tuple[Answer, str]:
        """What the zone says, and the alias it says instead, "" for none."""
        found = await self._servers_of(name)
        if found is None or found[0] in self._silent or self._is_shut_in:
            raise CannotAskError(f"No name server of {name} can be asked.")
        zone, servers = found
        try:
            answer = await servers.ask(name, kind)
        except CannotAskError:
            self._silent.add(zone)
            raise
        self._heard = True
        if answer.values or not answer.exists or kind == "CNAME":
            return answer, ""
        aliases = (await servers.ask(name, "CNAME")).values
        return answer, aliases[0].rstrip(".").lower() if aliases else ""

    @property
    def _is_shut_in(self) -> bool:
        return not self._heard and len(self._silent) >= SILENT_ZONES

    async def _servers_of(self, name: str) -> tuple[str, DnsResolver] | None:
        """The nearest zone upwards and its servers, None where there are none."""
        labels = name.rstrip(".").lower().split(".")
        for start in range(max(1, len(labels) - 1)):
            zone = ".".join(labels[start:])
            if zone not in self._servers:
                self._servers[zone] = asyncio.create_task(self._find(zone))
            found = await asyncio.shield(self._servers[zone])
            if found is not None:
                return found
        return None

    async def _find(self, zone: str) -> tuple[str, DnsResolver] | None:
        try:
            names = (await self._usual.ask(zone, "NS")).values
            answers = await asyncio.gather(
                *(
                    self._usual.ask(each.rstrip("."), kind)
                    for each in names[:MOST_SERVERS]
                    for kind in ("A", "AAAA")
                )
            )
        except CannotAskError:
            return None
        addresses = [value for answer in answers for value in answer.values]
        allowed = [each for each in addresses if self._anywhere or ip_address(each).is_global]
        if not allowed:
            return None
        servers = DnsResolver(allowed[: 2 * MOST_SERVERS], self._port, timeout_seconds=self._timeout_seconds)
        return zone, servers
