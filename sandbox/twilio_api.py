"""A text-message provider with Twilio's API: takes messages, reports on them later, passes answers on.

It has its own idea of segments and of signatures; the product's comes from Twilio's library, so that an
error in one of the two shows.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from models.clock import Clock
from sandbox.errands import Errands
from sandbox.fates import SmsFate, draw, sms_fate_of
from sandbox.readers import Readers
from sandbox.witness import Witness

API_VERSION = "2010-04-01"
MAX_TEXT = 1600
INBOUND_PATH = "/hooks/twilio/inbound"
# Where people answer an alphanumeric sender, which cannot receive: the operators' short code.
SHORT_CODE = "36111"
SENT_SECONDS = 1.0
DELIVERED_SECONDS = (2.0, 8.0)
ANSWER_SECONDS = (20.0, 90.0)
REPEATED_SHARE = 0.10
OUT_OF_ORDER_SHARE = 0.05
_STOP_WORDS = ("STOP", "Stop", "stop svp", "ARRET")
_E164 = re.compile(r"\+[1-9]\d{7,14}$")
_UNDELIVERED = {SmsFate.UNREACHABLE, SmsFate.UNKNOWN_HANDSET, SmsFate.LANDLINE, SmsFate.UNEXPLAINED}
# 3GPP TS 23.038 section 6.2.1: the default alphabet, then the characters that count twice.
_GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_DOUBLE = set("\f^{}\\[~]|€")
_PROBLEMS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "The 'To' number {to} is not a valid phone number."),
    21603: (400, "A 'From' phone number or a 'MessagingServiceSid' is required."),
    21604: (400, "A 'To' phone number is required."),
    21602: (400, "Message body is required."),
    21610: (400, "Attempt to send to unsubscribed recipient {to}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
}


@dataclass(slots=True)
class TextMessage:
    """One message as Twilio keeps it."""

    sid: str
    to: str
    sender: str
    service_sid: str | None
    body: str
    callback: str | None
    status: str
    created_at: datetime
    error_code: str | None = None
    updates: list[str] = field(default_factory=list)


class TwilioApi:
    """The API on a free port of the loopback."""

    def __init__(
        self,
        errands: Errands,
        witness: Witness,
        readers: Readers,
        clock: Clock,
        *,
        seed: int,
        account_sid: str,
        auth_token: str,
        messages_per_second: float | None,
    ) -> None:
        """`readers` go to the service for it; `messages_per_second` None takes everything."""
        self.account_sid = account_sid
        self._auth_token = auth_token
        self._errands = errands
        self._witness = witness
        self._readers = readers
        self._clock = clock
        self._seed = seed
        self._rate = messages_per_second
        self._next_free = 0.0
        self._messages: dict[str, TextMessage] = {}
        self._texts: set[tuple[str, str]] = set()
        self._stopped: set[str] = set()
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen; returns the base URL."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        path = f"/{API_VERSION}/Accounts/{{account_sid}}/Messages"
        app.add_api_route(f"{path}.json", self._create, methods=["POST"], response_model=None)
        app.add_api_route(f"{path}/{{sid}}.json", self._fetch, methods=["GET"], response_model=None)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        settings = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = _Server(settings)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None

    async def _create(self, account_sid: str, request: Request) -> JSONResponse:
        """Take a message, or say why not."""
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        problem = self._find_problem(account_sid, request, form)
        if problem is not None:
            self._witness.sms.refused[str(problem)] += 1
            return _write_problem(problem, form.get("To", ""))
        message = self._take(form)
        return JSONResponse(self._write(message), status_code=201)

    async def _fetch(self, account_sid: str, sid: str, request: Request) -> JSONResponse:
        """One message as it stands."""
        if not self._is_known(account_sid, request):
            return _write_problem(20003, "")
        message = self._messages.get(sid)
        return _write_problem(20404, "") if message is None else JSONResponse(self._write(message))

    def _is_known(self, account_sid: str, request: Request) -> bool:
        expected = base64.b64encode(f"{self.account_sid}:{self._auth_token}".encode()).decode()
        given = request.headers.get("authorization", "")
        return account_sid == self.account_sid and secrets.compare_digest(given, f"Basic {expected}")

    def _find_problem(self, account_sid: str, request: Request, form: Mapping[str, str]) -> int | None:
        """Twilio's code of the first thing wrong with a message, None when it is taken."""
        to = form.get("To", "")
        fate = sms_fate_of(to, self._seed)
        problems = (
            (20003, not self._is_known(account_sid, request)),
            (21604, not to),
            (21602, not form.get("Body")),
            (21603, not form.get("From") and not form.get("MessagingServiceSid")),
            (21617, len(form.get("Body", "")) > MAX_TEXT),
            (21211, not _E164.match(to) or fate is SmsFate.INVALID),
            (21610, to in self._stopped or fate is SmsFate.OPTED_OUT),
        )
        found = next((code for code, is_wrong in problems if is_wrong), None)
        return 20429 if found is None and self._is_too_fast() else found

    def _is_too_fast(self) -> bool:
        """GCRA with a burst of one second."""
        if self._rate is None:
            return False
        now = asyncio.get_running_loop().time()
        next_free = max(self._next_free, now)
        if next_free - now > 1.0:
            return True
        self._next_free = next_free + 1 / self._rate
        return False

    def _take(self, form: Mapping[str, str]) -> TextMessage:
        service = form.get("MessagingServiceSid")
        message = TextMessage(
            sid=_make_sid(f"{self._seed}/{len(self._messages)}"),
            to=form["To"],
            sender=form.get("From") or "+33939980000",
            service_sid=service,
            body=form["Body"],
            callback=form.get("StatusCallback"),
            status="accepted" if service else "queued",
            created_at=self._clock.now(),
        )
        self._messages[message.sid] = message
        tally = self._witness.sms
        tally.taken += 1
        tally.segments += count_segments(message.body)
        if (message.to, message.body) in self._texts:
            tally.doubles.append((message.to, message.body))
        self._texts.add((message.to, message.body))
        self._witness.note_if_unwanted(message.to, message.sender)
        self._errands.after(SENT_SECONDS, lambda: self._carry(message))
        return message

    async def _carry(self, message: TextMessage) -> None:
        """Everything that happens to a message after it was taken."""
        fate = sms_fate_of(message.to, self._seed)
        final = "undelivered" if fate in _UNDELIVERED else "delivered"
        updates = [*(["queued"] if message.service_sid else []), "sent", final]
        lot = draw(self._seed, "callbacks", message.sid)
        if lot < OUT_OF_ORDER_SHARE:
            updates[-1], updates[-2] = updates[-2], updates[-1]
        elif lot < OUT_OF_ORDER_SHARE + REPEATED_SHARE:
            updates.append(updates[-1])
        if final == "undelivered":
            message.error_code = fate.value
            self._witness.sms.undelivered[fate.value] += 1
        else:
            self._witness.sms.delivered += 1
        for update in updates:
            if update == final and update not in message.updates:
                await self._errands.pause(_between(DELIVERED_SECONDS, draw(self._seed, "delay", message.sid)))
            await self._report(message, update)
        # Whatever order the callbacks came in, the message itself has arrived or not.
        message.status = final
        if fate in {SmsFate.STOPS, SmsFate.ANSWERS}:
            wait = _between(ANSWER_SECONDS, draw(self._seed, "answer", message.sid))
            self._errands.after(wait, lambda: self._answer(message, fate))

    async def _report(self, message: TextMessage, status: str) -> None:
        """One status callback."""
        message.status = status
        message.updates.append(status)
        if message.callback is None:
            return
        form = self._common(message) | {
            "MessageStatus": status,
            "SmsStatus": status,
            "To": message.to,
            "From": message.sender,
        }
        if status == "undelivered" and message.error_code:
            form["ErrorCode"] = message.error_code
        await self._post(message.callback, form)

    async def _answer(self, message: TextMessage, fate: SmsFate) -> None:
        """What the person writes back; a STOP also closes the number to further messages, as Twilio does."""
        stops = fate is SmsFate.STOPS
        words = _STOP_WORDS[int(draw(self._seed, "words", message.to) * len(_STOP_WORDS))]
        body = words if stops else "Merci, je serai là !"
        form = self._common(message) | {
            "MessageSid": _make_sid(message.sid),
            "SmsStatus": "received",
            "To": message.sender
            if message.sender.startswith("+") or message.sender.isdigit()
            else SHORT_CODE,
            "From": message.to,
            "FromCountry": "FR",
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        form["SmsSid"] = form["SmsMessageSid"] = form["MessageSid"]
        if stops:
            form["OptOutType"] = "STOP"
            self._stopped.add(message.to)
        status = await self._post(f"{self._readers.web_base}{INBOUND_PATH}", form)
        if stops:
            self._witness.sms.stops += 1
        else:
            self._witness.sms.answers += 1
        if stops and status is not None and 200 <= status < 300:
            self._witness.saw_opt_out(message.to, "STOP")

    def _common(self, message: TextMessage) -> dict[str, str]:
        form = {
            "ApiVersion": API_VERSION,
            "AccountSid": self.account_sid,
            "MessageSid": message.sid,
            "SmsSid": message.sid,
        }
        if message.service_sid:
            form["MessagingServiceSid"] = message.service_sid
        return form

    async def _post(self, url: str, form: dict[str, str]) -> int | None:
        headers = {"x-twilio-signature": sign_request(url, form, self._auth_token)}
        status = await self._readers.post(url, form, headers)
        self._witness.sms.callbacks[status or 0] += 1
        return status

    def _write(self, message: TextMessage) -> dict[str, object]:
        """The message resource of API version 2010-04-01."""
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{message.sid}"
        now = format_datetime(message.created_at)
        return {
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "body": message.body,
            "date_created": now,
            "date_sent": None if message.status in {"accepted", "queued"} else now,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": int(message.error_code)
            if message.error_code and message.status == "undelivered"
            else None,
            "error_message": None,
            "from": message.sender,
            "messaging_service_sid": message.service_sid,
            "num_media": "0",
            "num_segments": str(count_segments(message.body)),
            "price": None,
            "price_unit": "EUR",
            "sid": message.sid,
            "status": message.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": message.to,
            "uri": f"{uri}.json",
        }


class _Server(uvicorn.Server):
    """uvicorn as a guest in somebody else's loop: it says when it listens and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def sign_request(url: str, form: Mapping[str, str], auth_token: str) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the URL and the form's sorted names and values, in base64."""
    signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), "sha1")).decode()


def count_segments(text: str) -> int:
    """How many parts a text takes: 160 or 153 septets each, else 70 or 67 UTF-16 units (3GPP TS 23.040)."""
    if all(character in _GSM or character in _GSM_DOUBLE for character in text):
        units, alone, together = sum(1 + (character in _GSM_DOUBLE) for character in text), 160, 153
    else:
        units, alone, together = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if units <= alone else -(-units // together)


def _make_sid(name: str) -> str:
    return f"SM{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"


def _between(bounds: tuple[float, float], lot: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * lot


def _write_problem(code: int, to: str) -> JSONResponse:
    status, text = _PROBLEMS[code]
    content = {
        "code": code,
        "message": text.format(to=to),
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(content, status_code=status)
