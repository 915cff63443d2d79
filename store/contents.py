"""Content that a program sends without a template of ours: kept once, found again by its fingerprint.

It is a version of a hidden template, so that it is compiled, pinned and shown like any other.
"""

import hashlib
import json
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import ConflictError
from models.states import Channel
from models.template import Template, TemplateVersion
from store.engine import insert_for

_NAME = "content/"


def fingerprint(channel: Channel, subject: str, body: str, text: str) -> str:
    """Tells content from any other."""
    return hashlib.sha256(json.dumps([channel.value, subject, body, text]).encode()).hexdigest()


async def keep_content(
    session: AsyncSession, *, channel: Channel, subject: str, body: str, text: str, now: datetime
) -> int:
    """The number of the version that says exactly this, which is made if need be."""
    name = _NAME + fingerprint(channel, subject, body, text)
    known = await _find(session, name)
    if known is not None:
        return known
    row = {"name": name, "channel": channel, "hidden": True, "created_at": now}
    made = insert_for(session, Template).values(row).on_conflict_do_nothing().returning(Template.id)
    template_id = (await session.exec(made)).scalar()
    if template_id is None:
        # Somebody else has kept the same just now, in a transaction that has ended.
        known = await _find(session, name)
        if known is None:
            raise ConflictError("That content went away just now.", "Try again.")
        return known
    version = TemplateVersion(
        template_id=template_id, number=1, subject=subject, body=body, text=text, created_at=now
    )
    session.add(version)
    await session.flush()
    return version.id


async def find_content(
    session: AsyncSession, *, channel: Channel, subject: str, body: str, text: str
) -> int | None:
    """The number of the version that says exactly this, if it is kept. By unique keys."""
    return await _find(session, _NAME + fingerprint(channel, subject, body, text))


async def _find(session: AsyncSession, name: str) -> int | None:
    wanted = (
        select(TemplateVersion.id)
        .join(Template, Template.id == TemplateVersion.template_id)  # type: ignore[arg-type]
        .where(Template.name == name, TemplateVersion.number == 1)
    )
    return (await session.exec(wanted)).first()
