"""What the listener for programs' mail says, command by command: sign-in, limits, what is not offered."""

import asyncio
import base64
import logging
import smtplib
import ssl
from datetime import timedelta
from typing import Any

import aiosmtplib
import pytest
from sqlmodel import select

from models.api import Scope
from models.message import Message
from tests.web.browsers import Site
from tests.web.programs import Program, a_program
from tests.web.submission.senders import Line, Post, a_mail, as_plain
from web.submission import listener
from web.submission.entrance import FAILURES_AN_ADDRESS

# One kind of database is enough for what is said before anything is written.
pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
WRONG = as_plain("tcn_live_" + "0" * 38)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def count(program: Program) -> int:
    async with program.site.database.read() as session:
        return len((await session.exec(select(Message.id))).all())


async def test_what_is_offered_before_and_after_encryption(program: Program) -> None:
    post = await Post(program, plain=False).open()
    line = await post.line()
    offered = await line.say("EHLO crm.example")
    assert "STARTTLS" in offered
    assert "AUTH" not in offered
    assert "PIPELINING" in offered
    assert not {"CHUNKING", "SMTPUTF8", "DSN"} & set(offered.replace("250-", "").split("|"))
    assert (await line.say(f"AUTH PLAIN {as_plain(program.secret)}")).startswith("530 ")
    assert (await line.say("MAIL FROM:<a@b.fr>")).startswith("530 ")
    await post.stop()


def speak_starttls(port: int, secret: str, trust: ssl.SSLContext) -> tuple[bytes, str]:
    with smtplib.SMTP("localhost", port, timeout=30) as line:
        line.starttls(context=trust)
        line.ehlo()
        offered = line.esmtp_features["auth"]
        line.login("tocsin", secret)
        line.send_message(a_mail())
        return line.ehlo()[1], offered


async def test_a_program_signs_in_once_the_line_is_encrypted(program: Program) -> None:
    post = await Post(program, plain=False).open()
    said = await asyncio.to_thread(speak_starttls, post.server.port, program.secret, post.trust())
    assert said[1].split() == ["PLAIN", "LOGIN"]
    assert b"STARTTLS" not in said[0]
    assert await count(program) == 1
    await post.stop()


async def test_aiosmtplib_hands_over_with_tls_from_the_first_byte(program: Program) -> None:
    post = await Post(program, plain=False, implicit=True).open()
    await aiosmtplib.send(
        a_mail(),
        hostname="localhost",
        port=post.server.port,
        use_tls=True,
        tls_context=post.trust(),
        username="anybody",
        password=program.secret,
    )
    assert await count(program) == 1
    await post.stop()


async def test_commands_slipped_in_before_encryption_are_not_heard_after_it(program: Program) -> None:
    post = await Post(program, plain=False).open()
    line = await post.line()
    await line.say("EHLO crm.example")
    line.writer.write(b"STARTTLS\r\nEHLO evil.example\r\nNOOP\r\n")
    assert (await line.hear()).startswith("220 ")
    await line.writer.start_tls(post.trust(), server_hostname="localhost")
    # Nothing but what is said now is answered, and nothing said before counts.
    assert (await line.say("MAIL FROM:<a@b.fr>")).startswith("503 ")
    await post.stop()


@pytest.mark.parametrize(
    "way", ["PLAIN at once", "plain at once", "PLAIN when asked", "LOGIN", "LOGIN with a name"]
)
async def test_each_way_to_sign_in(post: Post, way: str) -> None:
    line, secret = await post.line(), post.program.secret
    await line.say("EHLO crm.example")
    match way:
        case "PLAIN at once" | "plain at once":
            answer = await line.say(f"AUTH {way[:5]} {as_plain(secret, 'x')}")
        case "PLAIN when asked":
            assert await line.say("AUTH PLAIN") == "334 "
            answer = await line.say(as_plain(secret))
        case "LOGIN":
            assert await line.say("AUTH LOGIN") == f"334 {in_base64('Username:')}"
            assert await line.say(in_base64("tocsin")) == f"334 {in_base64('Password:')}"
            answer = await line.say(in_base64(secret))
        case _:
            await line.say(f"AUTH LOGIN {in_base64('tocsin')}")
            answer = await line.say(in_base64(secret))
    assert answer.startswith("235 ")
    assert (await line.say(f"AUTH PLAIN {as_plain(secret)}")).startswith("503 ")
    assert (await line.hand_over(a_mail())).startswith("250 ")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH", "504 5.5.4"),
        ("AUTH PLAIN !!!", "501 5.5.2"),
        ("AUTH PLAIN =", "501 5.5.2"),
        (f"AUTH PLAIN {in_base64('no parts')}", "501 5.5.2"),
        (f"AUTH PLAIN {WRONG}", "535 5.7.8"),
        (f"AUTH PLAIN {as_plain('')}", "535 5.7.8"),
    ],
)
async def test_what_opens_nothing(post: Post, said: str, answer: str) -> None:
    line = await post.line()
    await line.say("EHLO crm.example")
    assert (await line.say(said)).startswith(answer)
    assert (await line.say("MAIL FROM:<a@b.fr>")).startswith("530 ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scopes": [Scope.MESSAGES_READ]}, "lacks the scope messages:send"),
        ({"networks": ["192.0.2.0/24"]}, "may not be used from your address"),
    ],
)
async def test_a_key_that_may_not_is_told_why(site: Site, options: dict[str, Any], words: str) -> None:
    post = await Post(await a_program(site, **options)).open()
    line = await post.line()
    await line.say("EHLO crm.example")
    answer = await line.say(f"AUTH PLAIN {as_plain(post.program.secret)}")
    assert answer.startswith("535 5.7.8 ")
    assert words in answer
    await post.stop()


