"""From what a program asks for to rows: checked as a whole first, then written in one transaction.

What cannot be sent as asked is refused by name before anything is queued. Who must not be written to is no
error: the wish is on record, and answered with the reason. The same call made twice counts once
(`store.idempotency`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.territory import zone_of
from models.api import KeyMode
from models.clock import Clock
from models.contact import Contact
from models.errors import TemplateError
from models.magic import magic_of
from models.message import MessageResult
from models.states import Channel, DeliveryState, Purpose
from scheduler.asked import SAID, Ask, Asker, Receipt, Refusal, Results, Tell, Wish
from scheduler.calendar import UsualWindows, opens
from scheduler.facts import (
    Facts,
    address_of,
    learn,
    person_of,
    provider_of,
    reason_against,
    sender_of,
    values_of,
)
from scheduler.forms import Form, Forms
from scheduler.pricing import UNPRICED, Price
from scheduler.roads import Roads
from scheduler.streams import StreamKind
from store import Database, idempotency, messages
from store.idempotency import Answered, Call, Known
from store.messages import Wished
from templates import CompiledSms
from templates.sms import measure


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Takes wishes on. `hours` and `zone` are the installation's; `forms` knows compiled templates."""

    database: Database
    clock: Clock
    forms: Forms
    hours: UsualWindows
    zone: str
    roads: Roads = field(default_factory=Roads)
    price: Price = UNPRICED

    async def accept(
        self, asker: Asker, wishes: Sequence[Wish], tell: Tell, call: Call | None = None
    ) -> Known:
        """Put the wishes on record, all that can be, in one transaction; what is answered.

        Under `call` once: the second time the answer is the first one's. An answer of which nothing is on
        record is not kept, so that what was refused may be mended and asked for again under the same key.
        """
        (outcome,) = await self.accept_all([Ask(asker, wishes, tell, call)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def accept_all(self, asks: Sequence[Ask]) -> list[Known | Exception]:
        """Several calls in one transaction, each as `accept` takes it: answers, in their order.

        An exception stands for the answer of a call of which nothing is on record, since its `tell` raised
        it. Whatever else raises is raised, and nothing of any is on record then.
        """
        forms = await self.forms_of([wish for ask in asks for wish in ask.wishes])
        async with self.database.write() as session:
            now = self.clock.now()
            known = await _known(session, asks, now)
            told: dict[int, Known | Exception] = {}
            fresh: list[tuple[Call, Answered]] = []
            for asker, places in _by_asker(asks, known).items():
                wishes = [wish for place in places for wish in asks[place].wishes]
                results = iter(await self.grant(session, asker, wishes, forms, now))
                for place in places:
                    ask = asks[place]
                    mine = list(islice(results, len(ask.wishes)))
                    told[place] = answer = _told(ask, mine)
                    if ask.call is not None and isinstance(answer, Answered) and _is_any_recorded(mine):
                        fresh.append((ask.call, answer))
            await idempotency.keep(session, fresh, now)
        self.roads.keep(session)
        return [told[place] if found is None else found for place, found in enumerate(known)]

    async def forms_of(self, wishes: Sequence[Wish]) -> dict[int, Form]:
        """The compiled versions of wishes, by number; TemplateError for one that cannot be compiled."""
        return {number: await self.forms.get(number) for number in {wish.version_id for wish in wishes}}

    async def grant(
        self,
        session: AsyncSession,
        asker: Asker,
        wishes: Sequence[Wish],
        forms: Mapping[int, Form],
        now: datetime,
    ) -> list["Receipt | Refusal"]:
        """Put what can be on record, within a transaction of the caller's; one result a wish, in order."""
        named = {wish.identity_id for wish in wishes if wish.identity_id is not None}
        senders = await self.roads.senders(session, now, named=named)
        facts = await learn(session, asker, wishes, forms=forms, senders=senders, now=now)
        judged = [self._judge(asker, wish, forms[wish.version_id], facts) for wish in wishes]
        return await self._write(session, asker, judged, now)

    def _judge(self, asker: Asker, wish: Wish, form: Form, facts: Facts) -> Receipt | Refusal:
        """What comes of one wish; what its values break in its template keeps no other wish back."""
        try:
            return self._weigh(asker, wish, form, facts)
        except TemplateError as error:
            return Refusal("unusable", str(error))

    def _weigh(self, asker: Asker, wish: Wish, form: Form, facts: Facts) -> Receipt | Refusal:
        """What comes of one wish; TemplateError."""
        contact = person_of(wish, facts)
        if wish.contact_id is not None:
            address = None if contact is None else address_of(contact, wish.channel)
            if contact is None or not address:
                return Refusal(
                    "contact_unreachable", "That contact is gone, or has no such address.", ("to",)
                )
            wish = replace(wish, address=address)
        identity = sender_of(asker, wish, contact, facts)
        if isinstance(identity, Refusal):
            return identity
        values = values_of(wish, contact, identity, form, facts)
        missing = form.compiled.missing({**SAID, **values})
        if missing:
            names = ", ".join(sorted(missing))
            return Refusal("missing_variables", f"The message would lack: {names}.", tuple(sorted(missing)))
        send_at = self._moment(wish, contact, facts.now)
        if wish.expires_at is not None and wish.expires_at <= send_at:
            problem = "It would expire before it may be sent."
            return Refusal("expires_too_soon", problem, ("expires_at",))
        test = asker.test or magic_of(wish.channel, wish.address) is not None
        reason = reason_against(wish, contact, facts, test=test)
        return Receipt(
            wish=wish,
            form=form,
            identity=identity,
            contact=None if test else contact,
            test=test,
            provider=provider_of(wish, facts, test=test),
            send_at=send_at,
            result=MessageResult.SUPPRESSED if reason else MessageResult.ACCEPTED,
            reason=reason,
            segments=(segments := _segments(form, {**SAID, **values})),
            cost=None if reason else self.price.of(segments),
            later=send_at > facts.now,
        )

    def _moment(self, wish: Wish, contact: Contact | None, now: datetime) -> datetime:
        """When it may first leave."""
        wanted = max(now, wish.send_at or now)
        if not wish.heed_hours:
            return wanted
        phone = wish.address if wish.channel is Channel.SMS else None
        place: tuple[str | None, str | None, str | None] = (None, None, phone)
        if contact is not None:
            place = (contact.departement, contact.postcode, contact.phone)
        zone = zone_of(*place, default=self.zone)
        return opens(self.hours.windows_of((), wish.channel), zone, wanted)

    async def _write(
        self, session: AsyncSession, asker: Asker, results: Results, now: datetime
    ) -> list[Receipt | Refusal]:
        """Put what can be on record; the receipts with their numbers."""
        streams: dict[StreamKind, int] = {}
        receipts = [result for result in results if isinstance(result, Receipt)]
        # In one order, so that two who open the same ones anew do not wait for each other in a circle.
        for kind in sorted(set(map(_kind_of, receipts)), key=lambda kind: kind.key):
            form = next(receipt.form for receipt in receipts if _kind_of(receipt) == kind)
            streams[kind] = await self.roads.open(
                session, kind, links=form.links, hours=self.hours, zone=self.zone, now=now
            )
        for kind, stream in streams.items():
            its = [one for one in receipts if _kind_of(one) == kind and one.result is MessageResult.ACCEPTED]
            await self.roads.tie(session, stream, {(one.identity.id, one.provider) for one in its})
        rows = [_rows_of(asker, receipt, streams[_kind_of(receipt)], now) for receipt in receipts]
        numbers = iter(await messages.add(session, rows))
        return [
            replace(result, number=next(numbers)) if isinstance(result, Receipt) else result
            for result in results
        ]


async def _known(session: AsyncSession, asks: Sequence[Ask], now: datetime) -> list[Known | None]:
    """What is known of each call beforehand; None where it is new."""
    named = [ask.call for ask in asks if ask.call is not None]
    known = iter(await idempotency.begin(session, named, now) if named else ())
    return [None if ask.call is None else next(known) for ask in asks]


def _by_asker(asks: Sequence[Ask], outcomes: Sequence[object | None]) -> dict[Asker, list[int]]:
    """Where the new calls of each asker stand."""
    found: dict[Asker, list[int]] = {}
    for place, (ask, outcome) in enumerate(zip(asks, outcomes, strict=True)):
        if outcome is None:
            found.setdefault(ask.asker, []).append(place)
    return found


def _told(ask: Ask, results: Results) -> Answered | Exception:
    """The answer to one call, worded by its caller."""
    try:
        return Answered(*ask.tell(results), fresh=True)
    except Exception as error:
        if _is_any_recorded(results):
            raise
        return error


def _is_any_recorded(results: Results) -> bool:
    return any(isinstance(result, Receipt) for result in results)


def _segments(form: Form, values: Mapping[str, str]) -> int | None:
    """How many segments a text message takes; None for an e-mail."""
    if not isinstance(form.compiled, CompiledSms):
        return None
    return measure(form.compiled.render(values).text).segments


def _kind_of(receipt: Receipt) -> StreamKind:
    return StreamKind(
        template=receipt.form.name,
        number=receipt.form.number,
        version_id=receipt.wish.version_id,
        channel=receipt.wish.channel,
        purpose=receipt.wish.purpose,
        test=receipt.test,
        any_hour=not receipt.wish.heed_hours,
    )


def _rows_of(asker: Asker, receipt: Receipt, stream_id: int, now: datetime) -> Wished:
    wish, person = receipt.wish, None if receipt.contact is None else receipt.contact.id
    alike: dict[str, Any] = {
        "campaign_id": stream_id,
        "identity_id": receipt.identity.id,
        "contact_id": person,
        "channel": wish.channel,
        "address": wish.address,
    }
    message = alike | {
        "key_id": asker.key_id,
        "address_given": wish.contact_id is None,
        "mode": KeyMode.TEST if receipt.test else KeyMode.LIVE,
        "purpose": wish.purpose,
        "result": receipt.result,
        "reason": receipt.reason,
        "reference": wish.reference,
        "details": dict(wish.details),
        "values": dict(wish.variables),
        "segments": receipt.segments,
        "cost": receipt.cost,
        "send_at": receipt.send_at,
        "created_at": now,
    }
    if receipt.result is MessageResult.SUPPRESSED:
        return Wished(message, None)
    delivery = alike | {
        "provider": receipt.provider,
        "state": DeliveryState.QUEUED,
        "reason": "",
        "due_at": receipt.send_at,
        "not_after": wish.expires_at,
        "exempt": wish.purpose is Purpose.TRANSACTIONAL,
        "attempts": 0,
    }
    return Wished(message, delivery)
