"""Whatever is typed or set wrongly is told in one line that says what to do; nobody reads a traceback."""

import socket
from pathlib import Path

import pytest

from tests.service.conftest import Tocsin, Typed

WRONG_SETTINGS = [
    ("TOCSIN_SMTP_URL", "smpt://relay.example", "smtp://, smtp+starttls:// or smtps://"),
    ("TOCSIN_SMTP_URL", "smtp://user@relay.example", "user:password@host"),
    ("TOCSIN_SMTP_URL", "smtp://relay.example:99999", "1 to 65535"),
    ("TOCSIN_SMTP_URL", "smtp://user:pa/ss@relay.example", "percent-encode"),
    ("TOCSIN_SMTP_CA_FILE", "/nowhere/ca.pem", "PEM file"),
    ("TOCSIN_SMTP_ROUTES", "orange=smtp://relay", "not JSON"),
    ("TOCSIN_SMTP_ROUTES", '{"orangina": "smtp://relay"}', "'orangina'"),
    ("TOCSIN_SMTP_ROUTES", '{"orange": "http://relay"}', "for orange"),
    ("TOCSIN_SMTP_CONNECTIONS", "0", "the least is 1"),
    ("TOCSIN_SMTP_MESSAGES_PER_CONNECTION", "many", "not a whole number"),
    ("TOCSIN_SMTP_TIMEOUT", "-1", "above 0"),
    ("TOCSIN_DATABASE_URL", "mysql://user:secret@host/db", "postgresql://"),
    ("TOCSIN_SECRET_KEY", "short", "needs 32"),
    ("TOCSIN_BIND_PORT", "80x", "not a whole number"),
    ("TOCSIN_BIND_PORT", "70000", "the most is 65535"),
    ("TOCSIN_PUBLIC_URL", "news.example.org", "https://news.example.org"),
    ("TOCSIN_PUBLIC_URL", "https://news.example.org/?a=b", "without ? and #"),
    ("TOCSIN_INBOUND_PORT", "smtp", "not a whole number"),
    ("TOCSIN_TWILIO_BASE_URL", "twilio", "not a web address"),
    ("TOCSIN_EMAILS_PER_SECOND", "0", "above 0"),
    ("TOCSIN_EMAILS_PER_SECOND", "nan", "finite"),
    ("TOCSIN_PROVIDER_RATES", "5", "JSON object"),
    ("TOCSIN_PROVIDER_RATES", '{"gmail": 0}', "above 0"),
    ("TOCSIN_PROVIDER_RATES", '{"gmail": "fast"}', "not a number"),
    ("TOCSIN_SMS_PER_SECOND", "one", "not a number"),
    ("TOCSIN_ZONE", "Paris", "Europe/Paris"),
    ("TOCSIN_LANGUAGE", "de", "fr or en"),
    ("TOCSIN_LOG_LEVEL", "loud", "warning"),
    ("TOCSIN_DEBUG", "perhaps", "true or false"),
]


@pytest.mark.parametrize(("variable", "value", "advice"), WRONG_SETTINGS)
def test_a_wrong_setting_is_named_with_what_to_write(
    typed: Typed, variable: str, value: str, advice: str
) -> None:
    ran = typed("settings", **{variable: value})
    assert ran.code == 2
    assert ran.told.startswith(f"{variable}:")
    assert advice in ran.told
    assert "secret" not in ran.told


def test_every_wrong_setting_is_told_at_once(tocsin: Tocsin) -> None:
    wrong = {variable: value for variable, value, _ in WRONG_SETTINGS}
    ran = tocsin("serve", **wrong)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    lines = ran.err.splitlines()
    assert {line.removeprefix("tocsin: ").partition(":")[0] for line in lines} == set(wrong)
    assert len(lines) == len(wrong)


def test_a_variable_that_is_no_setting_is_told_with_the_nearest_one(tocsin: Tocsin) -> None:
    ran = tocsin("settings", TOCSIN_SMPT_URL="smtp://relay.example")
    assert ran.code == 0
    assert "Did you mean TOCSIN_SMTP_URL?" in ran.err


