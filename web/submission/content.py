"""What a submitted mail says, kept as content: as it stands, since whoever wrote it has filled it in."""

import asyncio
import re
from datetime import datetime
from html import escape
from typing import Final

from models.states import Channel, Nature
from store import Database, contents
from templates import compile_email
from templates.document import as_document
from templates.label import Label

_CODE: Final = re.compile(r"\{+[%#]|\{\{+")


async def keep_content(
    database: Database,
    *,
    subject: str,
    html: str,
    text: str,
    language: str,
    now: datetime,
    nature: Nature | None = None,
) -> int:
    """The number of the version that says exactly this; TemplateError for what no message may carry.

    `nature`: what it is to the law.
    """
    body = as_document(html or lines_of(text), language)
    said = {"subject": literal(subject), "text": literal(text), "body": literal(body)}
    async with database.read() as session:
        known = await contents.find_content(session, channel=Channel.EMAIL, nature=nature, now=now, **said)
    if known is not None:
        return known
    # What cannot be compiled is not kept.
    await asyncio.to_thread(
        compile_email,
        subject=said["subject"],
        preheader="",
        mjml=said["body"],
        fallbacks={},
        language=language,
        text=said["text"],
        label=Label(targeted=True) if nature is Nature.POLITICAL else None,
    )
    async with database.write() as session:
        return await contents.keep_content(session, channel=Channel.EMAIL, nature=nature, now=now, **said)


def literal(text: str) -> str:
    """Text that means itself: what would be a merge field, a condition or a comment is shown as written."""
    return _CODE.sub(lambda found: f'{{{{ "{found.group()}" }}}}', text)


def lines_of(text: str) -> str:
    """A plain text as HTML, line by line."""
    return "<p>" + escape(text.strip(), quote=False).replace("\n", "<br />\n") + "</p>"