async def test_guesses_are_slow_and_others_are_not_kept_out(post: Post, site: Site) -> None:
    for _ in range(FAILURES_AN_ADDRESS // 2):
        line = await post.line()
        await line.say("EHLO crm.example")
        for _ in range(2):
            assert (await line.say(f"AUTH PLAIN {WRONG}")).startswith("535 ")
        line.close()
    with pytest.raises(AssertionError):
        await post.line()
    site.clock.advance(timedelta(minutes=15))
    assert (await (await post.signed_in()).hand_over(a_mail())).startswith("250 ")


async def test_three_wrong_keys_end_a_connection(post: Post) -> None:
    line = await post.line()
    await line.say("EHLO crm.example")
    answers = [await line.say(f"AUTH PLAIN {WRONG}") for _ in range(3)]
    assert [answer[:3] for answer in answers] == ["535", "535", "421"]
    assert await line.hear() == ""


async def test_no_secret_comes_into_the_log(
    post: Post, caplog: pytest.LogCaptureFixture, program: Program
) -> None:
    caplog.set_level(logging.INFO)
    line = await post.line()
    await line.say("EHLO crm.example")
    word = as_plain(program.secret)
    assert (await line.say(f"AUTH PLAIN {word}")).startswith("235 ")
    assert (await line.hand_over(a_mail())).startswith("250 ")
    told = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    ours = "\n".join(f"{one.getMessage()} {vars(one)}" for one in caplog.records if one.name != "mail.log")
    assert "mail taken on" in ours
    for secret in (word, program.secret):
        assert secret not in told
    assert "camille@gmail.com" not in ours


async def test_a_key_said_where_it_is_no_command_is_not_in_the_log(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    post = await Post(program, plain=False).open()
    line = await post.line()
    await line.say("EHLO crm.example")
    # A program that does not wait for the answer says the rest to whoever listens.
    for words in ("AUTH LOGIN", in_base64("tocsin"), in_base64(program.secret)):
        assert (await line.say(words))[0] == "5"
    told = "\n".join(record.getMessage() for record in caplog.records).lower()
    assert in_base64(program.secret).lower() not in told
    await post.stop()


async def test_a_key_names_so_many_recipients_a_minute(site: Site) -> None:
    post = await Post(await a_program(site, per_minute=2)).open()
    line = await post.signed_in()
    await line.say("MAIL FROM:<a@b.fr>")
    answers = [await line.say(f"RCPT TO:<p{number}@gmail.com>") for number in range(3)]
    assert [answer[:9] for answer in answers] == ["250 2.1.5", "250 2.1.5", "451 4.7.1"]
    await line.say("RSET")
    site.clock.advance(timedelta(minutes=1))
    assert (await line.hand_over(a_mail())).startswith("250 ")
    await post.stop()


async def test_five_hundred_recipients_and_no_more(post: Post) -> None:
    line = await post.signed_in()
    await line.say("MAIL FROM:<a@b.fr>")
    for number in range(500):
        assert (await line.say(f"RCPT TO:<p{number}@gmail.com>")).startswith("250 ")
    assert (await line.say("RCPT TO:<one@gmail.com>")).startswith("452 4.5.3 ")
    assert (await line.say("DATA")).startswith("354 ")
    answer = await line.say(a_mail().as_bytes().replace(b"\n", b"\r\n") + b".")
    assert answer == "250 2.0.0 Accepted: 500 messages, 0 of them suppressed"
    assert await count(post.program) == 500


async def test_the_same_recipient_twice_is_one(post: Post) -> None:
    line = await post.signed_in()
    answer = await line.hand_over(a_mail(Message_ID="<1@crm>"), "Camille@Gmail.com", "camille@gmail.com")
    assert answer.startswith("250 2.0.0 Accepted as msg_")
    assert await count(post.program) == 1


@pytest.mark.parametrize("address", ["no address", "é@gmail.com", "a@b", "a@[192.0.2.1]"])
async def test_addresses_that_cannot_be_written_to(post: Post, address: str) -> None:
    line = await post.signed_in()
    await line.say("MAIL FROM:<a@b.fr>")
    assert (await line.say(f"RCPT TO:<{address}>"))[0] == "5"
    assert (await line.say("DATA")).startswith("503 ")


async def test_what_is_not_offered_is_refused(post: Post) -> None:
    line = await post.signed_in()
    assert (await line.say("MAIL FROM:<a@b.fr> SMTPUTF8"))[0] == "5"
    assert (await line.say("MAIL FROM:<a@b.fr> RET=HDRS"))[0] == "5"
    assert (await line.say("MAIL FROM:<a@b.fr> SIZE=9999999")).startswith("552 ")
    assert (await line.say("MAIL FROM:<> SIZE=100 BODY=8BITMIME AUTH=<>")).startswith("250 ")
    assert (await line.say("RCPT TO:<a@gmail.com> NOTIFY=NEVER"))[0] == "5"
    assert (await line.say("RCPT TO:<a@gmail.com>")).startswith("250 ")
    assert (await line.say("BDAT 10 LAST\r\nQUIT")).startswith("502 5.5.1 ")
    assert await line.hear() == "", "what follows the command is not heard"
    assert await count(post.program) == 0


async def test_commands_may_come_at_once(post: Post) -> None:
    line = await post.signed_in()
    line.writer.write(b"MAIL FROM:<a@b.fr>\r\nRCPT TO:<a@gmail.com>\r\nRCPT TO:<no>\r\nDATA\r\n")
    assert [(await line.hear())[:3] for _ in range(4)] == ["250", "250", "553", "354"]
    assert (await line.say(a_mail().as_bytes().replace(b"\n", b"\r\n") + b".")).startswith("250 ")
    assert await count(post.program) == 1


async def test_a_mail_does_not_end_where_its_lines_are_not_ended_well(post: Post) -> None:
    line = await post.signed_in()
    for words in ("MAIL FROM:<a@b.fr>", "RCPT TO:<a@gmail.com>", "DATA"):
        await line.say(words)
    smuggled = b"\n.\nMAIL FROM:<x@y.fr>\nRCPT TO:<victim@gmail.com>\nDATA\n\r.\r\nx"
    raw = a_mail().as_bytes().replace(b"\n", b"\r\n") + smuggled + b"\r\n."
    assert (await line.say(raw)).startswith("250 ")
    assert (await line.say("NOOP")).startswith("250 "), "nothing else was taken for a command"
    assert await count(post.program) == 1


async def test_long_lines_are_taken_and_large_mails_are_not(post: Post) -> None:
    line = await post.signed_in()
    long = "<p>" + "mot " * 30_000 + "</p>"
    head = b"From: national@parti.fr\nSubject: x\nContent-Type: text/html; charset=utf-8\n\n"
    assert (await line.hand_over(head + long.encode())).startswith("250 ")
    huge = head + b"<p>mot</p>\n" * (listener.MAX_MAIL_BYTES // 10)
    assert (await line.hand_over(huge)).startswith("552 ")
    assert (await line.hand_over(a_mail())).startswith("250 "), "the line goes on"


async def test_whoever_says_nothing_is_left(program: Program) -> None:
    post = await Post(program, patience_s=(0.3, 60.0)).open()
    silent: Line = await post.line()
    assert await silent.hear() == ""
    line = await post.signed_in()
    await asyncio.sleep(0.6)
    assert (await line.say("NOOP")).startswith("250 "), "guests have more time"
    await post.stop()


async def test_too_many_connections_are_turned_away(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_SESSIONS", 1)
    line = await post.signed_in()
    with pytest.raises(AssertionError):
        await post.line()
    assert (await line.say("NOOP")).startswith("250 ")


async def test_strangers_who_stay_keep_no_program_out(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_SESSIONS", 3)
    first = await post.signed_in()
    strangers = [await post.line() for _ in range(8)]
    second = await post.signed_in()
    third = await post.signed_in()
    assert [await one.hear() for one in strangers] == [""] * 8
    for line in (first, second, third):
        assert (await line.hand_over(a_mail())).startswith("250 ")
    assert await count(post.program) == 3


async def test_the_listener_ends_after_the_mail_it_is_taking(post: Post) -> None:
    line = await post.signed_in()
    mail = asyncio.create_task(line.hand_over(a_mail()))
    while not line.writer.transport.is_closing() and not mail.done() and not post.server._handler._busy:
        await asyncio.sleep(0)
    await post.server.stop()
    assert (await mail).startswith("250 ")
    assert await count(post.program) == 1
