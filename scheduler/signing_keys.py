"""The DKIM keys of an identity, and how new ones take over without a mail that fails on its way.

New keys are published under names of their own, seen in the DNS, and only then sign. The old ones stay
published for a week more, because mail under way, or read late, is still checked against them; then their
records are withdrawn (an empty `p=`, RFC 6376 section 3.6.1) and their private halves forgotten. Where a
rotation stands is read off its keys: a crash between two steps leaves the one or the other.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.dns_records import DnsRecord, domain_of
from deliverability.exchangers import AsksTheDns
from deliverability.resolver import CannotAskError
from models.errors import ConflictError
from models.identity import DkimKey, Identity
from models.keyring import Keyring
from models.signing import DkimAlgorithm
from sender.dkim import make_key
from store import identities

SELECTORS: Mapping[DkimAlgorithm, str] = MappingProxyType(
    {DkimAlgorithm.RSA: "tocsin-rsa", DkimAlgorithm.ED25519: "tocsin-ed"}
)
SEEN_FOR = timedelta(hours=1)
"""How long new records are seen before they are relied on: not every name server has them at once."""
KEPT = timedelta(days=7)
"""How long the old records stay published."""
OLD = timedelta(days=182)
"""After how long a key is to be replaced (M3AAWG: every six months, and when people leave)."""
KEY_TYPE = MappingProxyType({DkimAlgorithm.RSA: "rsa", DkimAlgorithm.ED25519: "ed25519"})


class RotationStep(StrEnum):
    """What comes next.

    PUBLISH the new records, WAIT until they have been seen long enough, KEEP the old ones for mail under way,
    REVOKE them.
    """

    PUBLISH = "publish"
    WAIT = "wait"
    KEEP = "keep"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of keys under way. `since`: when its step began; `until`: when the next comes by itself."""

    step: RotationStep
    new: tuple[DkimKey, ...]
    old: tuple[DkimKey, ...]
    since: datetime
    until: datetime | None = None


def rotation_of(keys: Sequence[DkimKey]) -> Rotation | None:
    """Where the change of keys stands, of all keys of an identity; None when none is under way."""
    new = tuple(key for key in keys if key.active_at is None and key.revoked_at is None)
    signing = tuple(key for key in keys if key.active_at is not None and key.retired_at is None)
    old = tuple(key for key in keys if key.retired_at is not None and key.revoked_at is None)
    if new:
        seen = [key.verified_at for key in new]
        if None in seen:
            return Rotation(RotationStep.PUBLISH, new, signing, min(key.created_at for key in new))
        since = max(moment for moment in seen if moment is not None)
        return Rotation(RotationStep.WAIT, new, signing, since, since + SEEN_FOR)
    if old:
        retired = max(key.retired_at for key in old if key.retired_at is not None)
        return Rotation(RotationStep.KEEP, signing, old, retired, retired + KEPT)
    return None


def step_of(rotation: Rotation, now: datetime) -> RotationStep:
    """What is to be done at this moment: KEEP becomes REVOKE when the week is over."""
    if rotation.step is RotationStep.KEEP and rotation.until is not None and now >= rotation.until:
        return RotationStep.REVOKE
    return rotation.step


def oldest_since(keys: Sequence[DkimKey], now: datetime) -> datetime | None:
    """Since when the oldest key signs that ought to have been replaced by now; None when there is none."""
    signing = [key.active_at for key in keys if key.active_at is not None and key.retired_at is None]
    return min(signing) if signing and now - min(signing) >= OLD else None


async def make_keys(keyring: Keyring, now: datetime, *, taken: Collection[str] = ()) -> list[DkimKey]:
    """One key of each kind, the private halves sealed; not yet of any identity, nor signing.

    `taken`: selectors that were used before; a new key never stands under an old one's name.
    """
    keys = []
    for algorithm, selector in SELECTORS.items():
        made = await asyncio.to_thread(make_key, algorithm)
        keys.append(
            DkimKey(
                selector=_free_selector(selector, now, taken),
                algorithm=algorithm,
                sealed_private_pem=keyring.encrypt(made.private_pem),
                public_base64=made.public_base64,
                created_at=now,
            )
        )
    return keys


def _free_selector(base: str, now: datetime, taken: Collection[str]) -> str:
    if base not in taken:
        return base
    dated = f"{base}-{now:%Y%m%d}"
    return next(name for number in range(len(taken) + 2) if (name := _numbered(dated, number)) not in taken)


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number + 1}" if number else name


