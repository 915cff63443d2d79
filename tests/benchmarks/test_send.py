"""`tocsin bench send` measures a run from beginning to end; no figure is judged here."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import SendPlan, proof
from benchmarks.figures import Figures, Run, goals, lines
from benchmarks.plan import Signing
from benchmarks.processes import Cost, MeasureError
from benchmarks.proof import Signatures, check_signatures
from benchmarks.send import bench_send
from models.errors import BadInputError
from models.signing import DkimAlgorithm, SigningKey
from sender.dkim import Signer, Verification, dns_record, make_key
from tests.clocks import START
from tests.servers.postgresql import PostgresqlServer

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


async def test_a_run_on_sqlite_counts_every_message_and_verifies_both_signatures() -> None:
    told: list[str] = []
    plan = SendPlan(run_recipients=60, runs=2, warm_up=20, ed25519=True, growth=True)
    figures = await bench_send(plan, told.append)
    assert [run.messages for run in figures.runs] == [60, 60, 600]
    assert figures.signatures.keys == 2
    assert figures.signatures.by_dkimpy > 0
    assert figures.plain is not None
    assert figures.plain > 0
    shown = dict(lines(figures))
    assert shown["every message once"] == "yes, 720 counted at the sink"
    assert "CPU a message, database" not in shown
    assert {goal.name for goal in goals(figures)} >= {"signed, processes: 1", "beside the plain way"}


async def test_a_run_on_postgresql_with_two_processes_and_tls_over_a_longer_wire(
    postgresql: PostgresqlServer,
) -> None:
    plan = SendPlan(
        run_recipients=60,
        runs=1,
        warm_up=20,
        database_url=postgresql.url("postgres"),
        processes=2,
        signing=Signing.RELAY,
        tls=True,
        round_trip_ms=5,
    )
    figures = await bench_send(plan, lambda _: None)
    assert [run.messages for run in figures.runs] == [60]
    assert len(figures.costs) == 2
    assert figures.signatures.keys == 0
    assert figures.runs[0].server_cpu_s > 0
    assert "CPU a message, database" in dict(lines(figures))
    # Promises are about the plain loopback alone: this one is told beside them.
    assert {goal.name for goal in goals(figures)} <= {"peak memory a process"}


def figures_of(recipients: int, seconds: float) -> Figures:
    plan = SendPlan(run_recipients=recipients, runs=1)
    run = Run(
        messages=recipients,
        octets=45_000 * recipients,
        seconds=seconds,
        freeze_s=0.1,
        lag_s=0.1,
        cpu_s=(1.0,),
        server_cpu_s=0.0,
        sink_cpu_s=0.1,
        signatures_per_s=4_000,
    )
    cost = Cost(1.0, 90.0, 80.0)
    return Figures(plan, (run,), (cost,), (), Signatures(1, 10, None), 8_000, 80.0, None)


@pytest.mark.parametrize(
    ("recipients", "seconds", "verdicts"),
    [
        (4_999, 60.0, {"too small to judge"}),
        (4_999, 0.1, {"too small to judge"}),
        (5_000, 60.0, {"MISSED", "met"}),
        (5_000, 0.1, {"met"}),
    ],
)
def test_a_run_too_small_to_judge_says_so(recipients: int, seconds: float, verdicts: set[str]) -> None:
    assert {goal.verdict for goal in goals(figures_of(recipients, seconds))} == verdicts


@pytest.mark.parametrize(("before", "verdict"), [(None, None), (80.0, "met"), (60.0, "MISSED")])
def test_memory_that_grows_with_the_recipients_is_told(before: float | None, verdict: str | None) -> None:
    figures = replace(figures_of(10_000, 0.1), peak_before_mb=before)
    told = {goal.name: goal.verdict for goal in goals(figures)}
    assert told.get("memory, 10 × the recipients") == verdict


async def test_a_message_altered_on_its_way_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_key(DkimAlgorithm.RSA)
    key = SigningKey("parti.exemple", "s1", DkimAlgorithm.RSA, made.private_pem)
    record = dns_record(
        selector="s1", domain="parti.exemple", algorithm=DkimAlgorithm.RSA, public_base64=made.public_base64
    )
    fields = [(b"From", b"a@parti.exemple"), (b"To", b"b@ville.exemple"), (b"Subject", b"Bonjour")]
    head = b"".join(b"%b: %b\r\n" % field for field in fields)
    body = b"Le printemps commence.\r\n"
    whole = Signer([key]).sign(fields, body, START) + head + b"\r\n" + body
    keys = {record.name: record.value}
    (tmp_path / "1.eml").write_bytes(whole)
    checked = await check_signatures(tmp_path, keys)
    assert (checked.keys, checked.by_dkimpy) == (1, 1)
    if os.environ.get("REQUIRE_TEST_SERVERS"):
        assert checked.by_perl == 1
    (tmp_path / "1.eml").write_bytes(whole.replace(b"printemps", b"automne"))
    with pytest.raises(MeasureError, match="dkimpy"):
        await check_signatures(tmp_path, keys)
    if checked.by_perl:
        monkeypatch.setattr(proof, "verify", lambda *_: [Verification("", "", True, "")])
        with pytest.raises(MeasureError, match="Mail::DKIM"):
            await check_signatures(tmp_path, keys)


def test_several_processes_need_postgresql() -> None:
    with pytest.raises(BadInputError, match="PostgreSQL"):
        SendPlan(processes=2)
