"""What one message costs this process, step by step: `python -m benchmarks.wire [messages]`.

Written, signed and handed over apart from each other, on one core, without a database, beside the RSA-2048
signatures that core makes in the same run. Sending is measured as CPU time of this process; the sink at the
far end is another one. The whole is measured by `tocsin bench send`.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from benchmarks import newsletter
from benchmarks.yardsticks import RsaYardstick
from models.clock import SystemClock
from models.keyring import Keyring
from models.signing import DkimAlgorithm, EmailSender, SigningKey
from models.tokens import DeliveryTokens, Tokens
from models.values import Accepted, EmailEnvelope, EmailMessage, Outcome
from sender import EmailBuilder, Parcel, SmtpOptions, SmtpServer, SmtpTransport
from sender.dkim import make_key
from sender.smtp import Tls
from service import loops
from templates import compile_email

PASSES = 5
CONNECTIONS = 10
DOMAIN = "association.example"


class Writer:
    """Writes the newsletter to one person after the other, as the scheduler does."""

    def __init__(self) -> None:
        """Compiled once."""
        self._compiled = compile_email(
            subject=newsletter.SUBJECT, preheader=newsletter.PREHEADER, mjml=newsletter.mjml(), fallbacks={}
        )
        self._tokens = Tokens(Keyring("not a secret: nothing is sent anywhere"))
        self._people = [
            {**newsletter.person(number), "organisation": "L’association", "postal_address": "1 rue Haute"}
            for number in range(1000)
        ]
        self._date = SystemClock().now()
        key = make_key(DkimAlgorithm.RSA)
        self._unsigned = _builder()
        self._signed = _builder(SigningKey(DOMAIN, "s1", DkimAlgorithm.RSA, key.private_pem))

    def render(self, number: int, tokens: DeliveryTokens | None = None) -> EmailMessage:
        """The two parts, links and all."""
        tokens = tokens or self._tokens.make_all(number)
        return self._compiled.render(
            self._people[number % len(self._people)],
            click_base=f"https://lettre.{DOMAIN}/c/{tokens.visit}",
            unsubscribe_url=f"https://lettre.{DOMAIN}/u/{tokens.leave}",
        )

    def write(self, number: int, *, sign: bool) -> EmailEnvelope:
        """The whole message."""
        tokens = self._tokens.make_all(number)
        return (self._signed if sign else self._unsigned).build(
            self.render(number, tokens),
            recipient=f"p{number}@boites.example",
            return_path=f"b+{tokens.bounce}@retour.{DOMAIN}",
            message_id=f"{tokens.message}@{DOMAIN}",
            date=self._date,
            headers=(
                ("List-Unsubscribe", f"<https://lettre.{DOMAIN}/u/{tokens.leave}>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("Feedback-ID", "12:amis:email:tocsin"),
                ("X-Tocsin-Delivery", tokens.message),
            ),
        )


def _builder(*keys: SigningKey) -> EmailBuilder:
    return EmailBuilder(
        EmailSender(
            key="amis",
            name="L’association",
            from_email=f"lettre@{DOMAIN}",
            reply_to=f"contact@{DOMAIN}",
            return_path_domain=f"retour.{DOMAIN}",
            signing_keys=keys,
        )
    )


def _cost(step: Callable[[int], object], count: int) -> float:
    """CPU microseconds of one step, the best of some passes: whatever else the machine does only adds."""
    best = float("inf")
    for _ in range(PASSES):
        begun = time.process_time()
        for number in range(count):
            step(number)
        best = min(best, (time.process_time() - begun) / count * 1e6)
    return best


async def _send(port: int, envelopes: list[EmailEnvelope]) -> tuple[float, float]:
    """CPU microseconds a message, and messages a second by the clock."""
    transport = SmtpTransport(
        SmtpOptions(
            relay=SmtpServer("127.0.0.1", port, Tls.NONE),
            connections_per_server=CONNECTIONS,
            messages_per_connection=len(envelopes),
        )
    )
    # Connected, and warm.
    await asyncio.gather(*(transport.send(envelope, provider="other") for envelope in envelopes[:100]))
    left = len(envelopes)
    finished = asyncio.Event()

    def done(outcome: Outcome | None) -> None:
        nonlocal left
        if not isinstance(outcome, Accepted):
            raise TypeError(f"A message was not accepted: {outcome}")
        left -= 1
        if not left:
            finished.set()

    cpu, clock = time.process_time(), time.perf_counter()
    for envelope in envelopes:
        transport.offer(Parcel(envelope, "other", lambda: None, done))
    await finished.wait()
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    await transport.close()
    return cpu / len(envelopes) * 1e6, len(envelopes) / clock


def figures(count: int) -> Iterator[str]:
    """The figures, microseconds a message, a line each."""
    writer = Writer()
    rendered = _cost(writer.render, count)
    written = _cost(lambda number: writer.write(number, sign=False), count)
    signed = _cost(lambda number: writer.write(number, sign=True), count // 4)
    rate = RsaYardstick().rate()
    yield f"message of {len(writer.write(1, sign=True).data):,} octets, µs of CPU each"
    yield f"rendered (tokens included)      {rendered:7.1f}"
    yield f"… and built                     {written:7.1f}"
    yield f"… and signed                    {signed:7.1f}"
    yield f"RSA-2048 alone                  {1e6 / rate:7.1f}   ({rate:,.0f}/s on one core)"
    envelopes = [writer.write(number, sign=False) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.sink", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
            try:
                port = int((sink.stdout.readline() if sink.stdout else "0").split()[0])
                for name, run in (("uvloop", loops.run), ("asyncio", asyncio.run)):
                    each, speed = min(run(_send(port, envelopes)) for _ in range(PASSES))
                    yield f"sent, {name:8}                  {each:7.1f}   ({speed:,.0f}/s by the clock)"
            finally:
                sink.terminate()


if __name__ == "__main__":
    for line in figures(int(sys.argv[1]) if len(sys.argv) > 1 else 3000):
        sys.stdout.write(f"{line}\n")
