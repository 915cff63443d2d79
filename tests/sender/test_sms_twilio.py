"""Text messages through something that answers like Twilio, and what each of its answers means."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest

from models.errors import SenderError, SettingsError
from models.states import Channel
from models.values import Accepted, Deferred, Outcome, Refused, Reply, Uncertain
from sender import Parcel
from sender.sms_twilio import TwilioOptions, TwilioTransport
from sender.transport import (
    TransportAuthenticationError,
    TransportError,
    TransportTimeoutError,
    TransportUnavailableError,
)
from tests.sender.conftest import ACCOUNT, TOKEN, ConnectTwilio, a_letter, a_text
from tests.sender.servers import Drop, HttpAnswer, HttpRequest, TwilioPeer


async def test_a_text_message_is_handed_over_as_twilio_wants_it(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    outcome = await texting().send(a_text(), provider="sms")
    assert isinstance(outcome, Accepted)
    (request,) = twilio.requests
    assert outcome.provider_message_id == f"SM{1:032d}"
    assert outcome.reply.text == "queued"
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert (request.user, request.password) == (ACCOUNT, TOKEN)
    assert request.form == {
        "To": "+33612345678",
        "From": "Amis",
        "Body": "Réunion mardi à 19 h — STOP 36123",
        "StatusCallback": "https://t.news.test/hooks/twilio/status",
        "ValidityPeriod": "3600",
    }


async def test_a_messaging_service_chooses_the_sender(twilio: TwilioPeer, texting: ConnectTwilio) -> None:
    service = "MG" + "0" * 32
    await texting().send(a_text(sender=service, status_callback=None, validity=None), provider="sms")
    (request,) = twilio.requests
    assert request.form["MessagingServiceSid"] == service
    assert not {"From", "StatusCallback", "ValidityPeriod"} & request.form.keys()


async def test_a_sender_called_mg_something_is_no_messaging_service(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    await texting().send(a_text(sender="MGParis"), provider="sms")
    assert twilio.requests[0].form["From"] == "MGParis"


@pytest.mark.parametrize(
    ("validity", "seconds"),
    [(timedelta(milliseconds=1), "1"), (timedelta(0), "1"), (timedelta(days=3), "36000")],
)
async def test_validity_stays_within_what_twilio_allows(
    twilio: TwilioPeer, texting: ConnectTwilio, validity: timedelta, seconds: str
) -> None:
    await texting().send(a_text(validity=validity), provider="sms")
    assert twilio.requests[0].form["ValidityPeriod"] == seconds


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 20429, Deferred),
        (400, 21611, Deferred),
        (400, 30001, Deferred),
        (401, 20003, Deferred),
        (403, 20005, Deferred),
        (403, 30002, Deferred),
        (400, 21610, Refused),
        (400, 21211, Refused),
        (400, 21408, Refused),
        (400, 21612, Refused),
        (400, 21614, Refused),
        (400, 21617, Refused),
        (400, 29999, Refused),
        (404, 20404, Refused),
        (500, 20500, Uncertain),
        (503, 20503, Deferred),
    ],
)
@pytest.mark.parametrize("style", ["twilio", "RFC 9457"])
async def test_each_error_means_what_the_table_says(  # noqa: PLR0917
    twilio: TwilioPeer, texting: ConnectTwilio, status: int, code: int, kind: type, style: str
) -> None:
    content = {"twilio": {"message": "no"}, "RFC 9457": {"type": "x", "title": "no"}}[style]
    outcome = await answered(twilio, texting, HttpAnswer(status, {**content, "status": status, "code": code}))
    assert type(outcome) is kind
    assert outcome.reply.code == code
    assert "no" in outcome.reply.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((429, Deferred), (425, Deferred), (401, Deferred), (403, Deferred), (422, Refused)),
        # The gateway gave up waiting; what stands behind it may have taken the message all the same.
        *((408, Uncertain), (500, Uncertain), (502, Uncertain), (503, Uncertain), (504, Uncertain)),
    ],
)
@pytest.mark.parametrize("text", ["<html>no</html>", "[]", "7", ""])
async def test_an_error_without_a_number_goes_by_its_status(
    twilio: TwilioPeer, texting: ConnectTwilio, status: int, kind: type, text: str
) -> None:
    outcome = await answered(twilio, texting, HttpAnswer(status, text=text))
    assert type(outcome) is kind
    assert outcome.reply.code == status
    assert outcome.reply.text


async def answered(twilio: TwilioPeer, texting: ConnectTwilio, answer: HttpAnswer) -> Outcome:
    """What becomes of a message that is answered so."""

    async def give(_request: HttpRequest) -> HttpAnswer:
        return answer

    twilio.handler = give
    return await texting().send(a_text(), provider="sms")


async def test_a_message_that_failed_at_once_is_not_accepted(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    async def answer(_request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(
            201, {"sid": "SM1", "status": "failed", "error_code": 21610, "error_message": "STOP"}
        )

    twilio.handler = answer
    outcome = await texting().send(a_text(), provider="sms")
    assert isinstance(outcome, Refused)
    assert (outcome.reply.code, outcome.reply.text) == (21610, "STOP")


@pytest.mark.parametrize("answer", [HttpAnswer(201, text="not JSON"), HttpAnswer(201, {"status": "queued"})])
async def test_an_answer_that_names_no_message_leaves_it_uncertain(
    twilio: TwilioPeer, texting: ConnectTwilio, answer: HttpAnswer
) -> None:
    async def give(_request: HttpRequest) -> HttpAnswer:
        return answer

    twilio.handler = give
    assert isinstance(await texting().send(a_text(), provider="sms"), Uncertain)


@pytest.mark.parametrize("manner", ["drops", "stalls"])
async def test_an_answer_that_never_comes_leaves_it_uncertain(
    twilio: TwilioPeer, texting: ConnectTwilio, manner: str
) -> None:
    async def vanish(_request: HttpRequest) -> HttpAnswer:
        if manner == "stalls":
            await asyncio.sleep(3600)
        raise Drop

    twilio.handler = vanish
    outcome = await texting(seconds=0.3).send(a_text(), provider="sms")
    assert isinstance(outcome, Uncertain)
    assert len(twilio.requests) == 1


async def test_a_connection_that_cannot_be_made_defers(twilio: TwilioPeer, texting: ConnectTwilio) -> None:
    await twilio.stop()
    outcome = await texting().send(a_text(), provider="sms")
    assert isinstance(outcome, Deferred)
    assert outcome.reply == Reply(None, None, "Twilio cannot be reached: connection refused.")
    assert outcome.unreached


async def test_a_check_says_in_one_line_what_it_found(twilio: TwilioPeer, texting: ConnectTwilio) -> None:
    assert await texting().check() == "Twilio account Amis, active"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HttpAnswer(401, {"code": 20003, "message": "Authenticate"}), TransportAuthenticationError),
        (HttpAnswer(403, text="no"), TransportAuthenticationError),
        (HttpAnswer(503, text="no"), TransportUnavailableError),
        (HttpAnswer(200, text="no JSON"), TransportUnavailableError),
        (None, TransportTimeoutError),
    ],
)
async def test_a_check_says_what_keeps_it_from_working(
    twilio: TwilioPeer, texting: ConnectTwilio, answer: HttpAnswer | None, error: type[TransportError]
) -> None:
    async def give(_request: HttpRequest) -> HttpAnswer:
        if answer is None:
            await asyncio.sleep(3600)
            raise Drop
        return answer

    twilio.handler = give
    with pytest.raises(error) as raised:
        await texting(seconds=0.3).check()
    assert type(raised.value) is error


async def test_a_check_of_nothing_says_so(twilio: TwilioPeer, texting: ConnectTwilio) -> None:
    await twilio.stop()
    with pytest.raises(TransportUnavailableError, match="cannot be reached"):
        await texting().check()


async def test_closing_waits_for_what_is_under_way_and_takes_nothing_new(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    async def linger(request: HttpRequest) -> HttpAnswer:
        await asyncio.sleep(0.1)
        return await twilio.accept(request)

    twilio.handler = linger
    line = texting()
    sending = [asyncio.create_task(line.send(a_text(), provider="sms")) for _ in range(3)]
    await asyncio.sleep(0)
    await line.close()
    assert all(task.done() for task in sending)
    assert all(isinstance(outcome, Accepted) for outcome in await asyncio.gather(*sending))
    assert isinstance(await line.send(a_text(), provider="sms"), Deferred)
    await line.close()


async def test_a_text_message_is_noted_before_its_request_leaves(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    requests_when_noted: list[int] = []
    told: list[Outcome | None] = []
    line = texting()
    line.offer(Parcel(a_text(), "sms", lambda: requests_when_noted.append(len(twilio.requests)), told.append))
    await line.close()
    assert requests_when_noted == [0]
    assert [type(outcome) for outcome in told] == [Accepted]
    assert len(twilio.requests) == 1


async def test_a_text_message_that_cannot_be_noted_does_not_leave(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    def on_wire() -> None:
        raise SenderError("The journal cannot be written.")

    told: list[Outcome | None] = []
    line = texting()
    line.offer(Parcel(a_text(), "sms", on_wire, told.append))
    await line.close()
    (outcome,) = told
    assert isinstance(outcome, Deferred)
    assert outcome.unreached
    assert outcome.reply.text == "The journal cannot be written."
    assert twilio.requests == []


async def test_text_messages_wait_their_turn_and_can_be_withdrawn(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    under_way = most = 0

    async def linger(request: HttpRequest) -> HttpAnswer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return await twilio.accept(request)

    twilio.handler = linger
    told: list[Outcome | None] = []
    line = texting()
    for _ in range(20):
        line.offer(Parcel(a_text(), "sms", lambda: None, told.append))
    async with asyncio.timeout(60):
        while len(told) < 3:
            await asyncio.sleep(0.005)
    line.withdraw()
    await line.close()
    assert len(told) == 20
    assert most == TwilioOptions(ACCOUNT, TOKEN).connections
    assert told.count(None) == 20 - len(twilio.requests)
    assert told.count(None) >= 1


async def test_when_twilio_cannot_be_reached_one_is_told_and_the_others_are_given_back(
    twilio: TwilioPeer, texting: ConnectTwilio
) -> None:
    await twilio.stop()
    told: list[Outcome | None] = []
    line = texting()
    for _ in range(30):
        line.offer(Parcel(a_text(), "sms", lambda: None, told.append))
    await line.close()
    assert len(told) == 30
    assert all(outcome is None or (isinstance(outcome, Deferred) and outcome.unreached) for outcome in told)
    assert told.count(None) >= 30 - TwilioOptions(ACCOUNT, TOKEN).connections


async def test_a_twilio_transport_takes_no_e_mails(texting: ConnectTwilio) -> None:
    assert texting().channel is Channel.SMS
    with pytest.raises(TypeError):
        await texting().send(a_letter(), provider="gmail")


def test_a_transport_without_an_account_is_not_made() -> None:
    for options in (TwilioOptions("", TOKEN), TwilioOptions(ACCOUNT, "")):
        with pytest.raises(SettingsError):
            TwilioTransport(options)


def test_a_token_is_never_shown() -> None:
    assert TOKEN not in repr(TwilioOptions(ACCOUNT, TOKEN))


def test_importing_the_sender_does_not_import_twilio() -> None:
    code = "import sender, sys; sys.exit(any(name.split('.')[0] == 'twilio' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
