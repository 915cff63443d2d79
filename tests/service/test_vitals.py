"""What a process says of itself: log lines, health, readiness, figures."""

import asyncio
import json
import logging
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from models.campaign import CampaignLane
from models.clock import SystemClock
from models.states import DeliveryState
from models.worker import Worker
from scheduler.campaigns import schedule
from scheduler.expansion import launch
from service.logs import JsonFormatter
from service.metrics import figures
from service.settings import GivenSettings
from service.vitals import PATIENCE_S, Pulse, make_vitals
from store import Database, workers
from store.campaigns import identities_of
from store.engine import insert_for, parse_url
from tests.clocks import START, ManualClock
from tests.factories import a_campaign, a_contact
from tests.failures.gate import Gate
from tests.servers.postgresql import PostgresqlServer
from tests.service.conftest import LAUNCH, Tocsin
from tests.service.test_running import serving
from web import create_health_app

CLOCK = SystemClock()


async def ask(app: object, path: str, *, host: str = "127.0.0.1", **headers: str) -> httpx.Response:
    way = httpx.ASGITransport(app=app, client=(host, 4711))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=way, base_url="http://tocsin.test") as client:
        return await client.get(path, headers=headers)


def settings(folder: Path, **given: object) -> GivenSettings:
    return GivenSettings(data_dir=folder, **given)  # type: ignore[arg-type]


async def test_a_process_is_ready_until_it_is_told_to_stop(database: Database, tmp_path: Path) -> None:
    pulse = Pulse(database)
    app = create_health_app(make_vitals(settings(tmp_path), pulse, CLOCK))
    assert (await ask(app, "/healthz")).text == "ok\n"
    assert (await ask(app, "/readyz")).status_code == 200
    pulse.stopping = True
    assert (await ask(app, "/readyz")).status_code == 503
    assert (await ask(app, "/healthz")).status_code == 200


async def test_without_its_database_a_process_is_alive_and_not_ready(tmp_path: Path) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    app = create_health_app(make_vitals(settings(tmp_path), Pulse(database), CLOCK))
    answer = await ask(app, "/readyz")
    assert (answer.status_code, answer.text) == (503, "database unreachable\n")
    assert (await ask(app, "/healthz")).status_code == 200
    assert "tocsin_database_up 0.0" in (await ask(app, "/metrics")).text
    await database.close()


