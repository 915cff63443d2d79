"""Amazon's side of SNS, as far as a receiver needs it: where the signing certificate is read.

The product reads it over HTTPS from a host of Amazon's. It is measured as it is, so this stands in as a web
proxy (HTTPS_PROXY) that leads to that host, with a certificate the product is told to trust (SSL_CERT_FILE).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.certificate import write_certificate
from benchmarks.event_calls import CERTIFICATE_HOST, CERTIFICATE_PATH


@asynccontextmanager
async def amazon(folder: Path, content: bytes) -> AsyncIterator[dict[str, str]]:
    """Runs within the block; the environment by which a process finds it. `content`: the certificate."""
    file = folder / "amazon.pem"
    write_certificate(file, host=CERTIFICATE_HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if asked.startswith(f"CONNECT {CERTIFICATE_HOST}:443 ".encode()):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.start_tls(context)
            asked = await reader.readuntil(b"\r\n\r\n")
            if asked.startswith(f"GET {CERTIFICATE_PATH} ".encode()):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": str(file)}
    finally:
        server.close()