def test_a_settings_file_that_is_no_text_is_told(tocsin: Tocsin) -> None:
    (tocsin.folder / "tocsin.env").write_bytes(b"\xff\xfe\x00")
    assert "tocsin.env" in tocsin("settings").told


BAD_COMMANDS: list[tuple[list[str], str]] = [
    (["sned"], "Did you mean 'send'"),
    (["segment", "lst"], "Did you mean 'list'?"),
    (["import"], "PEOPLE.CSV"),
    (["serve", "--prot", "80"], "--port"),
    (["serve", "--port", "high"], "--port"),
    (["import", "nowhere.csv"], "nowhere.csv"),
    (["import", "people.csv", "--map", "Courriel"], "--map NAME=TEXT"),
    (["import", "people.csv", "--map", "Truc=email"], "“Truc”"),
    (["import", "people.csv", "--map", "Loisir=emial"], "“emial”"),
    (["import", "people.csv", "--consent", "post"], "--consent"),
    (["import", "noaddress.csv"], "--map"),
    (["segment", "add", "lyon"], "--file"),
    (["segment", "count", "lyon"], "tocsin segment list"),
    (["template", "add", "x", "--file", "bad.mjml", "--subject", "s"], "<mj-text>"),
    (["template", "add", "x", "--file", "good.mjml"], "--subject"),
    (["template", "add", "x", "--starter", "nothing"], "tocsin template starters"),
    (["template", "show", "x"], "tocsin template list"),
    (["identity", "add", "x", "--name", "X"], "--email"),
    (["identity", "add", "X Y", "--name", "X", "--email", "a@example.org"], "short name"),
    (["identity", "add", "x", "--name", "X", "--email", "a@@example.org"], "a@@example.org"),
    (["identity", "add", "x", "--name", "X", "--sms-sender", "X", "--territory", "town=Lyon"], "commune"),
    (["identity", "add", "x", "--name", "X", "--sms-sender", "LES AMIS DE LYON"], "up to 11 letters"),
    (["identity", "dns", "x"], "tocsin identity list"),
    (["campaign", "show", "7"], "7"),
    (["campaign", "pause", "seven"], "tocsin campaign list"),
    (["campaign", "schedule", "1", "--at", "tomorrow"], "2026-12-01 18:30"),
    (["campaign", "schedule", "1", "--at", "now", "--zone", "Paris"], "Europe/Paris"),
    (["report", "7", "--json", "--csv"], "--json or --csv"),
    (["send", "n", "--template", "t", "--segment", "s", "--from", "i"], "tocsin template list"),
    (["suppression", "lift", "a@example.org", "--why", "w"], "not suppressed"),
    (["suppression", "import", "nowhere.txt"], "nowhere.txt"),
    (["user", "add", "a@example.org"], "12 characters"),
    (["seed", "add", "a@example.org", "--imap", "host:imap"], "imap.example.org:993"),
    (["inbound"], "tocsin inbound < mail.eml"),
    (["worker"], "PostgreSQL"),
]


@pytest.mark.parametrize(
    ("words", "advice"), BAD_COMMANDS, ids=[" ".join(words) for words, _ in BAD_COMMANDS]
)
def test_a_command_that_cannot_be_done_says_why_in_one_line(
    ready: Tocsin, typed: Typed, words: list[str], advice: str
) -> None:
    _write_files(ready.folder)
    ran = typed(*words)
    assert ran.code != 0
    assert advice in ran.told


def _write_files(folder: Path) -> None:
    (folder / "people.csv").write_text("Courriel;Loisir\nada@example.org;maths\n", encoding="utf-8")
    (folder / "noaddress.csv").write_text("Prénom;Nom\nAda;Lovelace\n", encoding="utf-8")
    (folder / "bad.mjml").write_text("<mjml><mj-body><mj-txt>a</mj-txt></mj-body></mjml>")
    (folder / "good.mjml").write_text("<mjml><mj-body></mj-body></mjml>")