@pytest.mark.timeout(60)
async def test_a_database_that_has_frozen_is_told_in_good_time(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    url = parse_url(postgresql.url("postgres"))
    gate = Gate(url.port or 0)
    await gate.open()
    database = Database(url.set(host="127.0.0.1", port=gate.port).render_as_string(hide_password=False))
    app = create_health_app(make_vitals(settings(tmp_path), Pulse(database), CLOCK))
    assert (await ask(app, "/readyz")).text == "database of another version\n"
    gate.moving.clear()
    # psycopg alone would take fifteen seconds to give its question up.
    async with asyncio.timeout(2 * PATIENCE_S):
        assert (await ask(app, "/readyz")).text == "database unreachable\n"
    gate.moving.set()
    while (await ask(app, "/readyz")).text != "database of another version\n":
        await asyncio.sleep(0.1)
    await database.close()
    await gate.shut()


async def test_a_database_of_another_version_makes_it_not_ready(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    app = create_health_app(make_vitals(settings(tmp_path), Pulse(database), CLOCK))
    assert (await ask(app, "/readyz")).text == "database of another version\n"
    await database.close()


@pytest.mark.parametrize(
    ("host", "headers", "token", "status"),
    [
        ("127.0.0.1", {}, "", 200),
        ("::1", {}, "", 200),
        ("192.0.2.7", {}, "", 404),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, "", 404),
        ("127.0.0.1", {"x-forwarded-proto": "https"}, "", 404),
        ("127.0.0.1", {"via": "1.1 proxy"}, "", 404),
        ("127.0.0.1", {"Host": "news.example.org"}, "", 404),
        ("127.0.0.1", {"Host": "news.example.org:443"}, "", 404),
        ("127.0.0.1", {"Host": "news.example.org."}, "", 404),
        ("127.0.0.1", {"Host": "tower:8000"}, "", 200),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.7", "authorization": "Bearer sesame"}, "sesame", 200),
        ("192.0.2.7", {"authorization": "Bearer sesame"}, "sesame", 200),
        ("192.0.2.7", {"authorization": "Bearer mustard"}, "sesame", 404),
        ("127.0.0.1", {}, "sesame", 404),
    ],
)
async def test_the_figures_are_for_this_machine_or_for_who_has_the_token(
    database: Database, tmp_path: Path, *, host: str, headers: dict[str, str], token: str, status: int
) -> None:
    behind = settings(tmp_path, public_url="https://news.example.org")
    given = behind.model_copy(update={"metrics_token": SecretStr(token)}) if token else behind
    app = create_health_app(make_vitals(given, Pulse(database), CLOCK))
    assert (await ask(app, "/metrics", host=host, **headers)).status_code == status


async def test_a_proxy_that_says_nothing_is_known_by_its_way_of_asking(
    database: Database, tmp_path: Path
) -> None:
    app = create_health_app(make_vitals(settings(tmp_path), Pulse(database), CLOCK))
    for version, status in (("1.1", 200), ("1.0", 404)):

        async def asked_so(scope: Scope, receive: Receive, send: Send, version: str = version) -> None:
            await app({**scope, "http_version": version}, receive, send)

        assert (await ask(asked_so, "/metrics")).status_code == status


async def test_the_figures_tell_what_waits_where_and_who_works(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async with database.write() as session:
        for number in range(7):
            await a_contact(session, email=f"p{number}@gmail.com")
        campaign = await a_campaign(session)
        await schedule(session, campaign.id, START.replace(tzinfo=None), "UTC", START)
        for letter in "ab":
            worker = Worker(id=letter * 12, host="tower", pid=7, started_at=START, seen_at=START)
            await workers.beat(session, worker, START)
    await launch(database, campaign.id, START, language="fr")
    clock.advance(workers.SILENCE * 3)
    async with database.write() as session:
        (sender,) = await identities_of(session, campaign.id)
        lane_row = insert_for(session, CampaignLane).values(
            campaign_id=campaign.id, identity_id=sender.id, provider="gmail"
        )
        await session.exec(lane_row.on_conflict_do_nothing())
        worker = Worker(id="c" * 12, host="tower", pid=8, started_at=START, seen_at=START)
        await workers.beat(session, worker, clock.now())
    journal = tmp_path / "journal"
    journal.mkdir()
    (journal / "cccccccccccc.log").write_bytes(b"x" * 123)
    told = (await figures(database, clock, tmp_path)).decode()
    lane = r'identity="\w+",provider="gmail"'
    assert re.search(
        rf'^tocsin_deliveries{{{lane},state="{DeliveryState.QUEUED.value}"}} 7.0$', told, re.MULTILINE
    )
    assert re.search(rf"^tocsin_oldest_due_seconds{{{lane}}} 60.0$", told, re.MULTILINE)
    assert 'tocsin_workers{state="alive"} 1.0' in told
    assert 'tocsin_workers{state="silent"} 2.0' in told
    assert "tocsin_journal_bytes 123.0" in told
    assert "tocsin_database_up 1.0" in told
    assert "@" not in told


def test_a_log_line_for_machines_is_one_object_with_all_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "scheduler.dispatch", "levelno": 30, "levelname": "WARNING", "msg": "held\nback",
         "created": 0.25, "delivery_id": 12, "level": "a field of that name"}
    )  # fmt: skip
    broken = RuntimeError("no")
    record.exc_info = (RuntimeError, broken, None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert "RuntimeError: no" in told.pop("traceback")
    assert told == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "warning",
        "logger": "scheduler.dispatch",
        "message": "held\nback",
        "delivery_id": 12,
    }


def test_pages_alone_tell_that_nothing_is_sent_from_there(ready: Tocsin) -> None:
    with serving(ready, "--no-worker") as service:
        assert service.process.stdout is not None
        greeting = [service.process.stdout.readline() for _ in range(2)]
        assert any("Nothing is sent from here" in line for line in greeting)
        assert httpx.get(f"{service.address}/readyz", trust_env=False).text == "ok\n"
        # They hold no lock: the one who sends may run beside.
        with serving(ready) as sending:
            assert sending.stop() == 0
        assert service.stop() == 0


def test_a_worker_answers_on_a_port_of_its_own_and_is_listed(ready: Tocsin, postgresql_url: str) -> None:
    variables = {"TOCSIN_DATABASE_URL": postgresql_url, "TOCSIN_METRICS_PORT": "0"}
    ready.must("migrate", **variables)
    assert "No process has sent" in ready.must("workers", **variables)
    with subprocess.Popen(
        [*LAUNCH, "worker"],
        cwd=ready.folder,
        env=ready.environment(**variables, TOCSIN_LOG_FORMAT="json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        port = re.search(r"port (\d+)", process.stdout.readline())
        assert port
        address = f"http://127.0.0.1:{port[1]}"
        assert httpx.get(f"{address}/readyz", trust_env=False).text == "ok\n"
        assert 'tocsin_workers{state="alive"} 1.0' in httpx.get(f"{address}/metrics", trust_env=False).text
        assert httpx.get(f"{address}/sign-in", trust_env=False).status_code == 404
        assert re.search(r"worker .*: heard of \d+ s ago", ready.must("workers", **variables))
        process.terminate()
        assert process.wait(timeout=40) == 0
        for line in process.stderr.read().splitlines():
            assert json.loads(line)["level"] in {"info", "warning"}, line
    assert re.search(r"worker .*: ended", ready.must("workers", **variables))
