"""A program that calls the API and spends next to nothing on it: what is measured is the other side.

Libraries of HTTP take longer to put a call together than the service takes to answer it, on the same cores.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

ANSWER_S = 60.0
_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Caller:
    """Connections that are kept open, as many as calls wait at once. `headers` go with every call."""

    port: int
    headers: Mapping[str, str]
    _idle: list[_Line] = field(default_factory=list)

    async def post(self, path: str, body: bytes, key: str) -> tuple[int, bytes]:
        """One call under an Idempotency-Key; status and body of its answer."""
        headers = {**self.headers, "Host": "tocsin.example", "Content-Length": str(len(body))}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        line = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = line
        writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        async with asyncio.timeout(ANSWER_S):
            told = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(part.partition(b":")[2])
                for part in told.lower().split(b"\r\n")
                if part.startswith(b"content-length:")
            )
            answer = await reader.readexactly(length)
        self._idle.append(line)
        return int(told[9:12]), answer

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
