"""The service as a whole, in a process of its own: started, used, refused a second time, stopped."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.servers.sink import Sink
from tests.service.conftest import LAUNCH, Tocsin, Typed

PEOPLE = 60
ADDRESS = re.compile(r"at (http://localhost:\d+)")


@dataclass
class Service:
    """A running `tocsin serve`, and where it is."""

    process: subprocess.Popen[str]
    address: str
    greeting: list[str]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=40)


@contextmanager
def serving(tocsin: Tocsin, *words: str, **variables: str) -> Iterator[Service]:
    """`tocsin serve` on a free port; it ends with the block, whatever happens."""
    with subprocess.Popen(
        [*LAUNCH, "serve", "--port", "0", *words],
        cwd=tocsin.folder,
        env=tocsin.environment(TOCSIN_LOG_LEVEL="warning", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            greeting = [process.stdout.readline()]
            found = ADDRESS.search(greeting[0])
            assert found, greeting + process.stdout.readlines()
            yield Service(process, found[1], greeting)
        finally:
            if process.poll() is None:
                process.kill()


def test_the_service_answers_and_stops_when_told(ready: Tocsin) -> None:
    with serving(ready) as service:
        assert httpx.get(f"{service.address}/healthz", trust_env=False).is_success
        second = ready("serve", "--port", "0")
        assert second.code == 1
        assert "already running" in second.told
        assert service.stop() == 0
        assert service.process.stdout is not None
        assert service.process.stdout.read().splitlines()[-1] == "Stopped."
    with serving(ready) as again:
        assert again.stop(signal.SIGINT) == 0


def test_a_worker_sends_without_pages(ready: Tocsin, postgresql_url: str) -> None:
    variables = {"TOCSIN_DATABASE_URL": postgresql_url, "TOCSIN_LOG_LEVEL": "warning"}
    ready.must("migrate", **variables)
    with subprocess.Popen(
        [*LAUNCH, "worker"],
        cwd=ready.folder,
        env=ready.environment(**variables),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "without web pages" in process.stdout.readline()
        with serving(ready, TOCSIN_DATABASE_URL=postgresql_url) as beside:
            assert beside.stop() == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0


async def test_a_campaign_goes_out_from_the_command_line_alone(
    ready: Tocsin, typed: Typed, sink: Sink
) -> None:
    rows = "".join(f"Camille{n},camille.{n}@exemple.fr,Lyon\n" for n in range(PEOPLE))
    (ready.folder / "people.csv").write_text(f"Prénom,Courriel,Commune\n{rows}", encoding="utf-8")
    variables = {"TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{sink.smtp_port}", "TOCSIN_EMAILS_PER_SECOND": "500",
                 "TOCSIN_PROVIDER_RATES": '{"other": 500}'}  # fmt: skip

    async def run(*words: str) -> str:
        return await asyncio.to_thread(typed.must, *words)

    await run("import", "people.csv", "--consent", "email")
    await run("segment", "add", "lyon", "commune:Lyon")
    await run("template", "add", "hello", "--starter", "newsletter")
    await run("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@news.example.org",
              "--address", "1 rue de la Paix, 75002 Paris")  # fmt: skip
    with serving(ready, **variables) as service:
        sent = await run(
            "send", "Lettre", "--template", "hello", "--segment", "lyon", "--from", "nat", "--yes"
        )
        assert f"{PEOPLE} targeted, {PEOPLE} would get it." in sent
        watched = await run("campaign", "watch", "Lettre")
        assert f"finished: {PEOPLE} of {PEOPLE} messages done ({PEOPLE} accepted)." in watched
        report = await run("report", "Lettre")
        assert f"✓ {PEOPLE} messages = {PEOPLE} accepted" in report
        mails = await sink.wait_for(PEOPLE)
        assert len({mail.recipients for mail in mails}) == PEOPLE
        assert service.stop() == 0
    assert b"Camille" in mails[0].content
    assert (await run("report", "1", "--csv")).count("\n") >= 2
    assert '"adds_up": true' in await run("report", "1", "--json")


async def test_stopping_in_the_midst_of_a_campaign_hands_the_rest_to_the_next_start(
    ready: Tocsin, typed: Typed, sink: Sink
) -> None:
    rows = "".join(f"Camille{n},camille.{n}@exemple.fr\n" for n in range(PEOPLE))
    (ready.folder / "people.csv").write_text(f"Prénom,Courriel\n{rows}", encoding="utf-8")
    variables = {
        "TOCSIN_SMTP_URL": f"smtp://127.0.0.1:{sink.smtp_port}",
        "TOCSIN_PROVIDER_RATES": '{"other": 12}',
    }
    (ready.folder / "hello.mjml").write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {{ first_name }}</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>"
    )

    async def run(*words: str) -> str:
        return await asyncio.to_thread(typed.must, *words)

    await run("import", "people.csv", "--consent", "email")
    await run("segment", "add", "all", "everyone")
    await run("template", "add", "hello", "--file", "hello.mjml", "--subject", "Bonjour")
    await run("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@news.example.org")
    with serving(ready, **variables) as service:
        await run("send", "Lettre", "--template", "hello", "--segment", "all", "--from", "nat", "--yes")
        await sink.wait_for(5)
        assert await asyncio.to_thread(service.stop) == 0
    arrived = len(sink.mails)
    assert arrived < PEOPLE
    with serving(
        ready, **{**variables, "TOCSIN_PROVIDER_RATES": '{"other": 500}', "TOCSIN_EMAILS_PER_SECOND": "500"}
    ) as service:
        await run("campaign", "watch", "Lettre")
        assert await asyncio.to_thread(service.stop) == 0
    assert sorted(mail.recipients for mail in sink.mails) == sorted({mail.recipients for mail in sink.mails})
    assert len(sink.mails) == PEOPLE


def test_the_code_for_the_first_account_is_printed_until_there_is_one(ready: Tocsin) -> None:
    with serving(ready) as service:
        assert service.process.stdout is not None
        assert re.search(r"the code is \d{4}-\d{4}$", service.process.stdout.readline().strip())
    ready.must("user", "add", "ada@exemple.fr", "--role", "admin", stdin="correct horse battery\n")
    with serving(ready) as service:
        service.stop()
        assert service.process.stdout is not None
        assert "the code is" not in service.process.stdout.read()
