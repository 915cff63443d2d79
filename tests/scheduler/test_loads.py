"""What a process loads: one that only writes letters, of which there are several, loads little."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_FOR_SCRIBES = frozenset(
    {
        *("sqlalchemy", "sqlmodel", "pydantic", "store", "audience", "deliverability", "web", "service"),
        *("aiosmtplib", "asyncio", "ssl", "dns", "phonenumbers", "apscheduler", "models.delivery"),
        *("scheduler.dispatch", "sender.smtp", "zoneinfo", "cryptography.fernet"),
    }
)


NOT_FOR_WORKERS = frozenset(
    {
        *("reportlab", "vl_convert", "checkdmarc", "defusedxml", "babel", "fastapi", "starlette", "uvicorn"),
        *("httpx", "httpx2", "h2", "pygments", "alembic", "web", "benchmarks.report"),
    }
)


def loaded_by(module: str) -> set[str]:
    """What is loaded in a new process once it has imported this one."""
    asked = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-P", "-c", asked],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(told.stdout))


def test_a_scribe_loads_neither_tables_nor_transports() -> None:
    assert loaded_by("scheduler.scribe") & NOT_FOR_SCRIBES == set()


def test_a_sending_process_loads_no_pages_no_charts_and_no_readers_of_reports() -> None:
    assert loaded_by("service.cli, service.assembly, scheduler.jobs") & NOT_FOR_WORKERS == set()


@pytest.mark.parametrize("room", ["models", "scheduler", "sender"])
def test_what_a_room_offers_is_there_when_asked_for(room: str) -> None:
    asked = f"import {room} as room; print(*(getattr(room, name).__name__ == name for name in room.__all__))"
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, check=True, text=True)
    assert set(told.stdout.split()) == {"True"}


def test_what_a_room_does_not_offer_is_missing() -> None:
    asked = "import sender; sender.Postman"
    told = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert "module 'sender' has no attribute 'Postman'" in told.stderr
