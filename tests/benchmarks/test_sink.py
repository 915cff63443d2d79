"""The sink counts what came, however the octets were cut into pieces on their way."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.counting import control
from benchmarks.processes import MeasureError, python, running
from benchmarks.proof import check_arrivals

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = "".join(f"r{number}@boites.example b+{number}@retours.example\n" for number in range(1, 4))


@pytest.fixture(scope="module")
def one_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A sink that keeps every message whole, and its folder."""
    folder = tmp_path_factory.mktemp("sink")
    command = python("benchmarks.sink", str(folder), "--keep-every", "1")
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline().split()[0]), folder
    process.kill()
    process.communicate()


def transaction(recipient: str, body: bytes) -> bytes:
    """As a client that pipelines writes it, dots stuffed."""
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    envelope = f"MAIL FROM:<b@x.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    return envelope + stuffed + b".\r\n"


BODIES = st.lists(
    st.text("ab.\r\n", max_size=30).map(lambda text: text.replace("\r", "").replace("\n", "\r\n").encode()),
    min_size=1,
    max_size=5,
).map(lambda bodies: [body + b"\r\n" for body in bodies])


@given(bodies=BODIES, cuts=st.lists(st.integers(1, 40), max_size=40))
@example(bodies=[b"\r\n", b".\r\n", b".\r\n.\r\n"], cuts=[1] * 40)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_message_is_counted_once_and_kept_as_it_was_written(
    one_sink: tuple[int, Path], bodies: list[bytes], cuts: list[int]
) -> None:
    port, folder = one_sink
    for kept in folder.glob("*.eml"):
        kept.unlink()
    stream = b"".join(transaction(f"r{number}@x", body) for number, body in enumerate(bodies)) + b"QUIT\r\n"
    with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rb") as replies:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert replies.readline().startswith(b"220")
        for cut in cuts:
            line.sendall(stream[:cut])
            stream = stream[cut:]
        line.sendall(stream)
        codes = [reply[:3] for reply in replies]
    assert codes == [b"250", b"250", b"354", b"250"] * len(bodies) + [b"221"]
    kept_bodies = [path.read_bytes() for path in sorted(folder.glob("*.eml"), key=lambda p: int(p.stem))]
    assert kept_bodies == bodies


async def test_the_sink_is_asked_over_a_door_of_its_own_and_begins_anew_when_told(tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    async with (
        running(python("benchmarks.sink", str(tmp_path / "sink")), folder=tmp_path) as (_, ports),
        control(int(ports.split()[1])) as sink,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(ports.split()[0]))
        writer.write(transaction("r1@x", b"Subject: x\r\n\r\nx\r\n"))
        for _ in range(5):
            await reader.readline()
        counted = await sink.count()
        await sink.mark("second")
        again = await sink.count()
        writer.close()
    assert (counted.messages, counted.most_lines, again.messages) == (1, 1, 0)
    assert (tmp_path / "sink/records").read_text() == "r1@x b@x.example\n"
    assert (tmp_path / "sink/second").read_text() == ""


async def test_a_longer_wire_passes_everything_on_a_little_later(tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    async with running(python("benchmarks.sink", str(tmp_path / "sink")), folder=tmp_path) as (_, ports):
        near = python("benchmarks.delay", ports.split()[0], "--rtt", "100")
        async with running(near, folder=tmp_path) as (_, port):
            loop = asyncio.get_running_loop()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
            await reader.readline()
            begun = loop.time()
            writer.write(b"NOOP\r\n")
            assert (await reader.readline()).startswith(b"250")
            assert loop.time() - begun >= 0.1
            writer.close()


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (GOOD.replace("r2@", "r1@"), "1 missing, 1 twice"),
        (GOOD + "r3@boites.example b+9@retours.example\n", "0 missing, 1 twice"),
        (GOOD.replace("r2@", "someone@"), "1 missing, 0 twice or more, 1 to strangers"),
        (GOOD.replace("b+2@", "b+1@"), "2 return paths for 3 people"),
    ],
)
def test_a_run_with_a_message_missing_doubled_or_astray_is_no_measurement(
    tmp_path: Path, records: str, problem: str
) -> None:
    file = tmp_path / "records"
    file.write_text(GOOD)
    check_arrivals(file, range(1, 4))
    file.write_text(records)
    with pytest.raises(MeasureError, match=problem):
        check_arrivals(file, range(1, 4))
