"""Whether our addresses and domains are on block lists: asked seldom, kept in between, told as findings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deliverability.dns_records import domain_of
from deliverability.exchangers import AsksTheDns
from deliverability.health.blocklists import Answer, Blocklist, ask_blocklists, blocklists, judge
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding
from deliverability.health.grammar import registered_domain
from deliverability.health.inquiry import plain_name
from deliverability.health.setup import Limits, SendingSetup
from models.health import Listing
from models.identity import Identity
from store import Database, listings

LIFE = timedelta(hours=12)
LIFE_OF_A_FAILURE = timedelta(hours=1)
LIMITS = Limits(time=timedelta(seconds=15), questions=100, at_once=4)


@dataclass(frozen=True, slots=True)
class BlocklistDesk:
    """Asks the lists of `zones`, through a resolver that they answer."""

    database: Database
    resolver: AsksTheDns
    zones: tuple[str, ...]

    async def look(self, subjects: Sequence[str], now: datetime) -> list[HealthFinding]:
        """What the lists say of addresses and domains; asks only what is not known freshly."""
        wanted = list(self._pairs(subjects))
        if not wanted:
            return []
        async with self.database.read() as session:
            kept = await listings.fresh_listings(session, subjects, self.zones, now)
        known = {(each.zone, each.subject): each for each in kept}
        missing = [(each, subject) for each, subject in wanted if (each.zone, subject) not in known]
        # The lists are asked with nothing open in the database.
        answers = await ask_blocklists(missing, self.resolver, LIMITS)
        new = [_row(answer, now) for answer in answers]
        async with self.database.write() as session:
            await listings.keep_listings(session, new)
        return findings_of([*kept, *new])

    def _pairs(self, subjects: Sequence[str]) -> Iterable[tuple[Blocklist, str]]:
        for zone in self.zones:
            blocklist = blocklists().get(zone)
            if blocklist is not None:
                yield from ((blocklist, each) for each in subjects if blocklist.knows(each))


def subjects_of(identity: Identity, setup: SendingSetup) -> tuple[str, ...]:
    """What lists can be asked about an identity: where its mail leaves, the domains it shows and links to."""
    names = [identity.dkim_domain, identity.return_path_domain, setup.link_host]
    if identity.from_email is not None:
        names.append(domain_of(identity.from_email))
    domains = {registered_domain(plain_name(name)) for name in names if name}
    return (*setup.sending_ips, *sorted(domains))


def findings_of(rows: Sequence[Listing]) -> list[HealthFinding]:
    """Each listing, each list that did not answer, and one finding when nothing is listed."""
    known = [(blocklists()[row.zone], row) for row in rows if row.zone in blocklists()]
    found = [_listed(blocklist, row) for blocklist, row in known if row.listed]
    for blocklist in {each.zone: each for each, row in known if row.problem}.values():
        about = [row for _, row in known if row.zone == blocklist.zone and row.problem]
        values = {
            "list": blocklist.name,
            "subject": ", ".join(sorted(row.subject for row in about)),
            "why": about[0].problem,
        }
        found.append(HealthFinding(HealthCode.BLOCKLIST_UNKNOWN, FindingLevel.UNKNOWN, values))
    clear = [(blocklist, row) for blocklist, row in known if not row.listed and not row.problem]
    if clear:
        values = {
            "subjects": ", ".join(sorted({row.subject for _, row in clear})),
            "lists": ", ".join(sorted({blocklist.name for blocklist, _ in clear})),
        }
        found.append(HealthFinding(HealthCode.BLOCKLIST_CLEAR, FindingLevel.FINE, values))
    return found


def _listed(blocklist: Blocklist, row: Listing) -> HealthFinding:
    values = {
        "list": blocklist.name,
        "subject": row.subject,
        "answer": row.answer,
        "meaning": judge(blocklist, row.subject, [row.answer]).meaning,
        "delist": blocklist.delist,
    }
    return HealthFinding(HealthCode.BLOCKLIST_LISTED, blocklist.level, values)


def _row(answer: Answer, now: datetime) -> Listing:
    return Listing(
        zone=answer.zone,
        subject=answer.subject,
        listed=answer.listed,
        answer=answer.answer,
        asked_at=now,
        fresh_until=now + (LIFE_OF_A_FAILURE if answer.problem else LIFE),
        problem=answer.problem,
    )
