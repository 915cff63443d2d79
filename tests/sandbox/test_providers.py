"""How the mail exchangers answer, asked by the standard library's own client."""

import asyncio
import smtplib
import socket

import pytest

from sandbox import Fate, fate_of
from sandbox.manners import EVERYBODY, manners_of
from tests.sandbox.letters import RETURN_PATH, WorldMaker, a_message, send


async def say(world_address: tuple[str, int], recipient: str, content: bytes = b"") -> tuple[int, str]:
    return await asyncio.to_thread(send, world_address, recipient, content or a_message("http://127.0.0.1:9"))


async def test_every_provider_listens_and_greets(make_world: WorldMaker) -> None:
    world = await make_world()
    assert set(world.smtp_routes) == {manners.key for manners in EVERYBODY}
    for host, port in world.smtp_routes.values():
        assert host == "127.0.0.1"
        client = await asyncio.to_thread(smtplib.SMTP, host, port, timeout=60)
        await asyncio.to_thread(client.ehlo)
        assert client.has_extn("pipelining")
        await asyncio.to_thread(client.quit)


@pytest.mark.parametrize(
    ("recipient", "start"),
    [
        ("a.inconnu@gmail.com", "5.1.1 The email account that you tried to reach does not exist"),
        ("a.inconnu@orange.fr", "5.1.1 Adresse d au moins un destinataire invalide"),
        ("a.inconnu@laposte.net", "5.1.1 Adresse d au moins un destinataire invalide"),
        ("a.inconnu@yahoo.fr", "1 Requested mail action aborted, mailbox not found"),
        ("a.inconnu@free.fr", "5.1.1 <a.inconnu@free.fr>: User unknown"),
        ("a.inconnu@sfr.fr", "5.1.1 <a.inconnu@sfr.fr>: Recipient address rejected"),
        ("a.inconnu@gmx.fr", "Requested action not taken: mailbox unavailable"),
    ],
)
async def test_an_unknown_person_is_refused_for_good_in_the_providers_words(
    make_world: WorldMaker, recipient: str, start: str
) -> None:
    world = await make_world()
    code, text = await say(world.smtp_routes[manners_of(recipient.split("@")[1]).key], recipient)
    assert 550 <= code < 555
    assert text.startswith(start)
    assert world.tally().total.refused.total() == 1
    assert world.tally().total.taken == 0


async def test_outlook_says_unknown_in_two_ways(make_world: WorldMaker) -> None:
    world = await make_world()
    words = {
        (await say(world.smtp_routes["outlook"], f"a{n}.inconnu@hotmail.fr"))[1].split()[0] for n in range(12)
    }
    assert words == {"5.5.0", "5.1.10"}


async def test_a_full_mailbox_is_deferred_every_time(make_world: WorldMaker) -> None:
    world = await make_world()
    for _ in range(2):
        code, text = await say(world.smtp_routes["gmail"], "a.plein@gmail.com")
        assert code == 452
        assert text.startswith("4.2.2")
    assert world.tally().providers["gmail"].deferred["452 4.2.2"] == 2


async def test_filtered_content_is_refused_after_data_and_not_taken(make_world: WorldMaker) -> None:
    world = await make_world()
    code, text = await say(world.smtp_routes["laposte"], "a.filtre@laposte.net")
    assert (code, text.split()[0]) == (550, "5.5.0")
    assert world.tally().senders["contact@parti.example"].refused == {"550 5.5.0": 1}
    assert world.letters == []


@pytest.mark.parametrize(("key", "domain", "code"), [("sfr", "sfr.fr", 450), ("free", "free.fr", 451)])
async def test_greylisting_defers_the_first_attempt_and_takes_a_later_one(
    make_world: WorldMaker, key: str, domain: str, code: int
) -> None:
    world, hurried = await make_world(), await make_world(speed=200.0)
    address = f"a.gris@{domain}"
    for _ in range(2):
        assert (await say(world.smtp_routes[key], address))[0] == code
    assert (await say(hurried.smtp_routes[key], address))[0] == code
    # 60 seconds divided by 200: a third of a second.
    await asyncio.sleep(0.35)
    assert (await say(hurried.smtp_routes[key], address))[0] == 250
    assert hurried.tally().providers[key].taken == 1


async def test_the_third_connection_to_orange_is_turned_away_and_a_later_one_is_not(
    make_world: WorldMaker,
) -> None:
    world = await make_world()
    host, port = world.smtp_routes["orange"]

    def three() -> str:
        with smtplib.SMTP(host, port, timeout=60), smtplib.SMTP(host, port, timeout=60) as second:
            with socket.create_connection((host, port), timeout=60) as third:
                greeting = third.recv(1000).decode()
                assert third.recv(1000) == b""
            second.quit()
            with smtplib.SMTP(host, port, timeout=60) as next_one:
                assert next_one.noop()[0] == 250
        return greeting

    greeting = await asyncio.to_thread(three)
    assert greeting.startswith("421 ")
    assert "OFR_104" in greeting
    assert greeting.endswith("\r\n")


async def send_many(
    address: tuple[str, int], domain: str, count: int, first: int = 0
) -> list[tuple[int, bytes]]:
    def run() -> list[tuple[int, bytes]]:
        with smtplib.SMTP(*address, timeout=60) as client:
            replies = []
            for number in range(first, first + count):
                client.ehlo_or_helo_if_needed()
                reply = client.mail(RETURN_PATH)
                if reply[0] == 250:
                    client.rcpt(f"a{number}.ordinaire@{domain}")
                    content = a_message("http://127.0.0.1:9", message_id=f"<{number}@parti.example>")
                    reply = client.data(content)
                replies.append(reply)
                if reply[0] == 421:
                    break
            return replies

    return await asyncio.to_thread(run)