@pytest.mark.parametrize(
    "words",
    [
        ["import", "people.csv", "--map", "Truc=email"],
        ["template", "add", "x", "--file", "bad.mjml", "--subject", "s"],
        ["sned"],
    ],
)
def test_the_command_itself_ends_so_too(ready: Tocsin, words: list[str]) -> None:
    _write_files(ready.folder)
    ran = ready(*words)
    assert ran.code == 2
    assert ran.told


def test_a_wrong_rule_is_shown_with_a_mark_under_the_place(ready: Tocsin) -> None:
    ran = ready("segment", "count", "--rule", "tag:a and comune:Lyon")
    told, rule, mark = ran.err.splitlines()
    assert ran.code == 2
    assert "commune" in told
    assert rule[mark.index("^") :].startswith("comune")


@pytest.mark.parametrize("command", ["serve", "segment list", "import people.csv", "report 1"])
def test_a_database_that_is_not_there_is_told_with_the_remedy(typed: Typed, command: str) -> None:
    ran = typed(*command.split())
    assert ran.code == 1
    assert "tocsin migrate" in ran.told


def test_a_database_that_does_not_answer_is_told(tocsin: Tocsin) -> None:
    ran = tocsin("segment", "list", TOCSIN_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:9/none")
    assert ran.code == 1
    assert "TOCSIN_DATABASE_URL" in ran.told
    assert "secret" not in ran.told


def test_a_data_directory_that_cannot_be_made_is_told(tocsin: Tocsin) -> None:
    (tocsin.folder / "file").write_text("")
    ran = tocsin("migrate", TOCSIN_DATA_DIR="file/data")
    assert ran.code == 2
    assert "TOCSIN_DATA_DIR" in ran.told


def test_a_busy_port_is_told_with_the_setting_to_change(ready: Tocsin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = ready("serve", "--port", str(other.getsockname()[1]))
    assert ran.code == 1
    assert "TOCSIN_BIND_PORT" in ran.told


def test_a_rehearsal_on_a_busy_port_says_which_option_to_change(ready: Tocsin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = ready("demo", "--exit", "--port", str(other.getsockname()[1]))
    assert ran.code == 1
    assert "--port" in ran.err


def test_a_line_of_the_settings_file_that_is_none_is_told_with_its_number(ready: Tocsin) -> None:
    (ready.folder / "tocsin.env").write_text("TOCSIN_ZONE=Europe/Paris\nTOCSIN_LANGUAGE fr\n")
    ran = ready("settings")
    assert ran.code == 2
    assert "line 2 is no setting" in ran.err
    assert "dotenv" not in ran.err


def test_a_busy_port_for_bounces_is_told_with_the_setting_to_change(ready: Tocsin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ran = ready("serve", "--port", "0", TOCSIN_INBOUND_PORT=port, TOCSIN_LOG_LEVEL="error")
    assert ran.code != 0
    assert "TOCSIN_INBOUND_PORT" in ran.told


def test_a_full_disk_is_told_when_the_output_cannot_be_written(ready: Tocsin) -> None:
    ran = ready("settings", limit="exec >/dev/full")
    assert ran.code == 1
    assert "disk is full" in ran.told


@pytest.mark.parametrize("words", [["migrate"], ["import", "people.csv"]])
def test_a_full_disk_is_told_when_the_database_cannot_grow(tocsin: Tocsin, words: list[str]) -> None:
    rows = "".join(f"person{number}@example.org,Ada{number}\n" for number in range(20_000))
    (tocsin.folder / "people.csv").write_text(f"email,first_name\n{rows}")
    if words != ["migrate"]:
        tocsin.must("migrate")
    # Blocks of 1,024 bytes: enough to begin with, not enough to end.
    ran = tocsin(*words, limit=f"ulimit -f {'40' if words == ['migrate'] else '900'}")
    assert ran.code == 1
    assert "Make room" in ran.told


def test_a_reader_that_went_away_is_no_error(ready: Tocsin) -> None:
    ran = ready("settings", limit="exec > >(head -c 10 >/dev/null); sleep 0.2")
    assert ran.err == ""


def test_the_traceback_is_there_for_whoever_asks_for_it(tocsin: Tocsin) -> None:
    ran = tocsin("segment", "list", TOCSIN_DEBUG="1")
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("tocsin: ")
