"""Templates and their versions; a version is written once and never changed."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import event
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.errors import ConflictError, NotFoundError
from models.states import Channel, Nature
from models.template import Template, TemplateVersion


@event.listens_for(TemplateVersion, "before_update")
def _refuse_change(_mapper: object, _connection: object, version: TemplateVersion) -> None:
    raise ConflictError(
        f"Version {version.number} of a template cannot be changed: campaigns are pinned to it.",
        "Save a new version.",
    )


async def save_version(
    session: AsyncSession,
    *,
    name: str,
    channel: Channel,
    subject: str,
    preheader: str,
    body: str,
    fallbacks: Mapping[str, str],
    now: datetime,
    nature: Nature | None = None,
) -> TemplateVersion:
    """The next version of the template `name`, which is made if need be.

    The content of the latest version saved again is that version, not a new one, unless another `nature` is
    said of it. ConflictError when the name belongs to a template of the other channel.
    """
    template = (await session.exec(select(Template).where(Template.name == name))).first()
    if template is None:
        template = Template(name=name, channel=channel, created_at=now)
        session.add(template)
        await session.flush()
    elif template.channel is not channel:
        raise ConflictError(f"The template {name!r} is for {template.channel}.", "Choose another name.")
    latest = await _latest(session, template.id)
    version = TemplateVersion(
        template_id=template.id,
        number=1 if latest is None else latest.number + 1,
        subject=subject,
        preheader=preheader,
        body=body,
        fallbacks=dict(fallbacks),
        nature=nature or (None if latest is None else latest.nature),
        created_at=now,
    )
    if latest is not None and _content(latest) == _content(version):
        return latest
    session.add(version)
    await session.flush()
    return version


async def get_version(session: AsyncSession, version_id: int) -> TemplateVersion:
    """The version with that number of its own; NotFoundError when there is none."""
    version = await session.get(TemplateVersion, version_id)
    if version is None:
        raise NotFoundError(f"There is no template version number {version_id}.")
    return version


async def template_of(session: AsyncSession, version: TemplateVersion) -> Template:
    """The template a version belongs to."""
    template = await session.get(Template, version.template_id)
    if template is None:
        raise NotFoundError(f"There is no template number {version.template_id}.")
    return template


async def latest_version(session: AsyncSession, name: str) -> TemplateVersion | None:
    """The newest version of the template `name`, None when there is no such template."""
    template = (await session.exec(select(Template).where(Template.name == name))).first()
    return None if template is None else await _latest(session, template.id)


async def find(
    session: AsyncSession, template_id: int, number: int | None = None
) -> tuple[Template, TemplateVersion] | None:
    """A template and its version `number`, or its newest; None when there is none. By unique keys."""
    return await _with_version(session, await session.get(Template, template_id), number)


async def find_named(
    session: AsyncSession, name: str, number: int | None = None
) -> tuple[Template, TemplateVersion] | None:
    """The same by the template's name."""
    template = (await session.exec(select(Template).where(Template.name == name))).first()
    return await _with_version(session, template, number)


async def _with_version(
    session: AsyncSession, template: Template | None, number: int | None
) -> tuple[Template, TemplateVersion] | None:
    if template is None:
        return None
    wanted = select(TemplateVersion).where(TemplateVersion.template_id == template.id)
    if number is not None:
        wanted = wanted.where(TemplateVersion.number == number)
    newest = wanted.order_by(col(TemplateVersion.number).desc()).limit(1)
    version = (await session.exec(newest)).first()
    return None if version is None else (template, version)


async def list_templates(session: AsyncSession) -> list[tuple[Template, TemplateVersion]]:
    """Every template but hidden ones with its newest version, by name."""
    newest = select(TemplateVersion.template_id, func.max(TemplateVersion.number).label("number"))
    latest = newest.group_by(col(TemplateVersion.template_id)).subquery()
    wanted = (
        select(Template, TemplateVersion)
        .join(TemplateVersion, col(TemplateVersion.template_id) == Template.id)
        .join(
            latest,
            (latest.c.template_id == TemplateVersion.template_id)
            & (latest.c.number == TemplateVersion.number),
        )
        .where(col(Template.hidden).is_(False))
        .order_by(col(Template.name))
    )
    return list((await session.exec(wanted)).all())


async def versions_of(session: AsyncSession, template_id: int) -> list[TemplateVersion]:
    """Every version of a template, newest first."""
    wanted = select(TemplateVersion).where(TemplateVersion.template_id == template_id)
    return list((await session.exec(wanted.order_by(col(TemplateVersion.number).desc()))).all())


async def say_nature(session: AsyncSession, version_id: int, nature: Nature) -> None:
    """What a version is to the law, of which nobody said it; the one thing that is said of it afterwards."""
    unsaid = sa.and_(col(TemplateVersion.id) == version_id, col(TemplateVersion.nature).is_(None))
    change = sa.update(TemplateVersion).where(unsaid).values(nature=nature)
    await session.exec(change.execution_options(synchronize_session=False))


def _content(version: TemplateVersion) -> tuple[str, str, str, dict[str, str], Nature | None]:
    return version.subject, version.preheader, version.body, version.fallbacks, version.nature


async def _latest(session: AsyncSession, template_id: int) -> TemplateVersion | None:
    wanted = select(TemplateVersion).where(TemplateVersion.template_id == template_id)
    return (await session.exec(wanted.order_by(col(TemplateVersion.number).desc()).limit(1))).first()
