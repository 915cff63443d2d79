"""What pages call a campaign: its own name, and for what programs hand over, what it says.

A stream's own name holds the mark of its content, which nobody reads; its subject is looked up each time
instead of kept there, so that it goes when the content does.
"""

import re
from collections.abc import Collection

from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign
from store import campaigns, templates

_CODE = re.compile(r"\{\{\s*(\w+).*?\}\}")
_BRACES = re.compile(r"""\{\{\s*["']\{\{["']\s*\}\}""")
"""Two braces that mean themselves, as a template writes them."""
LONGEST = 80


async def title_of(session: AsyncSession, campaign: Campaign) -> str:
    """The name; of a stream that of its template, or the subject of content that a program brought.

    "" where that is no longer kept.
    """
    if campaign.stream_key is None:
        return campaign.name
    version = await templates.get_version(session, campaign.template_version_id)
    template = await templates.template_of(session, version)
    if not template.hidden:
        return template.name
    said = version.subject or version.body
    return "{{".join(_CODE.sub(r"‹\1›", part) for part in _BRACES.split(said))[:LONGEST]


async def titles_of(session: AsyncSession, campaign_ids: Collection[int]) -> dict[int, str]:
    """The same of several, by number."""
    return {
        number: await title_of(session, await campaigns.get_campaign(session, number))
        for number in sorted(campaign_ids)
    }
