"""One mail of a program that signed in: read, kept as content, and a wish for each of its recipients.

The mail is answered with 250 after all of it is on record. Handed over again, because that answer was lost,
it is the same mail: told by its Message-ID (or the key its program names), its recipient and what it says.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from models.errors import BadInputError, ConflictError, TemplateError, TocsinError
from models.identity import Identity
from models.message import MessageResult
from models.public_ids import Ids, Kind
from models.states import Channel, IdentityState, Nature, Purpose
from scheduler.accepting import Acceptor
from scheduler.asked import Receipt, Refusal, Wish
from scheduler.handing_over import Asked, accept_each
from store import identities
from store.idempotency import Answered, Call, Different, InFlight, Known
from web.submission.content import keep_content
from web.submission.entrance import Guest
from web.submission.mail import MailRefusedError, SubmittedMail, read_mail

log = logging.getLogger(__name__)
LATER = "451 4.3.0 Not taken on, try again later"
SUPPRESSED = " suppressed: "


@dataclass(frozen=True, slots=True)
class SubmissionDesk:
    """Takes mails on.

    `ids` writes what names messages to programs, `wake` tells who sends that there is something to send;
    `language`: of what is added to mails; `nature`: what mails of campaigns are to the law.
    """

    acceptor: Acceptor
    ids: Ids
    wake: Callable[[], Awaitable[None]]
    language: str = "fr"
    nature: Nature = Nature.UNSAID

    async def take(self, guest: Guest, raw: bytes, recipients: Sequence[str]) -> str:
        """The answer to a mail; 2.. only once all of it is on record, 4.. when nothing is wrong with it.

        `recipients`: in their normal form.
        """
        about = {"key_id": guest.key.id, "recipients": len(recipients)}
        try:
            mail = await asyncio.to_thread(read_mail, raw)
            answer = _told(await self._accept(guest, mail, list(dict.fromkeys(recipients))))
        except MailRefusedError as refused:
            answer = refused.answer
        except (BadInputError, ConflictError, TemplateError) as error:
            answer = MailRefusedError(str(error)).answer
        except TocsinError as error:
            log.warning("mail not taken on", extra=about | {"problem": error.problem})
            return LATER
        except Exception:
            # Whatever it is, nothing is on record: the program keeps its mail and tries again.
            log.exception("mail not taken on", extra=about)
            return LATER
        if answer.startswith("2"):
            await self.wake()
        else:
            log.info("mail refused", extra=about | {"answer": answer[:9]})
        return answer

    async def _accept(self, guest: Guest, mail: SubmittedMail, recipients: Sequence[str]) -> list[Known]:
        identity = await self._identity_of(guest, mail)
        version_id = await keep_content(
            self.acceptor.database,
            subject=mail.subject,
            html=mail.html,
            text=mail.text,
            language=self.language,
            now=self.acceptor.clock.now(),
            nature=self.nature if mail.purpose is Purpose.CAMPAIGN else None,
        )
        asked = [
            (
                Wish(
                    version_id=version_id,
                    channel=Channel.EMAIL,
                    address=recipient,
                    identity_id=identity.id,
                    purpose=mail.purpose,
                    heed_hours=mail.purpose is Purpose.CAMPAIGN,
                    reference=mail.reference,
                    details=mail.details,
                ),
                _call_of(guest, mail, recipient),
            )
            for recipient in recipients
        ]
        found = await accept_each(self.acceptor, guest.asker, asked, self._tell)
        self._note(guest, asked, found)
        return found

    async def _identity_of(self, guest: Guest, mail: SubmittedMail) -> Identity:
        """Who writes: whose address stands in From, of those the key may write as."""
        async with self.acceptor.database.read() as session:
            known = await identities.list_identities(session)
        bound = guest.key.identity_ids
        its = [
            one
            for one in known
            if (one.from_email or "").lower() == mail.sender and (not bound or one.id in bound)
        ]
        if not its:
            raise MailRefusedError(
                f"This key may not write as {mail.sender}: From has to be the address of an identity of its.",
                code="550 5.7.1",
            )
        identity = min(its, key=lambda one: (one.state is not IdentityState.ACTIVE, one.id))
        if mail.reply_to not in {"", mail.sender, (identity.reply_to or "").lower()}:
            raise MailRefusedError("Reply-To is the identity's: leave it out, or change it there.")
        return identity

    def _tell(self, result: Receipt | Refusal) -> tuple[int, str]:
        if isinstance(result, Refusal):
            code = "451 4.7.1" if result.code == "identity_unable" else "554 5.7.1"
            raise MailRefusedError(result.problem, code=code)
        number = self.ids.write(Kind.MESSAGE, result.number)
        suppressed = result.result is MessageResult.SUPPRESSED
        return 250, f"{number}{SUPPRESSED}{result.reason}" if suppressed else number

    @staticmethod
    def _note(guest: Guest, asked: Sequence[Asked], found: Sequence[Known]) -> None:
        fresh = sum(isinstance(one, Answered) and one.fresh for one in found)
        log.info(
            "mail taken on",
            extra={"key_id": guest.key.id, "messages": fresh, "known": len(asked) - fresh},
        )


def _call_of(guest: Guest, mail: SubmittedMail, recipient: str) -> Call | None:
    """What tells this mail to this person from another one; None when nothing names it."""
    said = (mail.sender, mail.subject, mail.text, mail.html, mail.purpose, mail.reference, dict(mail.details))
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    if mail.idempotency_key:
        name = hashlib.sha256(f"{mail.idempotency_key}\0{recipient}".encode()).hexdigest()
        return Call(guest.key.line_id, f"smtp/key/{name}", digest)
    if mail.message_id:
        # What it says is part of its name: a program that numbers its mails badly loses none of them.
        name = hashlib.sha256(f"{mail.message_id}\0{recipient}\0{digest}".encode()).hexdigest()
        return Call(guest.key.line_id, f"smtp/id/{name}", digest)
    return None


def _told(found: Sequence[Known]) -> str:
    """One answer for all recipients."""
    if any(isinstance(one, InFlight) for one in found):
        return "451 4.5.0 The same mail is being taken on right now, try again in a moment"
    if any(isinstance(one, Different) for one in found):
        return "554 5.5.0 That X-Tocsin-Idempotency-Key belongs to another mail"
    answers = [one.answer for one in found if isinstance(one, Answered)]
    if len(answers) == 1:
        return f"250 2.0.0 Accepted as {answers[0]}"
    suppressed = sum(SUPPRESSED in answer for answer in answers)
    return f"250 2.0.0 Accepted: {len(answers)} messages, {suppressed} of them suppressed"
