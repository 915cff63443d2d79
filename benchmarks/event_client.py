"""Everybody outside, in one process: providers that post, mail servers that hand over bounces.

Reads its calls from a file, says `ready`, and begins at a line on standard input. The octets are ready: what
is measured is the other side. Prints what became of each call as JSON, moments in monotonic seconds, which
all processes of a machine share.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.event_plan import HOOKS, Way
from service import loops

MAILS_A_SESSION = 100
ANSWER_S = 120.0


@dataclass(slots=True)
class Work:
    """What one kind of source has to say, taken by its connections in order."""

    calls: Sequence[Mapping[str, Any]]
    rate: float
    begun: float = 0.0
    answers: list[tuple[int, float, float, int]] = field(default_factory=list)
    _taken: int = 0
    _told: int = 0

    async def next(self) -> tuple[int, Mapping[str, Any], float] | None:
        """The next call and when it was due; None when there is none. Unpaced, each is due at once."""
        if self._taken >= len(self.calls):
            return None
        place = self._taken
        call = self.calls[place]
        self._taken += 1
        due = self.begun + self._told / self.rate if self.rate else time.monotonic()
        self._told += call["news"]
        if due > time.monotonic():
            await asyncio.sleep(due - time.monotonic())
        return place, call, due


def _post(call: Mapping[str, Any]) -> bytes:
    body: bytes = call["body"]
    headers = "".join(f"{name}: {value}\r\n" for name, value in call["headers"].items())
    headers += f"Host: tocsin.example\r\nContent-Length: {len(body)}\r\n"
    return f"POST {call['target']} HTTP/1.1\r\n{headers}\r\n".encode() + body


async def _hooks(work: Work, port: int) -> None:
    """One connection of a provider, kept open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (taken := await work.next()) is not None:
        place, call, due = taken
        writer.write(call["octets"])
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))
        work.answers.append((place, due, time.monotonic(), int(head[9:12])))
    writer.close()


async def _mails(work: Work, where: int | str, hello: bytes) -> None:
    """One mail server, connection after connection; each mail in the four steps that SMTP has."""
    taken = await work.next()
    while taken is not None:
        if isinstance(where, str):
            reader, writer = await asyncio.open_unix_connection(where)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", where)
        await _reply(reader)
        writer.write(hello + b" mx.boites.example\r\n")
        await _reply(reader)
        for _ in range(MAILS_A_SESSION):
            if taken is None:
                break
            place, call, due = taken
            writer.write(b"MAIL FROM:<>\r\n")
            await _reply(reader)
            writer.write(f"RCPT TO:<{call['target']}>\r\n".encode())
            await _reply(reader)
            writer.write(b"DATA\r\n")
            await _reply(reader)
            writer.write(call["octets"])
            status = await _reply(reader)
            work.answers.append((place, due, time.monotonic(), status))
            taken = await work.next()
        writer.write(b"QUIT\r\n")
        writer.close()


async def _reply(reader: asyncio.StreamReader) -> int:
    while True:
        line = await asyncio.wait_for(reader.readline(), ANSWER_S)
        if line[3:4] != b"-":
            return int(line[:3] or 421)


def _read(path: Path) -> tuple[dict[str, Any], dict[Way, Work]]:
    plan = json.loads(path.read_text(encoding="utf-8"))
    works: dict[Way, Work] = {}
    for way, calls in plan["calls"].items():
        for call in calls:
            call["body"] = call["body"].encode("latin-1")
            mail = call["body"].replace(b"\r\n.", b"\r\n..") + b".\r\n"
            call["octets"] = _post(call) if Way(way) in HOOKS else mail
        works[Way(way)] = Work(calls, plan["rates"].get(way, 0.0))
    return plan, works


def _connections(plan: Mapping[str, Any], works: Mapping[Way, Work]) -> Iterator[Any]:
    for way, work in works.items():
        for _ in range(plan["connections"]):
            if way in HOOKS:
                yield _hooks(work, plan["web_port"])
            elif way is Way.SMTP:
                yield _mails(work, plan["smtp_port"], b"EHLO")
            else:
                yield _mails(work, plan["lmtp_path"], b"LHLO")


async def _tell(path: Path) -> None:
    plan, works = await asyncio.to_thread(_read, path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    before, begun = time.process_time(), time.monotonic()
    for work in works.values():
        work.begun = begun
    await asyncio.gather(*_connections(plan, works))
    told = {
        "begun": begun,
        "cpu_s": time.process_time() - before,
        "answers": {way: work.answers for way, work in works.items()},
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    loops.run(_tell(Path(sys.argv[1])))
