"""From what a program asks for to rows: checked as a whole first, then written in one transaction.

What cannot be sent as asked is refused by name before anything is queued. Who must not be written to is no
error: the wish is on record, and answered with the reason. The same call made twice counts once
(`store.idempotency`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.fields import contact_values
from audience.territory import zone_of
from models.api import KeyMode
from models.clock import Clock
from models.contact import Contact
from models.identity import Identity, TerritoryKind
from models.magic import Magic, magic_of
from models.message import MessageResult
from models.providers import OTHER, SANDBOX, SANDBOX_SMS, SMS
from models.states import Channel, ConsentStatus, DeliveryState, IdentityRule, Purpose
from models.suppression import address_hash
from scheduler.calendar import UsualWindows, opens
from scheduler.destinations import providers_as_known
from scheduler.forms import Form, Forms
from scheduler.letters import GIVEN, sender_values
from scheduler.pricing import UNPRICED, Price
from scheduler.roads import Roads
from scheduler.senders import Chooser
from scheduler.streams import StreamKind
from store import Database, contacts, idempotency, messages, suppressions
from store.idempotency import Answered, Call, Different, InFlight
from store.messages import Wished
from templates import CompiledSms
from templates.sms import measure

Results = Sequence["Receipt | Refusal"]
Tell = Callable[[Results], tuple[int, str]]
"""The status and the body of an answer; called within the transaction, since both are kept with it."""
SAID: Final = dict.fromkeys(GIVEN, "-")
"""Stands for what every message is given, while it is looked at what it lacks."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One message as it is asked for, its parts read and in their normal form.

    `address` (or `contact_id`, whose address is taken) is whom to write to; `identity_id` None: whoever
    speaks for where the person lives. `heed_hours`: wait for the hours in which messages may arrive.
    """

    version_id: int
    channel: Channel
    address: str = ""
    contact_id: int | None = None
    identity_id: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose = Purpose.TRANSACTIONAL
    send_at: datetime | None = None
    expires_at: datetime | None = None
    heed_hours: bool = False
    reference: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish cannot be granted as it is: a stable code, a sentence, the parts concerned."""

    code: str
    problem: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A wish on record. `number` is the message's, 0 until it is written; `reason`: why it is suppressed.

    `later`: it does not leave at once, because it was asked so or hours are heeded.
    """

    wish: Wish
    form: Form
    identity: Identity
    contact: Contact | None
    test: bool
    provider: str
    send_at: datetime
    result: MessageResult = MessageResult.ACCEPTED
    reason: str = ""
    segments: int | None = None
    cost: int | None = None
    later: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose call it is: the number of the key, whether it is for tests, which identities it may use."""

    key_id: int
    test: bool = False
    identity_ids: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of everybody in one call."""

    now: datetime
    people: Mapping[tuple[Channel, str], Contact]
    by_number: Mapping[int, Contact]
    tags: Mapping[int, Sequence[str]]
    suppressed: Collection[str]
    providers: Mapping[str, str]
    choosers: Mapping[Channel, Chooser]
    identities: Mapping[int, Identity]


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
    ) -> Answered | Different | InFlight:
        """Put the wishes on record, all that can be, in one transaction; what is answered.

        Under `call` once: the second time the answer is the first one's. An answer of which nothing is on
        record is not kept, so that what was refused may be mended and asked for again under the same key.
        """
        forms = await self.forms_of(wishes)
        async with self.database.write() as session:
            now = self.clock.now()
            known = None if call is None else await idempotency.begin(session, call, now)
            if known is not None:
                return known
            results = await self.grant(session, asker, wishes, forms, now)
            status, answer = tell(results)
            if call is not None and any(isinstance(result, Receipt) for result in results):
                await idempotency.keep(session, call, status=status, answer=answer, now=now)
        self.roads.keep(session)
        return Answered(status, answer, fresh=True)

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
        senders = await self.roads.senders(session, now)
        facts = await _learn(session, asker, wishes, forms=forms, senders=senders, now=now)
        judged = [self._judge(asker, wish, forms[wish.version_id], facts) for wish in wishes]
        return await self._write(session, asker, judged, now)

    def _judge(self, asker: Asker, wish: Wish, form: Form, facts: _Facts) -> Receipt | Refusal:
        """What comes of one wish."""
        contact = _person_of(wish, facts)
        if wish.contact_id is not None:
            address = None if contact is None else _address_of(contact, wish.channel)
            if contact is None or not address:
                return Refusal(
                    "contact_unreachable", "That contact is gone, or has no such address.", ("to",)
                )
            wish = replace(wish, address=address)
        identity = _sender_of(asker, wish, contact, facts)
        if isinstance(identity, Refusal):
            return identity
        values = _values(wish, contact, identity, form, facts)
        missing = form.compiled.missing({**SAID, **values})
        if missing:
            names = ", ".join(sorted(missing))
            return Refusal("missing_variables", f"The message would lack: {names}.", tuple(sorted(missing)))
        send_at = self._moment(wish, contact, facts.now)
        if wish.expires_at is not None and wish.expires_at <= send_at:
            problem = "It would expire before it may be sent."
            return Refusal("expires_too_soon", problem, ("expires_at",))
        test = asker.test or magic_of(wish.channel, wish.address) is not None
        reason = _reason_against(wish, contact, facts, test=test)
        return Receipt(
            wish=wish,
            form=form,
            identity=identity,
            contact=None if test else contact,
            test=test,
            provider=_provider_of(wish, facts, test=test),
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
        for kind in dict.fromkeys(map(_kind_of, receipts)):
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


async def _learn(
    session: AsyncSession,
    asker: Asker,
    wishes: Sequence[Wish],
    *,
    forms: Mapping[int, Form],
    senders: Sequence[Identity],
    now: datetime,
) -> _Facts:
    people: dict[tuple[Channel, str], Contact] = {}
    suppressed: set[str] = set()
    by_number = await messages.people_with(session, [w.contact_id for w in wishes if w.contact_id])
    for channel in {wish.channel for wish in wishes}:
        addresses = {wish.address for wish in wishes if wish.channel is channel and wish.address}
        addresses |= {_address_of(one, channel) or "" for one in by_number.values()} - {""}
        found = await messages.people_at(session, channel, addresses)
        people |= {(channel, address): contact for address, contact in found.items()}
        hashes = [address_hash(channel, address) for address in addresses]
        suppressed |= await suppressions.suppressed_hashes(session, channel, hashes, now)
    tagged = any("tags" in form.compiled.fields for form in forms.values())
    everybody = [contact.id for contact in (*people.values(), *by_number.values())]
    domains = {address.rpartition("@")[2] for channel, address in people if channel is Channel.EMAIL}
    domains |= {wish.address.rpartition("@")[2] for wish in wishes if wish.channel is Channel.EMAIL}
    able = [one for one in senders if not asker.identity_ids or one.id in asker.identity_ids]
    return _Facts(
        now=now,
        people=people,
        by_number=by_number,
        tags=await contacts.tags_of(session, everybody) if tagged else {},
        suppressed=suppressed,
        providers=await providers_as_known(session, domains - {""}),
        choosers={channel: Chooser(IdentityRule.TERRITORY, able, channel) for channel in Channel},
        identities={identity.id: identity for identity in able},
    )


def _person_of(wish: Wish, facts: _Facts) -> Contact | None:
    if wish.contact_id is not None:
        return facts.by_number.get(wish.contact_id)
    return facts.people.get((wish.channel, wish.address))


def _address_of(contact: Contact, channel: Channel) -> str | None:
    return contact.email if channel is Channel.EMAIL else contact.phone


def _sender_of(asker: Asker, wish: Wish, contact: Contact | None, facts: _Facts) -> Identity | Refusal:
    """The identity asked for, or whoever speaks for where the person lives."""
    chooser = facts.choosers[wish.channel]
    if wish.identity_id is not None:
        identity = facts.identities.get(wish.identity_id)
        if identity is None or (asker.identity_ids and identity.id not in asker.identity_ids):
            return Refusal("identity_not_allowed", "This key may not write as that identity.", ("identity",))
        if identity not in chooser.able:
            return Refusal("identity_unable", "That identity cannot send at present.", ("identity",))
        return identity
    if len(chooser.able) == 1:
        return chooser.able[0]
    found = chooser.choose(contact) if contact is not None else None
    if found is None:
        # Of somebody unknown nothing tells the territory: who speaks for everybody does.
        nationwide = [one for one in chooser.able if one.territory is TerritoryKind.NATIONAL]
        found = nationwide[0] if nationwide else None
    if found is None:
        problem = "No identity speaks for that person: name one."
        return Refusal("identity_required", problem, ("identity",))
    return found


def _values(
    wish: Wish, contact: Contact | None, identity: Identity, form: Form, facts: _Facts
) -> dict[str, str]:
    """What the message says: of its person, what the program says goes first, of the sender nobody else."""
    known: dict[str, str] = {}
    if contact is not None:
        known = contact_values(contact, facts.tags.get(contact.id, ()))
    return {**known, **wish.variables, **sender_values(identity), "campaign_name": form.name}


def _reason_against(wish: Wish, contact: Contact | None, facts: _Facts, *, test: bool) -> str:
    """Why this person must not be written to, "" when they may be."""
    if test:
        return "suppressed" if magic_of(wish.channel, wish.address) is Magic.SUPPRESSED else ""
    if address_hash(wish.channel, wish.address) in facts.suppressed:
        return "suppressed"
    consent = ConsentStatus.UNKNOWN
    if contact is not None:
        email = wish.channel is Channel.EMAIL
        consent = contact.email_consent if email else contact.sms_consent
    if consent is ConsentStatus.WITHDRAWN:
        return "withdrawn"
    return "no_consent" if wish.purpose is Purpose.CAMPAIGN and consent is not ConsentStatus.GRANTED else ""


def _provider_of(wish: Wish, facts: _Facts, *, test: bool) -> str:
    if wish.channel is Channel.SMS:
        return SANDBOX_SMS if test else SMS
    return SANDBOX if test else facts.providers.get(wish.address.rpartition("@")[2], OTHER)


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