async def begin_rotation(
    session: AsyncSession, identity: Identity, keyring: Keyring, now: datetime
) -> list[DkimKey]:
    """Make the keys that are to follow; ConflictError while a change is under way, or without an address."""
    keys = await identities.all_keys_of(session, identity.id)
    if identity.from_email is None:
        raise ConflictError(f"The identity {identity.key!r} sends no e-mail, so it has no keys.")
    under_way = rotation_of(keys)
    if under_way is not None:
        raise ConflictError(
            f"The keys of {identity.key!r} are being changed already.",
            "Withdraw the old records first."
            if under_way.step is RotationStep.KEEP
            else "Publish the new records, or cancel the change.",
        )
    made = await make_keys(keyring, now, taken={key.selector for key in keys})
    for key in made:
        key.identity_id = identity.id
        session.add(key)
    await session.flush()
    return made


async def cancel_rotation(session: AsyncSession, identity: Identity) -> int:
    """Forget keys that have not signed yet; how many. ConflictError once they sign."""
    rotation = rotation_of(await identities.all_keys_of(session, identity.id))
    if rotation is None or rotation.step is RotationStep.KEEP:
        raise ConflictError(
            f"No change of the keys of {identity.key!r} can be cancelled.",
            "There is none under way." if rotation is None else "The new keys sign already.",
        )
    for key in rotation.new:
        await session.delete(key)
    await session.flush()
    return len(rotation.new)


async def switch(session: AsyncSession, identity: Identity, now: datetime) -> None:
    """Sign with the new keys from now on; ConflictError unless all of them were seen in the DNS."""
    rotation = rotation_of(await identities.all_keys_of(session, identity.id))
    if rotation is None or rotation.step is not RotationStep.WAIT:
        raise ConflictError(
            f"The new keys of {identity.key!r} were not all seen in the DNS.",
            "Publish their records, then look again.",
        )
    for key in rotation.old:
        key.retired_at = now
        session.add(key)
    for key in rotation.new:
        key.active_at = now
        session.add(key)
    await session.flush()


@dataclass(frozen=True, slots=True)
class Published:
    """What the DNS says of a key's name: `ours` is there, or it is `withdrawn`; None: nobody could say."""

    ours: bool | None
    withdrawn: bool | None


async def look_for_key(resolver: AsksTheDns, domain: str, key: DkimKey) -> Published:
    """Ask for the record of a key. Withdrawn: an empty `p=`, or no key there any more."""
    try:
        answer = await resolver.ask(f"{key.selector}._domainkey.{domain}", "TXT")
    except (CannotAskError, TimeoutError):
        return Published(None, None)
    published = [value for text in answer.values if (value := _public_part(text)) is not None]
    ours = "".join(key.public_base64.split())
    return Published(ours in published, not any(published))


def _public_part(text: str) -> str | None:
    """The value of `p=` (RFC 6376 section 3.6.1), "" for a withdrawn key; None without one."""
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals and name.strip().lower() == "p":
            return "".join(value.split())
    return None


async def advance(
    session: AsyncSession, identity: Identity, seen: Mapping[int, Published], now: datetime
) -> RotationStep | None:
    """Go on with a change of keys by what a look saw, by key number; the step it led to, None for none."""
    keys = await identities.all_keys_of(session, identity.id)
    rotation = rotation_of(keys)
    if rotation is None:
        return None
    before = step_of(rotation, now)
    match before:
        case RotationStep.PUBLISH | RotationStep.WAIT:
            for key in rotation.new:
                _note_published(key, seen.get(key.id), now)
                session.add(key)
            again = rotation_of(keys)
            if again is not None and again.until is not None and now >= again.until:
                await switch(session, identity, now)
        case RotationStep.REVOKE:
            for key in rotation.old:
                found = seen.get(key.id)
                if found is not None and found.withdrawn:
                    # Nobody can be made to believe it any more: nor need we keep it.
                    key.revoked_at, key.sealed_private_pem = now, ""
                    session.add(key)
        case RotationStep.KEEP:
            return None
    await session.flush()
    after = rotation_of(await identities.all_keys_of(session, identity.id))
    return None if after is None or step_of(after, now) is before else step_of(after, now)


def _note_published(key: DkimKey, found: Published | None, now: datetime) -> None:
    if found is None or found.ours is None:
        return
    key.verified_at = (key.verified_at or now) if found.ours else None


def withdrawn_record(identity: Identity, key: DkimKey) -> DnsRecord:
    """What takes the place of an old key's record."""
    domain = identity.dkim_domain or domain_of(identity.from_email or "")
    return DnsRecord(
        f"{key.selector}._domainkey.{domain}",
        "TXT",
        f"v=DKIM1; k={KEY_TYPE[key.algorithm]}; p=",
        "Withdraws a key that signs no more (RFC 6376 section 3.6.1).",
    )
