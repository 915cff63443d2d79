"""Text messages through Twilio.

Twilio's own client speaks its API; the HTTP underneath is httpx instead of the aiohttp it comes with,
because httpx tells a connection that was never made (send again) from an answer that never came (do
not). The client is imported when the first message leaves: it costs 0.2 s and 30 MB.
"""

import logging
import math
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

import httpx

from models.errors import SettingsError
from models.states import Channel
from models.values import Accepted, Deferred, Envelope, Outcome, Refused, Reply, SmsEnvelope, Uncertain
from sender.parcels import ParcelQueue
from sender.transport import (
    Parcel,
    TransportAuthenticationError,
    TransportTimeoutError,
    TransportUnavailableError,
    send_one,
)

if TYPE_CHECKING:
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException
    from twilio.rest import Client

    TwilioError = TwilioRestException | TwilioServiceException

MAX_VALIDITY_SECONDS = 36_000
MESSAGING_SERVICE = "MG"
"""How the id of a messaging service begins: a pool of senders from which Twilio chooses."""

_log = logging.getLogger(__name__)

OUTCOME_BY_CODE: MappingProxyType[int, type[Deferred | Refused]] = MappingProxyType(
    {
        # Not now: rates and queues.
        14107: Deferred,  # send rate limit exceeded
        20429: Deferred,  # too many requests
        21611: Deferred,  # the sender's queue is full
        30001: Deferred,  # queue overflow
        30022: Deferred,  # the operator's rate limit
        63038: Deferred,  # the account's daily limit
        20503: Deferred,  # the service takes nothing at present
        # The account rather than the message: nothing may be lost while somebody settles it.
        20003: Deferred,  # credentials refused
        20005: Deferred,  # account not active
        20006: Deferred,  # access denied
        20403: Deferred,  # forbidden
        30002: Deferred,  # account suspended
        # Never.
        21211: Refused,  # invalid recipient
        21408: Refused,  # this country is switched off
        21602: Refused,  # no text
        21610: Refused,  # the recipient opted out
        21612: Refused,  # no route
        21614: Refused,  # not a mobile number
        21617: Refused,  # over 1600 characters
    }
)
"""What Twilio's error numbers mean for the message (twilio.com/docs/api/errors); others go by HTTP status."""
SIGN_IN_CODES = frozenset({20003, 20005, 20006, 20403, 30002})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What httpx raises when no octet of the request has left."""


@dataclass(frozen=True, slots=True)
class TwilioOptions:
    """`base_url` None: Twilio itself; otherwise scheme, host and port of what takes its place.

    `connections`: requests under way at a time.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    base_url: str | None = None
    timeout: timedelta = timedelta(seconds=30)
    connections: int = 8


