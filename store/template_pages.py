"""Templates and their versions as programs ask for them, a page at a time; hidden ones in no list."""

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.states import Channel
from models.template import Template, TemplateVersion


async def next_templates(
    session: AsyncSession,
    *,
    limit: int,
    after: int | None = None,
    name: str = "",
    channel: Channel | None = None,
) -> list[tuple[Template, TemplateVersion]]:
    """Templates with their newest version, in the order they were made. Served by the primary key."""
    newest = (
        select(func.max(TemplateVersion.number))
        .where(col(TemplateVersion.template_id) == col(Template.id))
        .correlate(Template)
        .scalar_subquery()
    )
    wanted = (
        select(Template, TemplateVersion)
        .join(TemplateVersion, col(TemplateVersion.template_id) == col(Template.id))
        .where(col(TemplateVersion.number) == newest, col(Template.hidden).is_(False))
    )
    if after is not None:
        wanted = wanted.where(col(Template.id) > after)
    if name:
        wanted = wanted.where(Template.name == name)
    if channel is not None:
        wanted = wanted.where(Template.channel == channel)
    return list((await session.exec(wanted.order_by(col(Template.id)).limit(limit))).all())


async def next_versions(
    session: AsyncSession, template_id: int, *, limit: int, before: int | None = None
) -> list[TemplateVersion]:
    """Versions of a template, the newest first. Served by their unique key."""
    wanted = select(TemplateVersion).where(TemplateVersion.template_id == template_id)
    if before is not None:
        wanted = wanted.where(col(TemplateVersion.number) < before)
    return list((await session.exec(wanted.order_by(col(TemplateVersion.number).desc()).limit(limit))).all())
