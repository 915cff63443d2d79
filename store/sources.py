"""Who sends in a domain's name, by address, as receivers report it: ourselves, others we allowed, strangers.

Nothing is looked up for it. That a mail was signed with one of our keys, or came by a return path of ours
from an address its SPF record allows, the receiver itself has found out.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.authentication import DmarcReport, DmarcRow
from models.identity import DkimKey, Identity
from models.mail_services import service_of

FORWARDING = ("forwarded", "trusted_forwarder", "mailing_list")
"""Overrides of receivers that say: it was ours, and somebody passed it on."""
PASS = "pass"  # noqa: S105 - a result


class SenderKind(StrEnum):
    """Who an address is, by the best that is known of it.

    OURS: our key or return path. ALLOWED: passes all the same, by a record of the domain. FORWARDER: passes
    our mail on. SERVICE: a mail service that does not sign for the domain. STRANGER: nothing speaks for it.
    """

    OURS = "ours"
    ALLOWED = "allowed"
    FORWARDER = "forwarder"
    SERVICE = "service"
    STRANGER = "stranger"


RANK = {kind: place for place, kind in enumerate(SenderKind)}


@dataclass(frozen=True, slots=True)
class SourceRate:
    """Mails from one address. `dkim`, `spf`: those that passed and were aligned; `passed`: either.

    `names`: services and domains that signed; `reporters`: who told; `stopped`: quarantined or rejected.
    """

    source_ip: str
    names: tuple[str, ...]
    messages: int
    passed: int
    dkim: int
    spf: int
    kind: SenderKind
    stopped: int = 0
    reporters: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    last_at: datetime | None = None

    @property
    def known(self) -> bool:
        """Whether it is ourselves, or somebody the domain's owner allowed, or our mail passed on."""
        return self.kind in {SenderKind.OURS, SenderKind.ALLOWED, SenderKind.FORWARDER}

    @property
    def failed(self) -> int:
        """Mails that passed neither."""
        return self.messages - self.passed


@dataclass(slots=True)
class _Sum:
    kind: SenderKind = SenderKind.STRANGER
    messages: int = 0
    passed: int = 0
    dkim: int = 0
    spf: int = 0
    stopped: int = 0
    names: Counter[str] = field(default_factory=Counter)
    reporters: Counter[str] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Own:
    """What proves that a mail is ours."""

    keys: frozenset[tuple[str, str]]
    return_paths: frozenset[str]
    addresses: frozenset[str]


async def pass_rates(
    session: AsyncSession, domain: str, since: datetime, *, addresses: Collection[str] = ()
) -> list[SourceRate]:
    """The sources of a domain's mail, most mails first; `addresses`: those we send from, where known.

    Served by ix_dmarc_report_domain_begins_at and ix_dmarc_row_report_id.
    """
    row = DmarcRow
    names = [
        *(row.source_ip, row.dkim, row.spf, row.disposition, row.header_from, row.override),
        *(row.dkim_domain, row.dkim_selector, row.dkim_result, row.spf_domain, row.spf_result),
        DmarcReport.org,
    ]
    wanted: Any = (
        sa.select(*(col(name) for name in names), sa.func.sum(row.messages), sa.func.max(DmarcReport.ends_at))
        .join(DmarcReport, col(DmarcReport.id) == row.report_id)
        .where(col(DmarcReport.begins_at) >= since, about(domain))
        .group_by(*(col(name) for name in names))
    )
    own = await _own(session, frozenset(addresses))
    sums: dict[str, _Sum] = {}
    for found in (await (await session.connection()).execute(wanted)).all():
        _add(sums.setdefault(found[0], _Sum()), found, own)
    rates = [_rate(source, total) for source, total in sums.items()]
    return sorted(rates, key=lambda one: (-one.messages, one.source_ip))


