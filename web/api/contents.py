"""Content in place of a template: compiled once to see that it can be, and kept under its fingerprint."""

import asyncio
import re
from typing import Final

from models.errors import TemplateError
from models.states import Channel, Nature
from scheduler.letters import Wording
from store import contents
from templates.document import as_document
from templates.label import Label
from web.api.auth import Caller
from web.api.message_schemas import ContentIn
from web.api.names import names_of
from web.api.problems import ApiProblemError, Fault

_STOP: Final = re.compile(r"\bSTOP\b", re.IGNORECASE)


def tells_stop(text: str) -> bool:
    """Whether a text message says how to stop them (CPCE, article L34-5)."""
    return _STOP.search(text) is not None


async def version_of_content(
    caller: Caller, content: ContentIn, field: str, nature: Nature | None = None
) -> int:
    """The number of the version that says exactly this; ApiProblemError that says why it cannot be sent.

    `nature`: what it is to the law.
    """
    channel, context = content.channel, caller.context
    if channel is Channel.SMS:
        subject, body, text = "", content.text or "", ""
    else:
        made = content.mjml or as_document(content.html or "", context.language)
        subject, body, text = content.subject or "", made, content.text or ""

    wording = Wording(
        campaign_name="",
        channel=channel,
        subject=subject,
        preheader="",
        body=body,
        fallbacks={},
        language=context.language,
        text=text,
        # One that nobody would see is refused now, not held when it is to leave.
        label=Label(targeted=True) if nature is Nature.POLITICAL else None,
    )

    async def ask() -> int:
        said = {"subject": subject, "body": body, "text": text}
        async with context.database.read() as session:
            known = await contents.find_content(
                session, channel=channel, **said, nature=nature, now=context.clock.now()
            )
        if known is not None:
            return known
        await _require_usable(wording, field)
        async with context.database.write() as session:
            return await contents.keep_content(
                session, channel=channel, **said, nature=nature, now=context.clock.now()
            )

    fingerprint = contents.fingerprint(channel, subject, body, text, nature)
    found = await names_of(caller.request).get(("content", fingerprint), ask)
    if found is None:
        raise AssertionError("content that is not there is kept")
    return found


async def _require_usable(wording: Wording, field: str) -> None:
    try:
        await asyncio.to_thread(wording.compile)
    except TemplateError as error:
        raise ApiProblemError("unusable", str(error), [Fault(field, "unusable", str(error))]) from error