async def test_gmail_calls_a_burst_an_unusual_rate_after_data(make_world: WorldMaker) -> None:
    world = await make_world()
    replies = await send_many(world.smtp_routes["gmail"], "gmail.com", 100)
    replies += await send_many(world.smtp_routes["gmail"], "gmail.com", 100, first=100)
    assert any(code == 421 and b"4.7.28" in text for code, text in replies)
    tally = world.tally().providers["gmail"]
    assert tally.deferred["421 4.7.28"] >= 1
    assert tally.taken == sum(code == 250 for code, _ in replies)


async def test_yahoo_closes_after_twenty_messages(make_world: WorldMaker) -> None:
    world = await make_world()
    replies = await send_many(world.smtp_routes["yahoo"], "yahoo.fr", 30)
    assert [code for code, _ in replies] == [250] * 20 + [421]


async def test_yahoo_defers_a_burst_with_tss04(make_world: WorldMaker) -> None:
    world = await make_world()
    replies = [
        reply for _ in range(6) for reply in await send_many(world.smtp_routes["yahoo"], "yahoo.fr", 20)
    ]
    assert any(b"[TSS04]" in text for _, text in replies)


async def test_an_easygoing_world_knows_no_limits(make_world: WorldMaker) -> None:
    world = await make_world(easygoing=True)
    replies = await send_many(world.smtp_routes["yahoo"], "yahoo.fr", 150)
    assert {code for code, _ in replies} == {250}
    assert (await say(world.smtp_routes["sfr"], "a.gris@sfr.fr"))[0] == 250


async def test_a_recipient_of_another_provider_is_sent_away_and_listed(make_world: WorldMaker) -> None:
    world = await make_world()
    code, text = await say(world.smtp_routes["gmail"], "a@orange.fr")
    assert (code, text.split()[0]) == (550, "5.7.1")
    assert world.tally().misrouted == ("a@orange.fr",)


async def test_commands_in_one_pipeline_are_answered_in_order(make_world: WorldMaker) -> None:
    world = await make_world()
    content = a_message("http://127.0.0.1:9").replace(b"\r\n.", b"\r\n..")

    def talk() -> list[str]:
        with socket.create_connection(world.smtp_routes["gmail"], timeout=60) as client:
            stream = client.makefile("rb")
            stream.readline()
            transaction = f"MAIL FROM:<{RETURN_PATH}> SIZE=100\r\nRCPT TO:<%s>\r\nDATA\r\n"
            first = transaction % "a.ordinaire@gmail.com"
            second = transaction % "b.ordinaire@gmail.com"
            client.sendall(f"EHLO me\r\n{first}".encode() + content + b".\r\n" + second.encode())
            lines = [stream.readline().decode() for _ in range(13)]
            # In single bytes, as a slow network brings it.
            for byte in content + b".\r\nQUIT\r\n":
                client.sendall(bytes([byte]))
            return [*lines, *(line.decode() for line in stream)]

    lines = await asyncio.to_thread(talk)
    codes = [line[:3] for line in lines if line[3] == " "]
    assert codes == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert [letter.recipient for letter in world.letters] == [
        "a.ordinaire@gmail.com",
        "b.ordinaire@gmail.com",
    ]
    assert {letter.content for letter in world.letters} == {a_message("http://127.0.0.1:9")}


async def test_nonsense_is_answered_and_the_conversation_goes_on(make_world: WorldMaker) -> None:
    world = await make_world()

    def talk() -> list[int]:
        with smtplib.SMTP(*world.smtp_routes["free"], timeout=60) as client:
            commands = [
                "BURN",
                "RCPT TO:<a@free.fr>",
                "DATA",
                "MAIL FROM a@b",
                "MAIL FROM:<>",
                "MAIL FROM:<>",
            ]
            commands += ["RCPT TO:<>", "DATA", "RSET", "NOOP", "VRFY x", "HELO me"]
            return [client.docmd(command)[0] for command in commands]

    codes = await asyncio.to_thread(talk)
    assert codes == [502, 503, 503, 501, 250, 503, 501, 554, 250, 250, 252, 250]


async def test_a_line_without_end_closes_the_conversation(make_world: WorldMaker) -> None:
    world = await make_world()

    def talk() -> bytes:
        with socket.create_connection(world.smtp_routes["free"], timeout=60) as client:
            client.sendall(b"x" * 10_000)
            return b"".join(iter(lambda: client.recv(1000), b""))

    assert b"\r\n500 5.5.2" in await asyncio.to_thread(talk)


def test_a_word_in_the_address_decides_its_fate_whatever_the_case() -> None:
    assert fate_of("Camille.Inconnu@GMAIL.com") is Fate.UNKNOWN
    assert fate_of("a.rebond-double@orange.fr") is Fate.BOUNCES_TWICE
    assert fate_of("inconnue@gmail.com", seed=1) is fate_of("INCONNUE@gmail.com", seed=1)


def test_fates_follow_the_seed_and_keep_their_shares() -> None:
    addresses = [f"personne.{n}@gmail.com" for n in range(5000)]
    fates = [fate_of(address, 7) for address in addresses]
    assert fates == [fate_of(address, 7) for address in addresses]
    assert fates != [fate_of(address, 8) for address in addresses]
    assert 0.82 < fates.count(Fate.ORDINARY) / 5000 < 0.90
    assert 0.06 < fates.count(Fate.CLICKS) / 5000 < 0.10
    assert fates.count(Fate.GREYLISTED) == 0
    assert 0.14 < sum(fate_of(f"p.{n}@sfr.fr") is Fate.GREYLISTED for n in range(1000)) / 1000 < 0.22
