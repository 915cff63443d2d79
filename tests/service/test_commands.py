"""The commands of each noun, as a person types them one after the other."""

import asyncio
import contextlib
import csv
import io
import sqlite3

import pytest

from sandbox.imap_server import ImapServer
from sandbox.mailboxes import Mailbox, MailFolder, SeedAccount
from service.findings import Level
from tests.servers.sink import Sink
from tests.service.conftest import Ran, Tocsin, Typed
from tests.service.test_doctor import findings_of

PEOPLE = """Prénom;Nom;Courriel;Commune;Code postal;Étiquettes;Loisir
Ada;Lovelace;ada@exemple.fr;Lyon;69001;membre;maths
Bob;;bob@@x;Paris;75001;;
Eve;Durand;eve@gmail.com;Lyon;69002;membre, élue;
Zoé;Petit;zoe@orange.fr;Marseille;13001;;
"""


@pytest.fixture
def people(ready: Tocsin, typed: Typed) -> Typed:
    """The command, with three people imported who agreed to e-mails."""
    (ready.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    typed("import", "people.csv", "--consent", "email", "--source", "form")
    return typed


def test_help_is_there_for_every_command_and_tells_where_to_begin(typed: Typed) -> None:
    out = typed.must("--help")
    assert "tocsin demo" in out
    assert "doctor" in out
    assert typed.must().split() == out.split()
    assert "─ Commands ─" not in out, "each command stands in a box that says what it is for"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("inbound", "--recipient"), "tocsin inbound"),
        (("suppression", "undo", "x", "--since"), "tocsin suppression undo"),
        (("--nonsense",), "tocsin"),
    ],
)
def test_what_was_typed_wrongly_leads_to_the_help_of_that_command(
    typed: Typed, words: tuple[str, ...], command: str
) -> None:
    ran = typed(*words)
    assert ran.code == 2
    assert f"See `{command} --help`." in ran.err


def test_the_version_is_told(typed: Typed) -> None:
    assert typed.must("--version").startswith("tocsin ")


def test_migrating_twice_changes_nothing(typed: Typed) -> None:
    assert "is ready:" in typed.must("migrate")
    assert "was ready already:" in typed.must("migrate")


