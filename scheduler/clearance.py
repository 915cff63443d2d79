"""The last question before the wire, asked of a whole chunk in one transaction that also marks it.

Whatever was committed before it asked is honoured: a pause, a suppression, a consent withdrawn, a message
that another campaign has just sent to the same person. Campaigns and people are held still while it asks
(`claims.sending_among`, `people.hold_still`), so that neither a pause nor two campaigns at once get round
it; an address suppressed in the very milliseconds between question and mark comes too late on PostgreSQL,
as it would for a message already on the wire.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.territory import zone_of
from models.clock import Clock
from models.providers import SANDBOXES
from models.states import Channel
from models.suppression import address_hash, address_hashes
from scheduler import gates
from scheduler.calendar import AT_ANY_TIME
from scheduler.content import Content
from scheduler.frequency import FrequencyPolicy
from scheduler.gates import PutOff, Stop
from scheduler.silence import Silence
from scheduler.vigil import Vigil
from store import Database, claims, outcomes, people, suppressions
from store import touches as touch_rows
from store.claims import ClaimedDelivery
from store.outcomes import Stopped
from store.people import Standing
from store.touches import Touches


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the guards are asked with, as of `now`; `repeated`: somebody is written to twice.

    `silences`: those that votes impose on some, by delivery number. `withdrawn`: addresses of people who were
    unknown when a program asked, are known by now, and take no messages.
    """

    now: datetime
    standing: Mapping[int, Standing]
    suppressed: Collection[str]
    touches: Touches
    repeated: bool
    silences: Mapping[int, Silence]
    withdrawn: Collection[str]


