"""What one campaign kept to, on the terminal: the same sentences as on its report's page, in English."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.text import Text
from sqlmodel.ext.asyncio.session import AsyncSession

from service.desk import Desk
from service.terminal import screen

if TYPE_CHECKING:
    from web.compliance_view import Line


async def law_lines(desk: Desk, session: AsyncSession, campaign_id: int) -> "list[Line]":
    """What is on record of it."""
    from models.tokens import Tokens
    from scheduler.compliance import campaign_compliance
    from scheduler.letters import notice_address
    from web.campaign_law import law_of
    from web.i18n import Tongue

    found = await campaign_compliance(session, campaign_id)
    public_url = desk.settings.public_url.rstrip("/")
    notice = notice_address(Tokens(desk.keyring), public_url, campaign_id)
    return law_of(found, notice, Tongue("en", ZoneInfo(desk.settings.zone)))


def print_law(lines: "list[Line]") -> None:
    """The list; nothing where there is none."""
    from service.verdict_print import MARKS, TONES

    if not lines:
        return
    console = screen()
    console.print()
    console.print(Text("Whether the law was kept to", style="bold"))
    for one in lines:
        told = Text.assemble((f"{MARKS[one.tone]} ", TONES[one.tone]), one.on_paper)
        console.print(told, soft_wrap=not console.is_terminal)
