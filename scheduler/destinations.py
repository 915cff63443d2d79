"""Which mailbox provider each domain's mail goes to, so that limits are kept per provider and not per name.

Found by mail exchangers, once a domain for all workers (`store.mail_domains`), never inside a
transaction. Without a resolver (`use_resolver`, where the parts are put together) nothing is asked: what
was found earlier and the table of providers decide.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.exchangers import AsksTheDns, Destination, can_be_asked, find_destination
from models.clock import Clock
from models.pace import MailDomain
from models.providers import OTHER, provider_of
from store import Database, mail_domains

log = logging.getLogger(__name__)

AT_ONCE = 50
BUDGET = timedelta(seconds=60)
"""How long a launch waits for name servers; who is not found by then goes to the bucket of the unlisted."""
ASKED_A_ROUND = 1000


class _InForce:
    """Whom this process asks."""

    resolver: AsksTheDns | None = None


def use_resolver(resolver: AsksTheDns | None) -> None:
    """Ask this resolver from now on; None: nobody."""
    _InForce.resolver = resolver


async def providers_for(
    database: Database,
    domains: Collection[str],
    clock: Clock,
    resolver: AsksTheDns | None = None,
    *,
    budget: timedelta = BUDGET,
) -> dict[str, str]:
    """The provider's key for each of `domains` (the part after the @, any case).

    `resolver`: another than the one in use. Open no transaction around it: it may wait for name servers,
    `budget` at most.
    """
    resolver = resolver or _InForce.resolver
    found = {domain: provider_of(domain) for domain in domains}
    wanted = {domain.lower() for domain, provider in found.items() if provider == OTHER}
    wanted = {domain for domain in wanted if can_be_asked(domain)}
    if not wanted:
        return found
    now = clock.now()
    async with database.read() as session:
        rows = await mail_domains.known(session, wanted)
    providers = {domain: row.provider for domain, row in rows.items()}
    if resolver is not None:
        stale = sorted(domain for domain in wanted if domain not in rows or rows[domain].expires_at <= now)
        providers |= await _look_up(database, stale, resolver, now, budget, known=rows)
    return {domain: providers.get(domain.lower(), provider) for domain, provider in found.items()}


async def providers_as_known(session: AsyncSession, domains: Collection[str]) -> dict[str, str]:
    """The provider's key for each of `domains` by what was looked up before; nobody is asked."""
    found = {domain: provider_of(domain) for domain in domains}
    rows = await mail_domains.known(session, [domain for domain, key in found.items() if key == OTHER])
    return found | {domain: row.provider for domain, row in rows.items()}


async def _look_up(
    database: Database,
    domains: list[str],
    resolver: AsksTheDns,
    now: datetime,
    budget: timedelta,
    *,
    known: dict[str, MailDomain],
) -> dict[str, str]:
    """Ask about every domain, some at once, and keep what was found round by round."""
    providers: dict[str, str] = {}
    ends_at = asyncio.get_running_loop().time() + budget.total_seconds()
    for start in range(0, len(domains), ASKED_A_ROUND):
        seconds = ends_at - asyncio.get_running_loop().time()
        if seconds <= 0:
            log.warning("domains not looked up in time", extra={"domains": len(domains) - start})
            break
        found = await _ask_all(domains[start : start + ASKED_A_ROUND], resolver, seconds)
        for domain, destination in found.items():
            # Where nobody answers, what was known goes on holding.
            if destination.found or domain not in known:
                providers[domain] = destination.provider
        async with database.write() as session:
            await mail_domains.remember(session, _rows(found.items(), known, now))
    return providers


async def _ask_all(domains: list[str], resolver: AsksTheDns, seconds: float) -> dict[str, Destination]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(domain: str) -> Destination:
        async with gate:
            return await find_destination(domain, resolver)

    tasks = {asyncio.create_task(ask(domain)): domain for domain in domains}
    done, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    if late:
        log.warning("domains not looked up in time", extra={"domains": len(late)})
    return {tasks[task]: task.result() for task in done}


def _rows(
    found: Iterable[tuple[str, Destination]], known: dict[str, MailDomain], now: datetime
) -> list[MailDomain]:
    rows = []
    for domain, destination in found:
        before = known.get(domain)
        keep = before is not None and not destination.found
        rows.append(
            MailDomain(
                domain=domain,
                provider=before.provider if before is not None and keep else destination.provider,
                exchangers=before.exchangers if before is not None and keep else list(destination.exchangers),
                problem=destination.problem,
                looked_up_at=now,
                expires_at=now + destination.life,
            )
        )
    return rows
