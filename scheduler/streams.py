"""What programs ask for travels in streams: campaigns without an audience, one for each kind of message.

So a message of a program is compiled once, paced, signed, cleared and recorded like any other. A stream
sends while there is something to send; one that has been idle for an hour, or for seconds while it carried
little, is finished and proved by its sums, and sends on with the next wish.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.campaign import Campaign, CampaignIdentity, CampaignLane
from models.errors import ConflictError
from models.states import CampaignState, Channel, IdentityRule, LegalBasis, Nature, Purpose
from scheduler.calendar import AT_ANY_TIME, SendingWindows, UsualWindows, windows_to_rows
from store import campaigns, message_pages, messages
from store.engine import insert_for

IDLE, IDLE_WITH_FEW = timedelta(hours=1), timedelta(seconds=20)
FEW: Final = 100
"""Messages whose proof costs next to nothing: a program that sends its own content with every message opens a
stream for each, and whoever sweeps looks at all that are open, every second."""
_S = CampaignState
_ENDED: Final = (_S.FINISHED, _S.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What the messages of a stream have in common. `any_hour`: nobody's hours are asked."""

    template: str
    number: int
    version_id: int
    channel: Channel
    purpose: Purpose
    test: bool = False
    any_hour: bool = False

    @property
    def key(self) -> str:
        """Tells streams apart."""
        parts = (self.version_id, self.purpose.value, "test" if self.test else "live")
        return "/".join(map(str, (*parts, "any" if self.any_hour else "hours")))

    @property
    def name(self) -> str:
        """As people read it in lists and reports."""
        return f"{self.template} {self.number} · API{' · test' if self.test else ''}"[:200]


async def open_stream(
    session: AsyncSession,
    kind: StreamKind,
    *,
    links: Sequence[str],
    hours: UsualWindows,
    zone: str,
    now: datetime,
) -> int:
    """The number of the stream, which sends and goes on sending until this transaction ends.

    `links`: where the numbered links of its messages lead; `hours`: the installation's; `zone`: IANA.
    """
    number = await _find(session, kind.key)
    if number is None:
        row = _row(kind, hours, zone, now)
        await session.exec(insert_for(session, Campaign).values(row).on_conflict_do_nothing())
        number = await _find(session, kind.key)
        if number is None:
            raise ConflictError("The stream of this message went away just now.", "Try again.")
        await campaigns.save_links(session, number, links)
    await enter(session, number, now)
    return number


async def enter(session: AsyncSession, number: int, now: datetime) -> None:
    """Let a stream send, and go on sending until this transaction ends; ConflictError where it may not."""
    # Whoever ends it waits for this transaction, and then finds what it brings.
    state = await campaigns.hold(session, number, alone=False, unless=_ENDED)
    if state is None:
        # Whoever moves it first has it alone; the others wait, and then find it sending.
        for origin in _ENDED:
            await campaigns.move(session, number, origin=origin, to=_S.SENDING, now=now)
        state = await campaigns.hold(session, number, alone=False)
    if state is None or state is _S.CANCELLED:
        raise ConflictError("Messages of this kind were stopped for good by a person.", "Save a new version.")


async def is_idle(session: AsyncSession, campaign_id: int, now: datetime) -> bool:
    """Whether a stream was asked for nothing lately; a campaign always is."""
    last = await messages.last_wish(session, campaign_id)
    if last is None or now - last >= IDLE:
        return True
    return now - last >= IDLE_WITH_FEW and not await message_pages.carries_more(session, campaign_id, FEW)


async def tie_lanes(session: AsyncSession, stream_id: int, lanes: Iterable[tuple[int, str]]) -> None:
    """Let the stream be looked for in these lanes: identity and provider."""
    wanted = sorted(set(lanes))
    if not wanted:
        return
    connection = await session.connection()
    rows = [
        {"campaign_id": stream_id, "identity_id": identity_id, "provider": provider}
        for identity_id, provider in wanted
    ]
    await connection.execute(insert_for(session, CampaignLane).on_conflict_do_nothing(), rows)
    senders = [
        {"campaign_id": stream_id, "identity_id": number, "position": 0}
        for number in sorted({identity_id for identity_id, _ in wanted})
    ]
    await connection.execute(insert_for(session, CampaignIdentity).on_conflict_do_nothing(), senders)


async def _find(session: AsyncSession, key: str) -> int | None:
    return (await session.exec(select(Campaign.id).where(Campaign.stream_key == key))).first()


def _row(kind: StreamKind, hours: UsualWindows, zone: str, now: datetime) -> dict[str, Any]:
    windows = AT_ANY_TIME if kind.any_hour else SendingWindows()
    if not kind.any_hour and kind.purpose is Purpose.TRANSACTIONAL:
        # Whose hours nobody asks otherwise: the installation's, as they are now.
        windows = hours.windows_of((), kind.channel)
    return {
        "name": kind.name,
        "channel": kind.channel,
        "template_version_id": kind.version_id,
        "identity_rule": IdentityRule.TERRITORY,
        "basis": LegalBasis.CONSENT,
        "state": _S.SENDING,
        "zone": zone,
        "starts_at": now,
        "launched_at": now,
        "expanded": True,
        "frozen": 0,
        "targeted": 0,
        "problem": "",
        "problem_contacts": [],
        "with_seeds": False,
        # Somebody waits for what they asked for: it goes before campaigns in every lane.
        "urgent": kind.purpose is Purpose.TRANSACTIONAL,
        "purpose": kind.purpose,
        "nature": Nature.CIVIC if kind.purpose is Purpose.TRANSACTIONAL else Nature.UNSAID,
        "windows": windows_to_rows(windows),
        "stream_key": kind.key,
        "test": kind.test,
        "created_at": now,
        "updated_at": now,
    }
