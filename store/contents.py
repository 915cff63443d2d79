"""Content that a program sends without a template of ours: kept once, found again by its fingerprint.

It is a version of a hidden template, so that it is compiled, pinned and shown like any other. Once nobody has
asked for it for long, and none of its messages waits, what it says is forgotten: programs may have filled in
what concerns a person.
"""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from models.delivery import Delivery
from models.errors import ConflictError
from models.states import Channel, DeliveryState, Nature, Purpose
from models.template import Template, TemplateVersion
from store.deliveries import NO_SYNC
from store.engine import insert_for, is_among

_NAME, _FORGOTTEN = "content/", "forgotten/"
NOTED_EVERY: Final = timedelta(hours=1)
"""How exactly it is noted when content was last asked for: far less than the shortest time it is kept."""
AT_ONCE: Final = 500


def fingerprint(channel: Channel, subject: str, body: str, text: str, nature: Nature | None = None) -> str:
    """Tells content from any other."""
    said = [channel.value, subject, body, text] + ([nature.value] if nature else [])
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


async def keep_content(
    session: AsyncSession,
    *,
    channel: Channel,
    subject: str,
    body: str,
    text: str,
    now: datetime,
    nature: Nature | None = None,
) -> int:
    """The number of the version that says exactly this, which is made if need be, and used `now`.

    `nature`: what it is to the law, where somebody says so.
    """
    name = _NAME + fingerprint(channel, subject, body, text, nature)
    # Held until the end of the transaction: what is used cannot be forgotten beside it.
    used = sa.update(Template).where(col(Template.name) == name).values(used_at=now)
    await session.exec(used.execution_options(**NO_SYNC))
    known = await _find(session, name)
    if known is not None:
        return known[0]
    row = {"name": name, "channel": channel, "hidden": True, "used_at": now, "created_at": now}
    made = insert_for(session, Template).values(row).on_conflict_do_nothing().returning(Template.id)
    template_id = (await session.exec(made)).scalar()
    if template_id is None:
        # Somebody else has kept the same just now, in a transaction that has ended.
        known = await _find(session, name)
        if known is None:
            raise ConflictError("That content went away just now.", "Try again.")
        return known[0]
    version = TemplateVersion(
        template_id=template_id,
        number=1,
        subject=subject,
        body=body,
        text=text,
        nature=nature,
        created_at=now,
    )
    session.add(version)
    await session.flush()
    return version.id


async def find_content(
    session: AsyncSession,
    *,
    channel: Channel,
    subject: str,
    body: str,
    text: str,
    now: datetime,
    nature: Nature | None = None,
) -> int | None:
    """The number of the version that says exactly this, if it was used lately; else `keep_content` is asked.

    By unique keys.
    """
    known = await _find(session, _NAME + fingerprint(channel, subject, body, text, nature))
    if known is None or known[1] is None or known[1] <= now - NOTED_EVERY:
        return None
    return known[0]


async def _find(session: AsyncSession, name: str) -> tuple[int, datetime | None] | None:
    wanted = (
        select(TemplateVersion.id, Template.used_at)
        .join(Template, Template.id == TemplateVersion.template_id)  # type: ignore[arg-type]
        .where(Template.name == name, TemplateVersion.number == 1)
    )
    return (await session.exec(wanted)).first()


async def forget_contents(
    session: AsyncSession,
    *,
    unused_since: datetime,
    recorded_since: datetime,
    unended: Collection[DeliveryState],
) -> int:
    """Empty contents nobody has asked for since a moment, `AT_ONCE` at most; how many.

    Not those one of whose messages is in a state of `unended`, nor what may be political and was said since
    `recorded_since`: the law asks for it. The versions stay, as messages name them; the same content asked
    for again is kept anew. Served by ix_template_used_at and ix_campaign_template_version_id.
    """
    carried = sa.exists().where(col(Campaign.template_version_id) == col(TemplateVersion.id))
    waits = sa.exists().where(
        col(Delivery.campaign_id) == col(Campaign.id), col(Delivery.state).in_(sorted(unended))
    )
    recorded = sa.and_(
        col(Campaign.purpose) == Purpose.CAMPAIGN,
        col(Campaign.nature) != Nature.CIVIC,
        col(Campaign.updated_at) >= recorded_since,
    )
    wanted = (
        select(Template.id)
        .join(TemplateVersion, col(TemplateVersion.template_id) == col(Template.id))
        .where(col(Template.used_at) < unused_since, ~carried.where(sa.or_(recorded, waits)))
        .order_by(col(Template.used_at), col(Template.id))
        .limit(AT_ONCE)
        .with_for_update(of=Template, skip_locked=True)
    )
    numbers = (await session.exec(wanted)).all()
    if not numbers:
        return 0
    emptied = sa.update(TemplateVersion).where(is_among(session, col(TemplateVersion.template_id), numbers))
    blank = {"subject": "", "preheader": "", "body": "", "text": "", "fallbacks": {}}
    await session.exec(emptied.values(blank).execution_options(**NO_SYNC))
    renamed = sa.update(Template).where(is_among(session, col(Template.id), numbers))
    name = sa.literal(_FORGOTTEN) + sa.cast(col(Template.id), sa.String)
    await session.exec(renamed.values(name=name, used_at=None).execution_options(**NO_SYNC))
    return len(numbers)
