"""What is in deploy/: units that systemd accepts, a compose file that means what it says, no secrets."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from service.settings import Settings
from service.settings_problems import PREFIX, variable
from tests.servers import find_program, missing
from tests.test_house import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
HARDENED = ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "UMask=0077")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_every_setting_named_there_exists(file: Path) -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", file.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_a_unit_restarts_always_waits_for_the_wire_and_may_do_little(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    for line in ("Restart=always", "TimeoutStopSec=40", *HARDENED):
        assert f"\n{line}" in text
    assert re.search(r"^ExecStart=\S+/tocsin (serve|worker)$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_accepts_a_unit(unit: Path, tmp_path: Path) -> None:
    if find_program("systemd-analyze") is None:
        missing("systemd-analyze", "install it with: apt install systemd")
    # The same with a program that exists here: it looks for that, too.
    text = re.sub(r"=\S+/tocsin ", "=/bin/true ", unit.read_text(encoding="utf-8"))
    copy = tmp_path / unit.name.replace("@", "@1")
    copy.write_text(text, encoding="utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in told.stderr.splitlines() if unit.name.partition("@")[0] in line]
    assert complaints == []


def test_the_compose_file_says_what_it_means() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_bytes())["services"]
    assert set(services) == {"database", "migrate", "web", "worker"}
    assert services["web"]["command"] == ["serve", "--no-worker"]
    for name in ("migrate", "web", "worker"):
        service = services[name]
        assert service["environment"]["TOCSIN_DATABASE_URL"].endswith("@database/tocsin")
        assert service["stop_grace_period"] == "40s"
        assert service["read_only"]
        assert service["volumes"] == ["data:/data"]
        # What somebody writes into .env holds, whether the file knows the setting or not.
        assert service["env_file"] == [{"path": ".env", "required": False}]
    assert (
        services["worker"]["environment"]["TOCSIN_METRICS_HOST"]
        == services["web"]["environment"]["TOCSIN_BIND_HOST"]
    )


def test_no_secret_is_written_there() -> None:
    given = re.compile(r"^\s*(?:\w*PASSWORD|\w*SECRET_KEY|\w*TOKEN)[=:][ \t]*(\S+)", re.MULTILINE)
    for file in FILES:
        for value in given.findall(file.read_text(encoding="utf-8")):
            assert value.startswith("${"), (file.name, value)


def test_the_image_runs_as_nobody_special_and_asks_nothing_of_the_source_but_what_is_locked() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    final = text.rpartition("FROM ")[2]
    assert "\nUSER tocsin\n" in final
    assert "--require-hashes" in text
    for name in re.findall(r"requirements/\w+\.txt", text):
        assert (ROOT / name).is_file()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "tocsin" in project["scripts"]