@dataclass(frozen=True, slots=True)
class Clearance:
    """Asks every gate of chunks of deliveries, and marks what may leave as sending."""

    database: Database
    clock: Clock
    lease: timedelta
    frequency: FrequencyPolicy
    zone: str
    vigil: Vigil

    async def clear(
        self,
        token: str,
        rows: Sequence[ClaimedDelivery],
        *,
        contents: Mapping[int, Content | Stop],
        unwritten: Mapping[int, Stop],
    ) -> list[ClaimedDelivery]:
        """Those that may leave now, marked, with the deadlines that votes set them.

        The others are settled, put off or given back.
        """
        now = self.clock.now()
        stopped: list[Stopped] = []
        put_off: defaultdict[datetime, list[int]] = defaultdict(list)
        may_go: list[ClaimedDelivery] = []
        async with self.database.write(at_once=True) as session:
            sending = await claims.sending_among(session, {row.campaign_id for row in rows})
            rows, silences = await self.vigil.narrow(session, rows, now)
            known = await self._learn(session, rows, now, silences)
            for row in rows:
                match self._judge(row, known, contents.get(row.campaign_id), unwritten):
                    case Stop(state, kind, reason):
                        stopped.append(Stopped(row.id, state, kind, reason))
                    case PutOff(due_at):
                        put_off[due_at].append(row.id)
                    case None if row.campaign_id in sending:
                        may_go.append(row)
                        if known.repeated:
                            self._count(row, known)
                    case None:
                        pass  # paused or cancelled: they go back as they were
            if stopped:
                await outcomes.record_stopped(session, stopped, token=token, now=now)
            for due_at, ids in put_off.items():
                await claims.put_off(session, ids, token=token, due_at=due_at)
            await claims.hand_back(
                session, [row.id for row in rows if row.campaign_id not in sending], token=token
            )
            marked = await claims.mark_sending(
                session, [row.id for row in may_go], token=token, now=now, lease=self.lease
            )
        return [row for row in may_go if row.id in marked]

    async def still_clear(
        self,
        session: AsyncSession,
        rows: Sequence[ClaimedDelivery],
        contents: Mapping[int, Content | Stop],
    ) -> set[int]:
        """The numbers of those, marked a while ago, that may leave even now; nothing is changed.

        Caps are not asked again: since they were marked these count for everybody else.
        """
        now = self.clock.now()
        sending = await claims.sending_among(session, {row.campaign_id for row in rows})
        rows, silences = await self.vigil.narrow(session, rows, now)
        known = await self._learn(session, rows, now, silences, capped=False)
        clear = [row for row in rows if row.campaign_id in sending]
        return {row.id for row in clear if self._judge(row, known, contents.get(row.campaign_id), {}) is None}

    async def _learn(
        self,
        session: AsyncSession,
        rows: Sequence[ClaimedDelivery],
        now: datetime,
        silences: Mapping[int, Silence],
        *,
        capped: bool = True,
    ) -> Knowledge:
        persons = [row for row in rows if row.contact_id is not None]
        # First the people, then what is said of them: who is held still stays as found.
        standing = await people.hold_still(session, [row.contact_id for row in persons if row.contact_id])
        channel = rows[0].channel
        # Whom a program writes to need not be known; a rehearsal writes to nobody.
        strangers = [
            row.address
            for row in rows
            if row.contact_id is None and row.seed_id is None and row.provider not in SANDBOXES
        ]
        withdrawn = await people.withdrawn_at(session, channel, strangers)
        written_to = [*(row.address for row in persons), *strangers]
        prints = [each for each in address_hashes(channel, written_to) if each]
        suppressed = await suppressions.suppressed_hashes(session, channel, prints, now)
        counted = {row.contact_id for row in persons if row.contact_id and not row.exempt}
        touches: Touches = {}
        if self.frequency.windows and counted and capped:
            touches = await touch_rows.recent(
                session,
                [number for number in counted if number],
                since=now - self.frequency.longest,
                except_ids={row.id for row in rows},
                now=now,
            )
        repeated = len(standing) < len(persons)
        return Knowledge(now, standing, suppressed, touches, repeated, silences, withdrawn)

    def _judge(
        self,
        row: ClaimedDelivery,
        known: Knowledge,
        content: Content | Stop | None,
        unwritten: Mapping[int, Stop],
    ) -> Stop | PutOff | None:
        person = known.standing.get(row.contact_id) if row.contact_id is not None else None
        stop = gates.stop_in_silence(known.silences.get(row.id), known.now) if known.silences else None
        stop = stop or gates.stop_if_too_late(row, known.now)
        if stop is None and row.seed_id is None and known.suppressed:
            stop = gates.stop_if_suppressed(address_hash(row.channel, row.address), known.suppressed)
        stop = stop or gates.stop_if_gone(row, person) or gates.stop_if_withdrawn(person, row.channel)
        if stop is None and person is None and known.withdrawn:
            stop = gates.stop_if_withdrawn_since(row, known.withdrawn)
        if stop is None and isinstance(content, Content) and content.by_data:
            stop = gates.stop_if_not_to_be_chosen(person)
            if stop is None and row.message_id:
                stop = gates.stop_if_never_to_be_chosen(person, known.now)
        if stop is not None:
            return stop
        if isinstance(content, Content) and content.windows is not AT_ANY_TIME:
            closed = gates.stop_outside_hours(row, content.windows, self._zone_of(row, person), known.now)
            if closed is not None:
                return closed
        if person is not None and not row.exempt and self.frequency.windows:
            touched = known.touches.get(person.id)
            if touched:
                stop = gates.stop_if_capped(row, touched, self.frequency, zone=self.zone, now=known.now)
        return stop or unwritten.get(row.id)

    def _zone_of(self, row: ClaimedDelivery, person: Standing | None) -> str:
        if person is None:
            # Of somebody unknown the number tells, as it did when the program asked.
            phone = row.address if row.channel is Channel.SMS and row.seed_id is None else None
            return zone_of(None, None, phone, default=self.zone)
        return zone_of(person.departement, person.postcode, person.phone, default=self.zone)

    def _count(self, row: ClaimedDelivery, known: Knowledge) -> None:
        """One that leaves counts for the next to the same person in this very chunk."""
        if row.contact_id is not None and not row.exempt and self.frequency.windows:
            known.touches.setdefault(row.contact_id, []).append((Channel(row.channel), known.now))
