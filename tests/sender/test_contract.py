"""What every transport promises, whatever it speaks: the same cases for each of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from models.states import Channel
from models.values import Accepted, Deferred, Envelope, Refused, Uncertain
from sender import Transport
from sender.smtp import Tls
from sender.transport import TransportAuthenticationError, TransportError
from tests.sender.conftest import Authority, Connect, ConnectTwilio, StartPeer, a_letter, a_text
from tests.sender.servers import Drop, HttpAnswer, HttpRequest, TwilioPeer

SMTP = {
    "smtp": (Tls.NONE, ("PIPELINING",)),
    "smtp in turn": (Tls.NONE, ("8BITMIME",)),
    "starttls": (Tls.STARTTLS, ("PIPELINING",)),
    "starttls in turn": (Tls.STARTTLS, ("8BITMIME",)),
    "implicit tls": (Tls.IMPLICIT, ("PIPELINING",)),
    "implicit tls in turn": (Tls.IMPLICIT, ("8BITMIME",)),
}


@dataclass
class Line:
    """A transport, what it takes, and its other end: how many arrived, and how to make it misbehave."""

    transport: Transport
    stranger: Transport
    envelope: Envelope
    arrived: Callable[[], int]
    behave: Callable[[str], None]


@pytest.fixture(params=[*SMTP, "twilio"])
async def line(  # noqa: PLR0917
    request: pytest.FixtureRequest,
    peer: StartPeer,
    transport: Connect,
    authority: Authority,
    twilio: TwilioPeer,
    texting: ConnectTwilio,
) -> Line:
    if request.param == "twilio":
        return twilio_line(twilio, texting)
    tls, extensions = SMTP[request.param]
    encryption = {} if tls is Tls.NONE else {"tls": authority.tls, "implicit": tls is Tls.IMPLICIT}
    server = await peer(extensions=extensions, accounts={"amis": "right"}, **encryption)

    def behave(manner: str) -> None:
        server.manners.replies, server.manners.drop_at, server.manners.stall_at = {}, None, None
        match manner:
            case "refuses":
                server.manners.replies["RCPT"] = "550 5.1.1 unknown"
            case "defers":
                server.manners.replies["MAIL"] = "451 4.3.0 later"
            case "drops before":
                server.manners.drop_at = "GREETING"
            case "drops after":
                server.manners.drop_at = "DOT"
            case "stalls after":
                server.manners.stall_at = "DOT"
            case _:
                pass

    def make(password: str) -> Transport:
        return transport(
            server, timeout=1.0, tls=tls, ca_file=authority.ca_file, username="amis", password=password
        )

    return Line(make("right"), make("wrong"), a_letter(), lambda: len(server.messages), behave)


def twilio_line(twilio: TwilioPeer, texting: ConnectTwilio) -> Line:
    accepted: list[HttpRequest] = []
    manner = ""

    def behave(wanted: str) -> None:
        nonlocal manner
        manner = wanted

    async def answer(request: HttpRequest) -> HttpAnswer:
        match manner:
            case "refuses":
                return HttpAnswer(400, {"code": 21211, "message": "invalid"})
            case "defers":
                return HttpAnswer(429, {"code": 20429, "message": "too many"})
            case "drops before":
                return HttpAnswer(503, {"code": 20503, "message": "no"})
            case "drops after":
                raise Drop
            case "stalls after":
                await asyncio.sleep(3600)
            case _:
                pass
        usual = await twilio.accept(request)
        if usual.status == 201:
            accepted.append(request)
        return usual

    twilio.handler = answer
    return Line(texting(seconds=0.5), texting(auth_token="wrong"), a_text(), lambda: len(accepted), behave)


async def test_what_is_accepted_has_arrived_once(line: Line) -> None:
    for _ in range(3):
        assert isinstance(await line.transport.send(line.envelope, provider="other"), Accepted)
    assert line.arrived() == 3


async def test_many_at_once_all_arrive(line: Line) -> None:
    outcomes = await asyncio.gather(
        *(line.transport.send(line.envelope, provider="other") for _ in range(40))
    )
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert line.arrived() == 40


@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        ("refuses", Refused),
        ("defers", Deferred),
        ("drops before", Deferred),
        ("drops after", Uncertain),
        ("stalls after", Uncertain),
    ],
)
async def test_every_mishap_has_its_outcome_and_passes(line: Line, manner: str, kind: type) -> None:
    line.behave(manner)
    outcome = await line.transport.send(line.envelope, provider="other")
    assert type(outcome) is kind
    assert outcome.reply.text
    assert line.arrived() == 0
    line.behave("")
    assert isinstance(await line.transport.send(line.envelope, provider="other"), Accepted)
    assert line.arrived() == 1


async def test_a_check_is_one_line_and_sends_nothing(line: Line) -> None:
    found = await line.transport.check()
    assert found
    assert "\n" not in found
    assert line.arrived() == 0


async def test_wrong_credentials_lose_no_message_and_fail_the_check(line: Line) -> None:
    assert isinstance(await line.stranger.send(line.envelope, provider="other"), Deferred)
    with pytest.raises(TransportAuthenticationError) as raised:
        await line.stranger.check()
    assert raised.value.advice
    assert isinstance(raised.value, TransportError)
    assert raised.value.reply.code in (535, 20003)


async def test_an_envelope_of_another_channel_is_a_mistake_of_the_caller(line: Line) -> None:
    other = a_text() if line.transport.channel is Channel.EMAIL else a_letter()
    with pytest.raises(TypeError):
        await line.transport.send(other, provider="other")


async def test_a_closed_transport_defers_and_can_be_closed_again(line: Line) -> None:
    assert isinstance(await line.transport.send(line.envelope, provider="other"), Accepted)
    await line.transport.close()
    assert isinstance(await line.transport.send(line.envelope, provider="other"), Deferred)
    await line.transport.close()
    assert line.arrived() == 1
