"""Addresses of mail relays."""

import contextlib
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from service.smtp_url import DEFAULT_PORTS, RelayAddress, RelayTls, mask_url, parse_smtp_url

words = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable())
hosts = st.from_regex(r"[a-z][a-z0-9-]{0,20}\.example", fullmatch=True)


@given(tls=st.sampled_from(RelayTls), host=hosts, port=st.integers(1, 65535), user=words, password=words)
def test_an_address_is_read_as_it_was_written(
    tls: RelayTls, host: str, port: int, user: str, password: str
) -> None:
    written = f"{tls}://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}"
    assert parse_smtp_url(written) == RelayAddress(tls, host, port, user, password)


@given(tls=st.sampled_from(RelayTls), host=hosts)
def test_the_port_follows_from_the_kind_of_encryption(tls: RelayTls, host: str) -> None:
    assert parse_smtp_url(f"{tls}://{host}") == RelayAddress(tls, host, DEFAULT_PORTS[tls])


@given(st.text())
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_smtp_url(text).host


@given(password=words)
def test_a_shown_address_does_not_hold_the_password(password: str) -> None:
    secret = quote(f"{password}-secret", safe="")
    shown = mask_url(f"smtps://user:{secret}@relay.example:465")
    assert shown == "smtps://user:•••@relay.example:465"


def test_an_address_without_a_password_is_shown_whole() -> None:
    assert mask_url("smtp://relay.example:25") == "smtp://relay.example:25"


def test_addresses_in_brackets_are_read() -> None:
    assert parse_smtp_url("smtp://[::1]:25").host == "::1"


def test_the_password_is_not_in_what_a_debugger_shows() -> None:
    assert "hidden" not in repr(parse_smtp_url("smtp://user:hidden@relay.example"))
