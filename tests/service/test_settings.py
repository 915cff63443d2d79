"""Settings: where they come from, what they default to, and what is never shown."""

import re
from pathlib import Path

import pytest

from models.errors import SettingsError
from models.states import Channel
from scheduler.calendar import UsualWindows
from scheduler.frequency import USUAL
from service.hook_settings import HOOK_FIELDS
from service.rhythm import frequency_policy, usual_windows
from service.secret_key import key_file, open_keyring
from service.settings import SECRET_FIELDS, GivenSettings, Settings, load_settings
from service.settings_problems import variable
from service.terminal import explained_settings, shown_setting
from tests.hook_callers import SECRETS
from tests.service.conftest import Typed

SES, TOPIC = "hook_amazon_ses", " arn:aws:sns:eu-west-3:123456789012:hunter2"
EXPLAINED = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings().settings
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///tocsin-data/tocsin.db"
    assert settings.public_url == "http://localhost:8025"
    assert settings.hello_name == "localhost"
    assert settings.relay is None


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tocsin.env").write_text("TOCSIN_ZONE=Indian/Reunion\nTOCSIN_LANGUAGE=en\n")
    monkeypatch.setenv("TOCSIN_ZONE", "America/Cayenne")
    settings = load_settings().settings
    assert (settings.zone, settings.language) == ("America/Cayenne", "en")


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SMTP_URL", "")
    assert load_settings().settings.smtp_url is None


def test_one_setting_leads_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA_DIR", "/srv/tocsin")
    monkeypatch.setenv("TOCSIN_PUBLIC_URL", "https://news.example.org/")
    settings = load_settings().settings
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:////srv/tocsin/tocsin.db"
    assert settings.public_url == "https://news.example.org"
    assert settings.hello_name == "news.example.org"


@pytest.mark.parametrize(
    "written", ["postgresql://u:p@h/n", "postgres://u:p@h/n", "postgresql+psycopg://u:p@h/n"]
)
def test_a_database_may_be_written_short(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", written)
    settings = load_settings().settings
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://u:p@h/n"
    assert not settings.uses_sqlite


def test_unknown_names_are_found_in_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "tocsin.env").write_text("TOCSIN_SMPT_URL=smtp://relay.example\nPATH_TO=x\n")
    (warning,) = load_settings().warnings
    assert "TOCSIN_SMPT_URL" in warning
    assert "TOCSIN_SMTP_URL?" in warning


def test_no_secret_is_shown_anywhere(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "TOCSIN_DATABASE_URL": "postgresql://u:hunter2@h/n",
        "TOCSIN_SECRET_KEY": "hunter2" * 8,
        "TOCSIN_SMTP_URL": "smtps://user:hunter2@relay.example",
        "TOCSIN_SMTP_ROUTES": '{"orange": "smtps://user:hunter2@relay2.example"}',
        "TOCSIN_BOUNCE_IMAP_URL": "imaps://user:hunter2@imap.example/INBOX",
        "TOCSIN_SPAM_FILTER_URL": "rspamd://:hunter2@127.0.0.1:11334",
        "TOCSIN_TWILIO_AUTH_TOKEN": "hunter2",
        "TOCSIN_METRICS_TOKEN": "hunter2",
        "TOCSIN_POSTMASTER_REFRESH_TOKEN": "hunter2",
        "TOCSIN_POSTMASTER_CLIENT_SECRET": "hunter2",
        "TOCSIN_SNDS_URL": "https://snds.example/data?key=hunter2",
        "TOCSIN_ALERT_WEBHOOKS": "https://hooks.example/t?key=hunter2",
        "TOCSIN_ALERT_WEBHOOK_SECRET": "hunter2" * 3,
        **{variable(name): f"name:hunter2{TOPIC if name == SES else ''}" for name in HOOK_FIELDS},
    }
    assert set(secrets) == {variable(name) for name in SECRET_FIELDS}
    shown = typed.must("settings", **secrets)
    assert "hunter2" not in shown
    assert "smtps://user:•••@relay.example" in shown
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = load_settings().settings
    assert "hunter2" not in repr(settings) + "".join(shown_setting(settings, name) for name in SECRET_FIELDS)


