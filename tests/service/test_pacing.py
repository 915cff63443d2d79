"""What an installation sets about its pace."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliverability.classify import rules_in_force, use_rules
from deliverability.rulebook import RulesError
from models.errors import SettingsError
from scheduler.destinations import use_resolver
from service import pacing
from service.assembly import assemble
from service.pacing import follow_settings, read_servers, resolver_of
from service.settings import GivenSettings, load_settings
from store import Database

OURS = '[[rules]]\nid = "ours"\ntext = "x"\nclass = "rate"\nfault = "provider"\n'


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    use_rules(None)
    use_resolver(None)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("", ([], 53)),
        ("192.0.2.1", (["192.0.2.1"], 53)),
        ("127.0.0.1:5353, 127.0.0.2:5353", (["127.0.0.1", "127.0.0.2"], 5353)),
        ("2001:db8::1", (["2001:db8::1"], 53)),
    ],
)
def test_name_servers_are_written_as_addresses(text: str, servers: tuple[list[str], int]) -> None:
    assert read_servers(text) == servers


def test_nobody_is_asked_where_it_is_switched_off() -> None:
    assert resolver_of(" OFF ") is None
    assert resolver_of("") is not None


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.1:53,192.0.2.2:54", "192.0.2.1:port"])
def test_a_name_server_that_is_none_is_told(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOCSIN_DNS_SERVERS", text)
    with pytest.raises(SettingsError, match="TOCSIN_DNS_SERVERS"):
        load_settings(file=tmp_path / "none.env")


def test_an_own_rule_in_the_data_directory_holds_from_the_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(OURS)
    follow_settings(GivenSettings(data_dir=tmp_path, dns_servers="off"))
    assert rules_in_force().rules[0].name == "ours"
    rules.write_text('[[rules]]\nid = "ours"\n')
    with pytest.raises(RulesError, match="class is missing"):
        follow_settings(GivenSettings(data_dir=tmp_path, dns_servers="off"))


async def test_a_changed_rule_holds_without_a_message_being_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News comes in by webhook and mail while nothing leaves."""
    monkeypatch.setattr(pacing, "RULES_EVERY_S", 0.05)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/tocsin.db")
    await database.migrate()
    await database.close()
    async with assemble(GivenSettings(data_dir=tmp_path, dns_servers="off", bind_port=0), with_worker=False):
        assert rules_in_force().find("ours") is None
        for text in ('[[rules]]\nid = "broken"\n', OURS):
            (tmp_path / "rules.toml").write_text(text)
            await asyncio.sleep(0.3)
        assert rules_in_force().find("ours") is not None