class TwilioTransport:
    """The transport for text messages; see `sender.transport.Transport`."""

    channel = Channel.SMS

    def __init__(self, options: TwilioOptions) -> None:
        """Connects to nothing yet. SettingsError without an account."""
        if not options.account_sid or not options.auth_token:
            raise SettingsError(
                "The Twilio account is not named.",
                "Set TOCSIN_TWILIO_ACCOUNT_SID and TOCSIN_TWILIO_AUTH_TOKEN.",
            )
        self._options = options
        self._http: httpx.AsyncClient | None = None
        self._client: Client | None = None
        self._queue = ParcelQueue(self._carry, workers=options.connections)

    def route(self, provider: str) -> str:  # noqa: ARG002 - there is one
        """See `Transport.route`."""
        return ""

    async def send(self, envelope: Envelope, *, provider: str) -> Outcome:
        """Hand one text message over; see `Transport.send`."""
        return await send_one(self, envelope, provider)

    def offer(self, parcel: Parcel) -> None:
        """See `Transport.offer`."""
        if not isinstance(parcel.envelope, SmsEnvelope):
            raise TypeError("The Twilio transport takes text messages only.")
        self._queue.offer(parcel)

    def withdraw(self) -> None:
        """See `Transport.withdraw`."""
        self._queue.withdraw()

    def allow(self, provider: str, connections: int | None, messages: int | None = None) -> None:
        """See `Transport.allow`: every provider shares the one way to Twilio."""

    async def check(self) -> str:
        """Ask for the account; one line of what was found, or a TransportError."""
        from twilio.base.exceptions import TwilioException  # noqa: PLC0415 - slow to import

        try:
            account = await self._connect().api.accounts(self._options.account_sid).fetch_async()
        except httpx.TimeoutException as error:
            raise TransportTimeoutError("Twilio did not answer in time.", "Try again later.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise TransportUnavailableError(
                f"Twilio cannot be reached: {_in_words(error)}.",
                "Check this machine's network, and TOCSIN_TWILIO_BASE_URL if it is set.",
            ) from error
        except TwilioException as error:
            reply = _read_reply(error)
            if reply.code in SIGN_IN_CODES or getattr(error, "status", None) in (401, 403):
                raise TransportAuthenticationError(
                    f"Twilio refused the account {self._options.account_sid}: {reply.text}.",
                    "Check its SID and its auth token.",
                    reply,
                ) from error
            raise TransportUnavailableError(f"Twilio does not work now: {reply.text}.", "", reply) from error
        return f"Twilio account {account.friendly_name or self._options.account_sid}, {account.status}"

    async def close(self) -> None:
        """Wait for the messages under way and close the connections."""
        await self._queue.close()
        if self._http is not None:
            await self._http.aclose()

    def _connect(self) -> "Client":
        if self._client is None:
            from twilio.rest import Client  # noqa: PLC0415 - slow to import

            self._http = httpx.AsyncClient(timeout=self._options.timeout.total_seconds())
            self._client = Client(  # type: ignore[no-untyped-call]
                self._options.account_sid,
                self._options.auth_token,
                http_client=_make_http_client(self._http, self._options.base_url),
            )
        return self._client

    async def _carry(self, parcel: Parcel) -> Outcome:
        try:
            self._connect()
            parcel.on_wire()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing has left
            return Deferred(Reply(None, None, str(error)), unreached=True)
        try:
            outcome = await self._create(cast("SmsEnvelope", parcel.envelope))
        except Exception as error:  # noqa: BLE001 - whatever it is, the message may have left
            _log.exception("text message failed")
            return Uncertain(Reply(None, None, f"The transport failed: {type(error).__name__}."))
        if isinstance(outcome, Deferred) and outcome.unreached:
            self._queue.withdraw()
        return outcome

    async def _create(self, envelope: SmsEnvelope) -> Outcome:
        from twilio.base.exceptions import TwilioException  # noqa: PLC0415 - slow to import

        try:
            message = await self._connect().messages.create_async(**_parameters(envelope))
        except TwilioException as error:
            return read_error(error)
        except NEVER_SENT as error:
            return Deferred(
                Reply(None, None, f"Twilio cannot be reached: {_in_words(error)}."), unreached=True
            )
        except (httpx.HTTPError, ValueError) as error:
            # The request has left; a lost answer or one that is no JSON says nothing about the message.
            return Uncertain(Reply(None, None, f"No answer from Twilio: {_in_words(error)}."))
        if not message.sid:
            return Uncertain(Reply(None, None, "Twilio's answer names no message."))
        if message.error_code:
            reply = Reply(message.error_code, None, message.error_message or "")
            return OUTCOME_BY_CODE.get(message.error_code, Refused)(reply)
        return Accepted(Reply(None, None, str(message.status or "")), provider_message_id=message.sid)


