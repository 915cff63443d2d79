"""The far end of the wire: an SMTP server that takes everything, counts it, and costs next to nothing.

Its only job is to be no part of what is measured: one thread, plain sockets, one system call a chunk, the
end of a message found by a search in place. It writes down to whom and under which return path each message
came, and keeps every k-th whole. A message counts once its terminating dot is here, answered or not: that
is what its recipient would get. Not a mail server: it believes whatever it is told.

Beside SMTP it understands XSTAT (what was counted so far, as JSON) and XMARK (begin a new count, written to
the file of that name).
"""

import argparse
import json
import selectors
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

GREETING = b"220 sink ESMTP\r\n"
EXTENSIONS = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
OK, GO_ON, BYE = b"250 2.0.0 ok\r\n", b"354 go on\r\n", b"221 2.0.0 bye\r\n"
UNKNOWN = b"502 5.5.2 not here\r\n"
REPLIES = MappingProxyType({b"EHLO": EXTENSIONS, b"HELO": EXTENSIONS, b"RSET": OK, b"NOOP": OK, b"QUIT": BYE})
END_OF_DATA = b"\r\n.\r\n"
CHUNK = 1 << 20
PATIENCE_S = 10.0


@dataclass(slots=True, eq=False)
class Line:
    """One connection. `carry`: what a later chunk is needed to understand; `kept`: a message kept whole."""

    socket: socket.socket
    carry: bytes = b""
    in_data: bool = False
    sender: str = ""
    recipient: str = ""
    kept: list[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """Where connections come in, and how they are encrypted."""

    listener: socket.socket
    tls: ssl.SSLContext | None


class Sink:
    """Serves until the process ends; the file `records` has a line a message: recipient, return path."""

    def __init__(self, folder: Path, *, keep_every: int, certificate: Path | None = None) -> None:
        """`folder` gets the records and the messages kept, one in `keep_every` (0: none)."""
        self._folder = folder
        self._keep_every = keep_every
        self._tls = None if certificate is None else _tls(certificate)
        self._selector = selectors.DefaultSelector()
        self._buffer = bytearray(CHUNK)
        self._view = memoryview(self._buffer)
        self._lines: set[Line] = set()
        self._records: IO[bytes] = (folder / "records").open("ab", buffering=CHUNK)
        self._messages = self._octets = self._most_lines = 0
        self._first_ns = self._last_ns = 0
        self._cpu_s = time.process_time()

    def serve(self, door: socket.socket, side_door: socket.socket) -> None:
        """Answer for ever: mail comes in by the `door`, questions by the `side_door`, which has no TLS."""
        for listener, tls in ((door, self._tls), (side_door, None)):
            listener.settimeout(0)
            self._selector.register(listener, selectors.EVENT_READ, Door(listener, tls))
        while True:
            for key, _ in self._selector.select():
                if isinstance(key.data, Door):
                    self._accept(key.data, count=key.fileobj is door)
                    continue
                try:
                    self._read(key.data)
                except OSError:
                    self.close(key.data)

    def close(self, line: Line) -> None:
        """Hang up."""
        self._lines.discard(line)
        if line.socket.fileno() >= 0:
            self._selector.unregister(line.socket)
            line.socket.close()

    def reached(self, point: str, line: Line) -> None:
        """Called at `mail`, `data`, `body` (octets of it are here), `dot` (counted, unanswered), `answered`.

        For those who want something to go wrong there.
        """

    def command(self, _verb: bytes, _argument: bytes, _line: Line) -> bytes | None:
        """The reply to a command of one's own; None for none such."""
        return None

    def _accept(self, door: Door, *, count: bool) -> None:
        opened, _ = door.listener.accept()
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        try:
            if door.tls is not None:
                opened.settimeout(PATIENCE_S)
                opened = door.tls.wrap_socket(opened, server_side=True)
            opened.sendall(GREETING)
        except OSError:
            opened.close()
            return
        opened.settimeout(0)
        line = Line(opened)
        if count:
            self._lines.add(line)
            self._most_lines = max(self._most_lines, len(self._lines))
        self._selector.register(opened, selectors.EVENT_READ, line)

    def _read(self, line: Line) -> None:
        while True:
            start = len(line.carry)
            self._view[:start] = line.carry
            try:
                count = line.socket.recv_into(self._view[start:])
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            if not count:
                self.close(line)
                return
            replies = self._understand(line, start, start + count)
            if replies:
                self._answer(line, replies)
            # Octets that TLS has decrypted wake no selector.
            if not isinstance(line.socket, ssl.SSLSocket) or line.socket.fileno() < 0:
                return

    def _answer(self, line: Line, replies: list[bytes]) -> None:
        line.socket.settimeout(PATIENCE_S)
        line.socket.sendall(b"".join(replies))
        line.socket.settimeout(0)
        if OK in replies:
            self.reached("answered", line)
        if BYE in replies:
            self.close(line)

    def _understand(self, line: Line, fresh: int, end: int) -> list[bytes]:
        """The replies to what stands in the buffer up to `end`; what came just now begins at `fresh`."""
        replies: list[bytes] = []
        buffer, position = self._buffer, 0
        while position < end:
            if line.in_data:
                at = buffer.find(END_OF_DATA, position, end)
                if line.kept is not None:
                    line.kept.append(bytes(buffer[max(position, fresh) : _end(at, end)]))
                if at < 0:
                    line.carry = bytes(buffer[max(position, end - len(END_OF_DATA) + 1) : end])
                    self._octets += end - max(position, fresh)
                    self.reached("body", line)
                    return replies
                self._octets += at - max(position, fresh)
                self._count(line)
                self.reached("dot", line)
                replies.append(OK)
                position = at + len(END_OF_DATA)
                continue
            at = buffer.find(b"\r\n", position, end)
            if at < 0:
                break
            reply = self._obey(line, bytes(buffer[position:at]))
            replies.append(reply)
            # The line end before the content belongs to the mark of its end.
            position = at if reply is GO_ON else at + 2
            if reply is GO_ON:
                fresh = max(fresh, at + 2)
                if end == at + 2:
                    line.carry = b"\r\n"
                    return replies
        line.carry = bytes(buffer[position:end])
        return replies

    def _obey(self, line: Line, text: bytes) -> bytes:
        verb = text[:4].upper()
        match verb:
            case b"MAIL":
                line.sender = _address(text)
                self.reached("mail", line)
                return OK
            case b"RCPT":
                line.recipient = _address(text)
                return OK
            case b"DATA":
                self.reached("data", line)
                line.in_data = True
                if self._keep_every and self._messages % self._keep_every == 0:
                    line.kept = []
                return GO_ON
            case b"XSTA":
                return self._tell()
            case b"XMAR":
                return self._mark(text.partition(b" ")[2].decode())
            case _:
                pass
        return REPLIES.get(verb) or self.command(verb, text.partition(b" ")[2], line) or UNKNOWN

    def _count(self, line: Line) -> None:
        self._last_ns = time.monotonic_ns()
        self._first_ns = self._first_ns or self._last_ns
        self._messages += 1
        self._records.write(f"{line.recipient} {line.sender}\n".encode())
        if line.kept is not None:
            # As it stood between the end of the command's line and the final dot, unstuffed.
            content = b"".join((b"\r\n", *line.kept))[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
            (self._folder / f"{self._messages}.eml").write_bytes(content[2:])
            line.kept = None
        line.in_data, line.recipient = False, ""

    def _tell(self) -> bytes:
        self._records.flush()
        told = {
            "messages": self._messages,
            "octets": self._octets,
            "first_ns": self._first_ns,
            "last_ns": self._last_ns,
            "cpu_s": time.process_time() - self._cpu_s,
            "most_lines": self._most_lines,
        }
        return f"250 {json.dumps(told)}\r\n".encode()

    def _mark(self, name: str) -> bytes:
        self._records.close()
        self._records = (self._folder / name).open("ab", buffering=CHUNK)
        self._messages = self._octets = self._first_ns = self._last_ns = 0
        self._most_lines = len(self._lines)
        self._cpu_s = time.process_time()
        return OK


def _end(at: int, end: int) -> int:
    """Where a message's octets end in the buffer: behind its terminator, or with the chunk."""
    return end if at < 0 else at + len(END_OF_DATA)


def _address(text: bytes) -> str:
    return text.partition(b"<")[2].partition(b">")[0].decode()


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def listen() -> socket.socket:
    """A listening socket on a free port of the loopback."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    return listener


def main() -> None:
    """Run as a process: the ports of both doors on the first line of standard output, then silence."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep-every", type=int, default=0)
    parser.add_argument("--certificate", type=Path)
    given = parser.parse_args()
    run(Sink(given.folder, keep_every=given.keep_every, certificate=given.certificate))


def run(sink: Sink) -> None:
    """Open both doors, tell their ports, and serve."""
    door, side_door = listen(), listen()
    sys.stdout.write(f"{door.getsockname()[1]} {side_door.getsockname()[1]}\n")
    sys.stdout.flush()
    sink.serve(door, side_door)


if __name__ == "__main__":
    main()