async def own_rate(session: AsyncSession, domain: str, since: datetime) -> tuple[int, int]:
    """Mails from sources that are ours or allowed, as `pass_rates` tells them, and those of them that passed.

    Added up by the database: reports have thousands of rows, and a verdict asks for nothing else of them.
    Served by ix_dmarc_report_domain_begins_at and ix_dmarc_row_report_id.
    """
    row = DmarcRow
    own = await _own(session, frozenset())
    passed = sa.or_(col(row.dkim), col(row.spf))
    signed = sa.and_(
        col(row.dkim_result) == PASS,
        sa.tuple_(col(row.dkim_domain), col(row.dkim_selector)).in_(sorted(own.keys)),
    )
    sent = sa.and_(col(row.spf_result) == PASS, col(row.spf_domain).in_(sorted(own.return_paths)))
    by_source = (
        sa.select(
            sa.func.sum(row.messages).label("messages"),
            sa.func.sum(sa.case((passed, row.messages), else_=0)).label("passed"),
        )
        .join(DmarcReport, col(DmarcReport.id) == row.report_id)
        .where(col(DmarcReport.begins_at) >= since, about(domain))
        .group_by(col(row.source_ip))
        .having(sa.func.max(sa.case((sa.or_(passed, signed, sent), 1), else_=0)) == 1)
        .subquery()
    )
    wanted = sa.select(sa.func.sum(by_source.c.messages), sa.func.sum(by_source.c.passed))
    messages, good = (await (await session.connection()).execute(wanted)).one()
    return int(messages or 0), int(good or 0)


def _add(total: _Sum, found: Any, own: _Own) -> None:
    source, dkim, spf, disposition, sender, override, *results, org, messages, last_at = found
    signer, selector, signed, mail_domain, sent = results
    kind = SenderKind.STRANGER
    if (
        source in own.addresses
        or (signed == PASS and (signer, selector) in own.keys)
        or (sent == PASS and mail_domain in own.return_paths)
    ):
        kind = SenderKind.OURS
    elif dkim or spf:
        kind = SenderKind.ALLOWED
    elif any(word in override for word in FORWARDING):
        kind = SenderKind.FORWARDER
    elif signed == PASS and service_of(signer):
        kind = SenderKind.SERVICE
    total.kind = min(total.kind, kind, key=RANK.__getitem__)
    total.messages += messages
    total.dkim += messages * dkim
    total.spf += messages * spf
    total.passed += messages * (dkim or spf)
    total.stopped += messages * (disposition in {"quarantine", "reject"})
    if signed == PASS and signer:
        total.names[service_of(signer) or signer] += messages
    total.reporters[org] += messages
    total.senders[sender] += messages
    total.last_at = max(total.last_at or last_at, last_at)


def _rate(source: str, total: _Sum) -> SourceRate:
    return SourceRate(
        source_ip=source,
        names=tuple(name for name, _ in total.names.most_common(5)),
        messages=total.messages,
        passed=total.passed,
        dkim=total.dkim,
        spf=total.spf,
        kind=total.kind,
        stopped=total.stopped,
        reporters=tuple(name for name, _ in total.reporters.most_common(5)),
        senders=tuple(name for name, _ in total.senders.most_common(5) if name),
        last_at=total.last_at,
    )


def about(domain: str) -> sa.ColumnElement[bool]:
    """Rows of reports about a domain: its own, and mail of it in those of the domains above."""
    labels = domain.split(".")
    above = [".".join(labels[start:]) for start in range(1, len(labels) - 1)]
    own = col(DmarcReport.domain) == domain
    if not above:
        return own
    sender = col(DmarcRow.header_from)
    below = sa.or_(sender == domain, sender.endswith(f".{domain}", autoescape=True))
    return sa.and_(col(DmarcReport.domain).in_([domain, *above]), sa.or_(own, below))


async def _own(session: AsyncSession, addresses: frozenset[str]) -> _Own:
    """By the primary keys: there are few identities."""
    senders = (await session.exec(select(Identity).where(col(Identity.from_email).is_not(None)))).all()
    keys = (await session.exec(select(DkimKey.identity_id, DkimKey.selector))).all()
    signs = {one.id: one.dkim_domain or (one.from_email or "").rpartition("@")[2] for one in senders}
    return _Own(
        frozenset((signs[number].lower(), selector.lower()) for number, selector in keys if number in signs),
        frozenset((one.return_path_domain or signs[one.id]).lower() for one in senders),
        addresses,
    )