def test_every_setting_is_shown_with_what_it_is_for(typed: Typed) -> None:
    shown = typed.must("settings")
    for name, field in Settings.model_fields.items():
        assert field.description
        assert f"{variable(name)} = " in shown
        assert field.description in shown


def test_given_settings_look_neither_at_the_environment_nor_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tocsin.env").write_text("TOCSIN_SMTP_URL=smtp://real.example\n")
    monkeypatch.setenv("TOCSIN_ZONE", "America/Cayenne")
    settings = GivenSettings(language="en")
    assert (settings.zone, settings.language, settings.smtp_url) == ("Europe/Paris", "en", None)


def test_the_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data").settings
    first = open_keyring(settings).key("test")
    assert open_keyring(settings).key("test") == first
    assert key_file(settings).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_a_secret_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path).settings
    key_file(settings).write_text("short\n")
    with pytest.raises(SettingsError, match="characters"):
        open_keyring(settings)


def test_the_rhythm_is_read_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = load_settings().settings
    assert frequency_policy(usual) == USUAL
    assert usual_windows(usual) == UsualWindows()
    monkeypatch.setenv("TOCSIN_FREQUENCY", "off")
    monkeypatch.setenv("TOCSIN_SENDING_WINDOWS_EMAIL", "mon-fri 09:00-20:00")
    changed = load_settings().settings
    assert frequency_policy(changed).windows_for(Channel.EMAIL) == ()
    assert str(usual_windows(changed).email) == "mon-fri 09:00-20:00"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TOCSIN_FREQUENCY", "once a day", "'once' is no limit.*write 1/24h 3/7d 8/30d, or off"),
        ("TOCSIN_SENDING_WINDOWS_SMS", "mon 20:00-08:00", "ends before it begins; write mon-fri"),
    ],
)
def test_a_rhythm_that_cannot_be_understood_is_refused(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=complaint):
        load_settings()


@pytest.mark.parametrize("place", ["2424", "localhost", "127.0.0.1:99999", ":2424", "lmtp.sock"])
def test_a_place_for_lmtp_is_a_port_or_a_socket(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_INBOUND_LMTP", place)
    with pytest.raises(SettingsError, match="no place to listen"):
        load_settings()
    monkeypatch.setenv("TOCSIN_INBOUND_LMTP", "/run/tocsin/lmtp.sock")
    assert load_settings().settings.inbound_lmtp == "/run/tocsin/lmtp.sock"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SENDGRID", "abc", "the value is no public key; write the verification key that SendGrid shows."),
        ("POSTMARK", "justaword", "the value is no name and password; write name:password."),
        ("BREVO", "name:", "the value has no name, or no password; write name:password."),
        ("AMAZON_SES", "foo", "the value is no topic; write arn:aws:sns:region:account:name."),
        ("AMAZON_SES", "a:b", "the value names no topic; write arn:aws:sns:region:account:name beside"),
        ("RESEND", "c2VjcmV0", "the value is no signing secret; write the one that begins with whsec_."),
        ("POSTAL", "MIGf", "the value is no public key; write what stands after p= in Postal's DKIM record."),
        (
            "SPARKPOST",
            "a:b word",
            "the value has a part 2 that is no name and password;",
        ),
    ],
)
def test_a_secret_of_a_webhook_that_cannot_serve_is_refused_at_the_start(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    """Each call would be refused; and nothing of it is shown."""
    monkeypatch.setenv(f"TOCSIN_HOOK_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).splitlines()[0].startswith(f"TOCSIN_HOOK_{name}: {told}")
    for command in ("settings", "doctor", "serve"):
        ran = typed(command, **{f"TOCSIN_HOOK_{name}": value})
        assert (ran.code != 0, f"TOCSIN_HOOK_{name}: {told}" in ran.err + ran.out) == (True, True), command


def test_every_kind_of_secret_of_a_webhook_that_can_serve_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, secrets in SECRETS.items():
        monkeypatch.setenv(f"TOCSIN_HOOK_{key.upper()}", " ".join(secrets))
    assert load_settings().settings.hook_secrets == SECRETS


def test_settings_are_shown_in_the_order_they_are_explained_in() -> None:
    named = re.findall(r"^\| `(TOCSIN_\w+)`", EXPLAINED.read_text("utf-8"), re.MULTILINE)
    assert [variable(name) for name in explained_settings()] == named
