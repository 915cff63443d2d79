"""Everything there is to know of a sender identity's life, gathered once for pages and the terminal."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.dns_records import DnsRecord, domain_of, records_to_publish
from deliverability.health import FindingLevel, HealthFinding
from deliverability.health.proofs import proof_record
from models.health import HealthCheck, IdentityChange, IdentityProof, ProofKind
from models.identity import DkimKey, Identity
from scheduler.lifecycle import is_shown
from scheduler.lookout import findings_of
from scheduler.signing_keys import (
    Rotation,
    RotationStep,
    oldest_since,
    rotation_of,
    step_of,
    withdrawn_record,
)
from store import health, identities

LOOKS = 60


@dataclass(frozen=True, slots=True)
class Dossier:
    """One identity, as of `now`. `looks` and `changes`: the latest first."""

    identity: Identity
    now: datetime
    keys: Sequence[DkimKey]
    proofs: Mapping[ProofKind, IdentityProof]
    looks: Sequence[HealthCheck]
    changes: Sequence[IdentityChange]

    @property
    def findings(self) -> list[HealthFinding]:
        """What the last look found."""
        return findings_of(self.looks[0]) if self.looks else []

    def found(self, *levels: FindingLevel) -> list[HealthFinding]:
        """What the last look found of these levels, in its order."""
        return [each for each in self.findings if each.level in levels]

    @property
    def signing(self) -> list[DkimKey]:
        """The keys that sign."""
        return [key for key in self.keys if key.active_at is not None and key.retired_at is None]

    @property
    def rotation(self) -> Rotation | None:
        """The change of keys under way."""
        return rotation_of(self.keys)

    @property
    def step(self) -> RotationStep | None:
        """What the change of keys waits for now."""
        return None if self.rotation is None else step_of(self.rotation, self.now)

    @property
    def keys_old_since(self) -> datetime | None:
        """Since when the keys sign, when that is so long that they ought to be changed."""
        return oldest_since(self.keys, self.now)

    @property
    def rotation_records(self) -> list[DnsRecord]:
        """What the present step of a change of keys wants published."""
        rotation = self.rotation
        if rotation is None:
            return []
        if self.step in {RotationStep.PUBLISH, RotationStep.WAIT}:
            wanted = records_to_publish(self.identity, rotation.new)
            return wanted[: len(rotation.new)]
        return [withdrawn_record(self.identity, key) for key in rotation.old]

    @property
    def proof_record(self) -> DnsRecord | None:
        """What shows whose domain it is; None before it was asked."""
        proof = self.proofs.get(ProofKind.DNS)
        if proof is None or self.identity.from_email is None:
            return None
        return proof_record(proof.subject, proof.token)

    def is_shown(self, kind: ProofKind) -> bool:
        """Whether the owner has shown that, and it is not gone since."""
        proof = self.proofs.get(kind)
        return is_shown(self.identity, kind, proof) and proof is not None and proof.lost_at is None

    def to_publish(self, required: Collection[ProofKind]) -> list[tuple[DnsRecord, tuple[str, ...]]]:
        """The records that are missing or wrong, each once, with what it takes the place of.

        `required`: the proofs that are asked for.
        """
        wanted: dict[tuple[str, str, str], tuple[DnsRecord, tuple[str, ...]]] = {}
        record = self.proof_record
        if record is not None and ProofKind.DNS in required and not self.is_shown(ProofKind.DNS):
            wanted[record.name, record.type, record.value] = (record, ())
        for found in self.found(FindingLevel.PROBLEM, FindingLevel.WARNING):
            if found.record is not None:
                key = (found.record.name, found.record.type, found.record.value)
                wanted.setdefault(key, (found.record, found.replaces))
        return list(wanted.values())

    @property
    def domain(self) -> str:
        """The domain people see."""
        return domain_of(self.identity.from_email or "")


async def dossier_of(session: AsyncSession, identity: Identity, now: datetime) -> Dossier:
    """What the rows say of an identity; nobody is asked anything."""
    return Dossier(
        identity=identity,
        now=now,
        keys=await identities.all_keys_of(session, identity.id),
        proofs=await health.proofs_of(session, identity.id),
        looks=await health.looks_at(session, identity.id, limit=LOOKS),
        changes=await identities.changes_of(session, identity.id),
    )
