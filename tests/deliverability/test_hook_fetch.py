"""What webhooks have us read on the web, from real servers: only small answers of whom we meant to ask."""

import asyncio
from functools import partial

import pytest

from deliverability.hook_fetch import LARGEST, FetchError, Remembered, fetch
from deliverability.signals.hooks import is_certificate
from tests.hook_callers import CERTIFICATE
from tests.servers.web_peer import StartWebPeer, answer

PEM = "/SimpleNotificationService-0123abcd.pem"


async def test_a_certificate_is_read_over_tls(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.answers[PEM] = answer(CERTIFICATE)
    assert await fetch(peer.url(PEM), trusted=peer.trusted) == CERTIFICATE


async def test_a_redirect_is_not_followed(web_peer: StartWebPeer) -> None:
    peer, elsewhere = await web_peer(), await web_peer()
    elsewhere.answers["/"] = answer(CERTIFICATE)
    for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect"):
        peer.answers[PEM] = answer(b"", status, f"Location: {elsewhere.url('/')}")
        with pytest.raises(FetchError, match=status[:3]):
            await fetch(peer.url(PEM), trusted=peer.trusted)
    assert elsewhere.asked == []


async def test_a_server_that_cannot_prove_its_name_is_not_believed(web_peer: StartWebPeer) -> None:
    misnamed, peer = await web_peer("elsewhere.test"), await web_peer()
    misnamed.answers[PEM] = peer.answers[PEM] = answer(CERTIFICATE)
    with pytest.raises(FetchError):
        await fetch(misnamed.url(PEM), trusted=misnamed.trusted)
    with pytest.raises(FetchError):
        await fetch(peer.url(PEM), trusted=misnamed.trusted)
    with pytest.raises(FetchError):
        await fetch(peer.url(PEM))
    assert misnamed.asked == peer.asked == []


@pytest.mark.parametrize(
    "head", ["Content-Length: 999999999", "Transfer-Encoding: chunked", "X-Length: none"]
)
async def test_an_endless_answer_is_given_up_early(web_peer: StartWebPeer, head: str) -> None:
    peer = await web_peer()
    piece = b"x" * (LARGEST + 1)
    content = b"%x\r\n%b\r\n" % (len(piece), piece) if "chunked" in head else piece
    peer.answers[PEM] = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + content
    with pytest.raises(FetchError):
        await fetch(peer.url(PEM), trusted=peer.trusted)


async def test_a_packed_answer_is_measured_unpacked(web_peer: StartWebPeer) -> None:
    import gzip

    peer = await web_peer()
    peer.answers[PEM] = answer(gzip.compress(b"x" * 50 * LARGEST), "200 OK", "Content-Encoding: gzip")
    with pytest.raises(FetchError, match="too large"):
        await fetch(peer.url(PEM), trusted=peer.trusted)


@pytest.mark.timeout(30)  # without a patience of its own it would wait for ever
async def test_a_server_that_says_nothing_is_given_up(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.mute = frozenset({PEM})
    with pytest.raises(FetchError):
        await fetch(peer.url(PEM), trusted=peer.trusted, seconds=0.3)
    assert peer.asked == [PEM]


async def test_what_is_broken_off_or_not_there_is_no_answer(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.answers[PEM] = answer(CERTIFICATE)[:-50]
    for url in (peer.url(PEM), peer.url("/other.pem"), f"http://localhost:{peer.port}{PEM}"):
        with pytest.raises(FetchError):
            await fetch(url, trusted=peer.trusted)


async def test_a_certificate_is_read_once_for_all_who_ask_at_once(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.answers[PEM] = answer(CERTIFICATE)
    certificates = Remembered(partial(fetch, trusted=peer.trusted), is_certificate)
    found = await asyncio.gather(*(certificates(peer.url(PEM)) for _ in range(5)))
    assert set(found) == {CERTIFICATE}
    assert await certificates(peer.url(PEM)) == CERTIFICATE
    assert peer.asked == [PEM]


async def test_what_is_no_certificate_is_asked_for_again(web_peer: StartWebPeer) -> None:
    peer = await web_peer()
    peer.answers[PEM] = answer(b"<html>maintenance</html>")
    certificates = Remembered(partial(fetch, trusted=peer.trusted), is_certificate)
    with pytest.raises(FetchError):
        await certificates(peer.url(PEM))
    peer.answers[PEM] = answer(CERTIFICATE)
    assert await certificates(peer.url(PEM)) == CERTIFICATE
    assert peer.asked == [PEM, PEM]


async def test_so_many_certificates_are_kept_and_the_one_used_longest_ago_goes(
    web_peer: StartWebPeer,
) -> None:
    peer = await web_peer()
    paths = [f"/SimpleNotificationService-{number}.pem" for number in range(17)]
    for path in paths:
        peer.answers[path] = answer(CERTIFICATE)
    certificates = Remembered(partial(fetch, trusted=peer.trusted), is_certificate)
    for path in (*paths[:16], paths[0], paths[16], paths[0]):
        await certificates(peer.url(path))
    assert peer.asked == paths
    await certificates(peer.url(paths[1]))
    assert peer.asked[-1] == paths[1]


def test_rubbish_is_no_certificate() -> None:
    assert is_certificate(CERTIFICATE)
    assert not is_certificate(b"")
    assert not is_certificate(CERTIFICATE[:200])