def read_error(error: Exception) -> Deferred | Refused | Uncertain:
    """What a TwilioException means: by its number, else by its HTTP status.

    A server's or a gateway's own failure says nothing of the message: it may be on its way already (RFC 9110
    section 15.6), and nobody gets it twice by our guess. The operator's report settles it.
    """
    reply = _read_reply(error)
    status = getattr(error, "status", None)
    if reply.code in SIGN_IN_CODES:
        # The account, not the message: every other would meet the same.
        reply = replace(reply, text=f"Twilio refuses the account: {reply.text.rstrip('.')}.")
        return Deferred(reply, unreached=True)
    if reply.code is not None and (kind := OUTCOME_BY_CODE.get(reply.code)):
        return kind(reply)
    if isinstance(status, int) and 400 <= status < 500 and status not in (401, 403, 408, 425, 429):
        return Refused(reply)
    if isinstance(status, int) and (status >= 500 or status == 408):
        return Uncertain(reply)
    return Deferred(reply)


def _in_words(error: Exception) -> str:
    """What keeps the request from its answer, without the system's numbers."""
    words = re.sub(r"\[[^\]]*\]|\(_ssl\.c:\d+\)", "", str(error)).strip().rstrip(".").lower()
    match error:
        case httpx.TimeoutException():
            return "it did not answer in time"
        case httpx.ConnectError() if "certificate" in words:
            return "its certificate cannot be trusted"
        case httpx.ConnectError() if "wrong version number" in words:
            return "what answers there does not speak TLS"
        case httpx.ConnectError() if "name or service" in words or "resolution" in words:
            return "its name is unknown here"
        case httpx.ConnectError():
            return "connection refused" if "attempts failed" in words else words or "no connection"
        case httpx.RemoteProtocolError() | httpx.ReadError():
            return "the connection was lost"
        case _:
            return words or type(error).__name__


def _read_reply(error: Exception) -> Reply:
    """Twilio's number and words; its two kinds of exception name them differently."""
    code = getattr(error, "code", None)
    text = getattr(error, "msg", None) or getattr(error, "detail", None) or getattr(error, "title", None)
    return Reply(code if isinstance(code, int) else None, None, str(text or error))


def _parameters(envelope: SmsEnvelope) -> dict[str, Any]:
    """The arguments of Twilio's create call; what is not there is left to the account's settings."""
    parameters: dict[str, Any] = {"to": envelope.recipient, "body": envelope.text}
    if envelope.sender.startswith(MESSAGING_SERVICE) and len(envelope.sender) == 34:
        parameters["messaging_service_sid"] = envelope.sender
    else:
        parameters["from_"] = envelope.sender
    if envelope.status_callback is not None:
        parameters["status_callback"] = envelope.status_callback
    if envelope.validity is not None:
        seconds = math.ceil(envelope.validity.total_seconds())
        parameters["validity_period"] = min(max(seconds, 1), MAX_VALIDITY_SECONDS)
    return parameters


def _make_http_client(http: httpx.AsyncClient, base_url: str | None) -> Any:
    """What Twilio's client calls for each request, on httpx, scheme and host replaced by `base_url`'s."""
    from twilio.http import AsyncHttpClient  # noqa: PLC0415 - slow to import
    from twilio.http.response import Response  # noqa: PLC0415

    class HttpxClient(AsyncHttpClient):
        async def request(  # type: ignore[override]  # noqa: PLR0917 - Twilio's calling convention
            self,
            method: str,
            url: str,
            params: dict[str, object] | None = None,
            data: dict[str, object] | None = None,
            headers: dict[str, str] | None = None,
            auth: tuple[str, str] | None = None,
            timeout: float | None = None,  # noqa: ASYNC109, ARG002 - Twilio's calling convention
            allow_redirects: bool = False,  # noqa: FBT001, FBT002
        ) -> Response:
            answer = await http.request(
                method,
                _replace_host(url, base_url),
                params=cast("dict[str, str] | None", params),
                data=data,
                headers=headers,
                auth=auth,
                follow_redirects=allow_redirects,
            )
            return Response(answer.status_code, answer.text, answer.headers)

    return HttpxClient(logger=_log, is_async=True)


def _replace_host(url: str, base_url: str | None) -> str:
    if base_url is None:
        return url
    base, parts = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, parts.path, parts.query, ""))