def test_an_import_tells_what_came_of_every_row(ready: Tocsin, typed: Typed) -> None:
    (ready.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    out = typed.must("import", "people.csv", "--consent", "email")
    assert "4 rows read" in out
    assert "Courriel as email" in out
    assert "Kept as attributes: Loisir" in out
    assert "3 created, 0 updated, 0 unchanged, 1 rejected" in out
    report = (ready.folder / "people.report.csv").read_text(encoding="utf-8-sig")
    assert "bob@@x" in report
    assert "0 created, 0 updated, 3 unchanged" in typed.must("import", "people.csv", "--consent", "email")


def test_an_import_that_says_nothing_of_consent_tells_that_nobody_is_written_to_yet(
    ready: Tocsin, typed: Typed
) -> None:
    (ready.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    hint = "does not say who agreed"
    assert hint in typed.must("import", "people.csv")
    assert hint not in typed.must("import", "people.csv", "--consent", "email")


def test_a_segment_is_made_counted_and_explained(people: Typed) -> None:
    assert people.must("segment", "add", "lyon", "commune:Lyon and tag:membre") == "lyon: 2 people now.\n"
    assert people.must("segment", "count", "lyon") == "2\n"
    assert people.must("segment", "count", "--rule", "tag:élue") == "1\n"
    explained = people.must("segment", "explain", "lyon")
    assert "commune:Lyon" in explained
    assert "lyon" in people.must("segment", "list")


def test_a_template_keeps_its_versions(ready: Tocsin, typed: Typed) -> None:
    assert "newsletter" in typed.must("template", "starters")
    assert "version 1 is kept" in typed.must("template", "add", "hello", "--starter", "newsletter")
    assert "version 1 is kept" in typed.must("template", "add", "hello", "--starter", "newsletter")
    body = typed.must("template", "show", "hello")
    assert body.startswith("<mjml")
    (ready.folder / "hello.mjml").write_text(body.replace("<mj-body", "<mj-body width='580px'", 1))
    changed = typed.must("template", "add", "hello", "--file", "hello.mjml", "--subject", "Du nouveau")
    assert "version 2 is kept" in changed
    assert "Du nouveau" in typed.must("template", "list")


def test_an_identity_prints_the_records_to_publish(ready: Tocsin, typed: Typed) -> None:
    out = typed.must("identity", "add", "nat", "--name", "Les Amis", "--email", "Contact@News.example.org")
    zone = out.partition("zone file:")[2].strip().splitlines()
    assert [line.split(" ")[0] for line in zone] == [
        "tocsin-rsa._domainkey.news.example.org.",
        "tocsin-ed._domainkey.news.example.org.",
        "bounces.news.example.org.",
        "bounces.news.example.org.",
        "_dmarc.news.example.org.",
    ]
    for line in zone:
        _, _, value = line.partition(" TXT ")
        assert all(len(piece) <= 255 for piece in value.strip('"').split('" "'))
    asked = typed.must("identity", "dns", "nat", "--inbound-host", "in.example.org", "--spf", "ip4:192.0.2.1")
    assert "IN MX 10 in.example.org." in asked
    assert "v=spf1 ip4:192.0.2.1 -all" in asked
    assert "nat" in typed.must("identity", "list")


def test_an_identity_of_a_territory_speaks_for_it(ready: Tocsin, typed: Typed) -> None:
    typed.must(
        "identity", "add", "lyon", "--name", "L", "--sms-sender", "LYON", "--territory", "commune=Lyon"
    )
    typed.must(
        "identity", "add", "rhone", "--name", "R", "--sms-sender", "36111", "--territory", "departement=Rhône"
    )
    listed = typed.must("identity", "list")
    assert "commune lyon" in listed
    assert "departement 69" in listed
    wrong = typed(
        "identity", "add", "x", "--name", "X", "--sms-sender", "X", "--territory", "departement=999"
    )
    assert "999" in wrong.told


def test_a_campaign_goes_from_draft_to_cancelled(people: Typed) -> None:
    people.must("segment", "add", "all", "everyone")
    people.must("template", "add", "hello", "--starter", "newsletter")
    people.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    made = people.must(
        *("campaign", "create", "Première", "--template", "hello", "--segment", "all", "--from", "nat")
    )
    assert "3 targeted, 3 would get it." in made
    assert "Campaign 1 is a draft" in made
    assert "is a draft" in people.must("campaign", "watch", "1")
    assert "nothing to report yet" in people.must("report", "1")
    scheduled = people.must("campaign", "schedule", "1", "--at", "2040-03-01 18:30")
    assert scheduled == "Première starts at 2040-03-01 18:30 Europe/Paris.\n"
    assert "paused" in people.must("campaign", "pause", "Première")
    watched = people.must("campaign", "watch", "1")
    assert "Première is paused: 0 of 0 messages done." in watched
    assert "`tocsin campaign resume 1` goes on." in watched
    assert people.must("campaign", "release", "1") == "Première: nothing is held back.\n"
    assert "scheduled again" in people.must("campaign", "resume", "1")
    shown = people.must("campaign", "show", "1")
    assert "hello, version 1" in shown
    assert "everyone" in shown
    assert "cancelled" in people.must("campaign", "cancel", "1")
    assert people("campaign", "resume", "1").code == 1
    assert "cancelled" in people.must("campaign", "list")
    assert "cancelled" in people.must("campaign", "watch", "1")


def test_sending_asks_first_and_says_so_where_nobody_can_answer(people: Typed) -> None:
    people.must("segment", "add", "all", "everyone")
    people.must("template", "add", "hello", "--starter", "newsletter")
    people.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    words = ("send", "Lettre", "--template", "hello", "--segment", "all", "--from", "nat")
    asked = people(*words)
    assert asked.code == 2
    assert "--yes" in asked.told
    assert "3 targeted" in asked.out
    assert "no campaign yet" in people.must("campaign", "list")
    assert "is scheduled" in people.must(*words, "--yes")


def test_a_next_version_from_a_file_keeps_what_is_not_given_anew(ready: Tocsin, typed: Typed) -> None:
    typed.must("template", "add", "hello", "--starter", "newsletter")
    (ready.folder / "hello.mjml").write_text(typed.must("template", "show", "hello").replace("mars", "avril"))
    again = typed.must("template", "add", "hello", "--file", "hello.mjml")
    assert "version 2 is kept" in again
    assert "no fallback" not in again
    assert "les nouvelles de mars" in typed.must("template", "list")


def test_an_address_is_suppressed_and_lifted_and_goes_from_one_place_to_another(
    ready: Tocsin, typed: Typed
) -> None:
    assert "not written to any more" in typed.must("suppression", "add", "Ada@exemple.fr", "--why", "asked")
    exported = typed.must("suppression", "export")
    (row,) = csv.DictReader(io.StringIO(exported))
    assert (row["channel"], row["reason"], len(row["address_hash"])) == ("email", "manual", 64)
    assert "ada@" not in exported
    assert "asked" in typed.must("suppression", "list")
    assert "may be written to again" in typed.must("suppression", "lift", "ada@exemple.fr", "--why", "again")
    assert "No address is suppressed." in typed.must("suppression", "list")
    (ready.folder / "list.csv").write_text(exported)
    assert "1 row read, 1 new" in typed.must("suppression", "import", "list.csv")
    (ready.folder / "list.txt").write_text("eve@gmail.com\n0612345678\n\nno address\n")
    ran = typed("suppression", "import", "list.txt")
    assert ran.code == 0
    assert "2 rows read, 2 new" in ran.out
    assert "line 4" in ran.err


def test_a_person_may_sign_in_with_a_password_from_a_pipe_or_a_made_one(ready: Tocsin, typed: Typed) -> None:
    typed.must("user", "add", "ada@exemple.fr", "--role", "admin", stdin="correct horse battery\n")
    made = typed.must("user", "add", "eve@exemple.fr", "--generate")
    assert len(made.split("Password: ")[1].strip()) >= 12
    listed = typed.must("user", "list")
    assert "ada@exemple.fr" in listed
    assert "correct horse" not in listed


def test_a_seed_is_kept_without_its_password_in_the_open(ready: Tocsin, typed: Typed) -> None:
    words = ("seed", "add", "w@gmail.com", "--imap", "imap.gmail.com", "--no-check")
    out = typed.must(*words, stdin="imap-password\n")
    assert "Gmail" in out
    assert "imap.gmail.com:993" in typed.must("seed", "list")
    assert b"imap-password" not in (ready.folder / "tocsin-data" / "tocsin.db").read_bytes()


def test_the_server_of_a_big_provider_is_known_and_oauth_takes_a_token_and_a_secret(
    ready: Tocsin, typed: Typed
) -> None:
    typed.must("seed", "add", "w@orange.fr", "--no-check", stdin="imap-password\n")
    words = ("seed", "add", "w@outlook.com", "--oauth-client", "client-1", "--no-check")
    typed.must(*words, stdin="refresh-token\nclient-secret\n")
    listed = typed.must("seed", "list")
    assert "imap.orange.fr:993" in listed
    assert "outlook.office365.com:993" in listed
    kept = (ready.folder / "tocsin-data" / "tocsin.db").read_bytes()
    assert b"login.microsoftonline.com" in kept
    assert b"client-1" in kept
    assert b"refresh-token" not in kept
    assert b"client-secret" not in kept


async def test_a_seed_is_signed_in_to_before_it_is_kept(ready: Tocsin, typed: Typed) -> None:
    account = SeedAccount("w@gmail.com", "gmail", "w@gmail.com", "right")
    folders = [MailFolder("INBOX"), MailFolder("Spam", "\\Junk")]
    server = ImapServer({"w@gmail.com": Mailbox(account, folders)})
    _, port = await server.start()

    async def add(imap: str, password: str, *more: str) -> Ran:
        words = ("seed", "add", "w@gmail.com", "--imap", imap, *more)
        return await asyncio.to_thread(typed, *words, stdin=f"{password}\n")

    try:
        wrong = await add(f"127.0.0.1:{port}", "wrong", "--no-tls")
        assert "refused the sign-in" in wrong.told
        assert "application password" in wrong.told
        assert "does not speak TLS" in (await add(f"127.0.0.1:{port}", "right")).told
        assert "nothing answers there" in (await add("127.0.0.1:9", "right", "--no-tls")).told
        assert "no seed mailbox yet" in await asyncio.to_thread(typed.must, "seed", "list")
        kept = await add(f"127.0.0.1:{port}", "right", "--no-tls")
        assert "can be read: the inbox and Spam." in kept.out
        found = await findings_of("Seeds", ready.folder)
        assert [each.what for each in found] == ["w@gmail.com can be read: INBOX, Spam."]
        told = await asyncio.to_thread(typed.must, "seed", "test", "w@gmail.com")
        assert "can be read: the inbox and Spam." in told
        await asyncio.to_thread(typed.must, "seed", "pause", "w@gmail.com")
        assert "paused" in await asyncio.to_thread(typed.must, "seed", "list")
        await asyncio.to_thread(typed.must, "seed", "resume", "w@gmail.com")
        assert "paused" not in await asyncio.to_thread(typed.must, "seed", "list")
    finally:
        await server.stop()
    (gone,) = await findings_of("Seeds", ready.folder)
    assert gone.level is Level.WARNING
    assert "nothing answers there" in gone.what
    assert "nothing answers there" in (await asyncio.to_thread(typed, "seed", "test", "w@gmail.com")).told
    await asyncio.to_thread(typed.must, "seed", "remove", "w@gmail.com")
    assert "no seed mailbox yet" in await asyncio.to_thread(typed.must, "seed", "list")
    assert "no seed mailbox" in (await asyncio.to_thread(typed, "seed", "pause", "w@gmail.com")).told


async def test_a_test_message_is_sent_to_oneself_and_told_in_one_line(people: Typed, sink: Sink) -> None:
    async def run(*words: str, relay: int = sink.smtp_port) -> Ran:
        url = f"smtp://127.0.0.1:{relay}"
        return await asyncio.to_thread(lambda: people(*words, TOCSIN_SMTP_URL=url))

    await run("segment", "add", "lyon", "commune:Lyon")
    await run("template", "add", "hello", "--starter", "newsletter")
    await run("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@news.example.org")
    await run("campaign", "create", "Lettre", "--template", "hello", "--segment", "lyon", "--from", "nat")
    words = ("campaign", "test", "Lettre", "--to", "me@example.org")
    sent = await run(*words)
    assert sent.out.startswith("Lettre: the test message to me@example.org was accepted: 250 ")
    assert len(sent.out.splitlines()) == 1
    (mail,) = await sink.wait_for(1)
    assert list(mail.recipients) == ["me@example.org"]
    assert b"DKIM-Signature" in mail.content
    down = await run(*words, relay=9)
    assert down.code == 1
    assert "was not sent. The mail server 127.0.0.1:9 cannot be reached: connection refused" in down.err
    assert (await run("campaign", "test", "1", "--to", "me@@x")).code == 2
    assert "No message has been made yet." in (await run("campaign", "show", "1")).out


def test_mail_that_says_nothing_about_ours_changes_nothing(ready: Tocsin, typed: Typed) -> None:
    out = typed.must("inbound", stdin="From: a@example.org\nSubject: Hello\n\nHow are you?\n")
    assert out == "This mail says nothing about a message of ours.\n"


def test_counters_are_checked_and_counted_anew(ready: Tocsin, people: Typed) -> None:
    people.must("segment", "add", "all", "everyone")
    people.must("template", "add", "hello", "--starter", "newsletter")
    people.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    people.must("campaign", "create", "Juin", "--template", "hello", "--segment", "all", "--from", "nat")
    assert people.must("counts", "check") == "Every counter is right.\n"
    with contextlib.closing(sqlite3.connect(ready.folder / "tocsin-data/tocsin.db")) as database, database:
        spoilt = "INSERT INTO tally VALUES (1, 'state', 1, 'gmail', 'held', 0, 5, '')"
        database.execute(spoilt)
    wrong = people("counts", "check", "Juin")
    assert wrong.code == 1
    assert "Juin: state 1 gmail held: 5, and should be 0" in wrong.out
    assert people.must("counts", "rebuild") == "Everything is counted anew.\n"
    assert people.must("counts", "check", "1") == "Every counter is right.\n"
    assert people("counts", "check", "Juillet").code == 1
