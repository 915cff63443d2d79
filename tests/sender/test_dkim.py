"""Signatures, judged by dkimpy, by Perl's Mail::DKIM, and for Ed25519 by the arithmetic itself."""

import base64
import hashlib
import re
from typing import Any

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from dkim.canonicalization import Relaxed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.signing import DkimAlgorithm, SigningKey
from models.values import EmailEnvelope
from sender.dkim import (
    Signer,
    TxtRecord,
    canonicalise_body,
    dns_record,
    is_canonical,
    make_key,
    split_txt,
    verify,
)
from sender.errors import SigningKeyError
from sender.mime import EmailBuilder
from tests.sender.conftest import DATE, Keys, a_message, a_sender, build
from tests.servers.perl_dkim import PerlDkim

RSA, ED25519 = DkimAlgorithm.RSA, DkimAlgorithm.ED25519
OVERSIGNED = ("from", "to", "subject", "date", "reply-to", "message-id", "content-type")
bodies = st.lists(
    st.text(st.sampled_from("ab .\t=é"), max_size=12).map(lambda line: line.encode("ascii", "ignore")),
    max_size=12,
).map(b"\r\n".join)


REFERENCE: Any = Relaxed


def as_sent(body: bytes) -> bytes:
    """What DATA makes of a body: its last line has an end."""
    return body if body == b"" or body.endswith(b"\r\n") else body + b"\r\n"


def signed(keys: Keys, *algorithms: DkimAlgorithm, **changes: object) -> EmailEnvelope:
    builder = EmailBuilder(a_sender(signing_keys=keys.signing(*algorithms)))
    return build(builder, a_message(**changes))


def results(keys: Keys, data: bytes) -> list[bool]:
    return [verification.valid for verification in verify(data, keys.zone.get)]


def ed25519_holds(data: bytes, public_base64: str) -> bool:
    """Check the topmost Ed25519 signature with nothing but hashes and RFC 8463 section 3."""
    head, _, body = data.partition(b"\r\n\r\n")
    fields = [
        (name, value)
        for name, value in re.findall(rb"([!-9;-~]+):((?:[^\r]|\r\n[ \t])*)\r\n", head + b"\r\n")
    ]
    name, value = next(field for field in fields if b"a=ed25519-sha256" in field[1])
    tags = dict(re.findall(rb"([a-z]+)=([^;]*)", re.sub(rb"\s", b"", value)))
    digest = base64.b64encode(hashlib.sha256(REFERENCE.canonicalize_body(body)).digest())
    wanted = []
    rest = [field for field in fields if field[0].lower() != b"dkim-signature"]
    for listed in tags[b"h"].split(b":"):
        position = next((i for i in reversed(range(len(rest))) if rest[i][0].lower() == listed), None)
        if position is not None:
            wanted.append(rest.pop(position))
    wanted.append((name, re.sub(rb"b=[^=;]*=*\s*\Z", b"b=", value)))
    lines = [key + b":" + line for key, line in REFERENCE.canonicalize_headers(wanted)]
    hashed = hashlib.sha256(b"".join(lines).removesuffix(b"\r\n")).digest()
    public = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(public_base64))
    try:
        public.verify(base64.b64decode(tags[b"b"]), hashed)
    except InvalidSignature:
        return False
    return digest == bytes(tags[b"bh"])


def test_an_rsa_signature_holds_for_dkimpy_and_for_perl(keys: Keys, perl_dkim: PerlDkim) -> None:
    envelope = signed(keys, RSA)
    (verification,) = verify(bytes(envelope.data), keys.zone.get)
    assert (verification.domain, verification.selector, verification.valid) == ("news.test", "s1", True)
    (opinion,) = perl_dkim.verify(bytes(envelope.data), keys.zone)
    assert (opinion.domain, opinion.selector, opinion.result) == ("news.test", "s1", "pass")


def test_blanks_in_an_address_do_not_break_the_signature(keys: Keys, perl_dkim: PerlDkim) -> None:
    builder = EmailBuilder(a_sender(signing_keys=keys.signing(RSA)))
    envelope = build(builder, recipient='"a  b"@inbox.test', message_id='"x   y"@news.test')
    assert results(keys, bytes(envelope.data)) == [True]
    assert perl_dkim.verify(bytes(envelope.data), keys.zone)[0].result == "pass"


def test_both_signatures_stand_side_by_side(keys: Keys, perl_dkim: PerlDkim) -> None:
    envelope = signed(keys, RSA, ED25519)
    assert bytes(envelope.data).count(b"DKIM-Signature:") == 2
    assert ed25519_holds(bytes(envelope.data), keys.ed25519.public_base64)
    # Many verifiers, this Perl one among them, do not know Ed25519: the RSA signature must do for them.
    assert "pass" in [opinion.result for opinion in perl_dkim.verify(bytes(envelope.data), keys.zone)]
    assert results(keys, bytes(envelope.data))[0] is True


def test_dkimpy_agrees_about_ed25519(keys: Keys) -> None:
    pytest.importorskip("nacl", reason="dkimpy checks Ed25519 with PyNaCl")
    assert results(keys, bytes(signed(keys, RSA, ED25519).data)) == [True, True]
    assert results(keys, bytes(signed(keys, ED25519).data)) == [True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Bonjour", b"Bonsoir"),
        (b"amis@news.test>", b"eve@evil.test>"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"https://t.news.test/u/", b"https://evil.test/u/"),
        (b"Feedback-ID: 12", b"Feedback-ID: 13"),
        (b"X-Tocsin-Delivery: a", b"X-Tocsin-Delivery: b"),
        (b"To: ada", b"To: eve"),
        (b"Date: Sun", b"Date: Mon"),
        (b"Message-ID: <a", b"Message-ID: <b"),
        (b"MIME-Version: 1.0", b"MIME-Version: 1.1"),
        (b"multipart/alternative", b"multipart/mixed"),
    ],
)
def test_whatever_is_changed_breaks_every_signature(
    keys: Keys, perl_dkim: PerlDkim, old: bytes, new: bytes
) -> None:
    data = bytes(signed(keys, RSA, ED25519).data)
    assert old in data
    changed = data.replace(old, new)
    assert results(keys, changed) == [False, False]
    assert not ed25519_holds(changed, keys.ed25519.public_base64)
    assert "pass" not in [opinion.result for opinion in perl_dkim.verify(changed, keys.zone)]


@pytest.mark.parametrize("name", OVERSIGNED)
def test_a_second_header_of_an_important_kind_breaks_the_signature(
    keys: Keys, perl_dkim: PerlDkim, name: str
) -> None:
    data = f"{name.title()}: forged\r\n".encode() + bytes(signed(keys, RSA).data)
    assert results(keys, data) == [False]
    assert perl_dkim.verify(data, keys.zone)[0].result == "fail"


def test_a_reply_to_cannot_be_added_to_a_message_without_one(keys: Keys) -> None:
    builder = EmailBuilder(a_sender(reply_to=None, signing_keys=keys.signing(RSA)))
    data = bytes(build(builder).data)
    assert results(keys, data) == [True]
    assert results(keys, b"Reply-To: eve@evil.test\r\n" + data) == [False]


def test_what_relays_may_do_to_a_message_changes_nothing(keys: Keys, perl_dkim: PerlDkim) -> None:
    data = bytes(signed(keys, RSA).data)
    relayed = b"Received: by mx.test\r\nReturn-Path: <b@news.test>\r\n" + data.replace(
        b"Subject: ", b"subject:   "
    )
    assert results(keys, relayed + b"\r\n\r\n") == [True]
    assert perl_dkim.verify(relayed + b"\r\n\r\n", keys.zone)[0].result == "pass"


def test_a_signature_names_its_time_and_no_length(keys: Keys) -> None:
    head = bytes(signed(keys, RSA).data).partition(b"\r\nFrom:")[0]
    tags = dict(re.findall(rb"([a-z]+)=([^;]*)", re.sub(rb"\s", b"", head)))
    assert tags[b"t"] == b"%d" % int(DATE.timestamp())
    assert b"l" not in tags
    assert tags[b"c"] == b"relaxed/relaxed"
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))
    listed = tags[b"h"].split(b":")
    for name in ("list-unsubscribe", "list-unsubscribe-post", "feedback-id", "mime-version"):
        assert listed.count(name.encode()) == 1
    for name in OVERSIGNED:
        assert listed.count(name.encode()) == 2


@given(bodies)
@example(b"")
@example(b"\r\n")
@example(b" \t \r\n\t\r\n\r\n")
@example(b"no end")
@example(b"a \r\n")
@example(b"a\r\n\r\n")
@example(b"a  b \r\n\t\tc\r\n\r\n\r\n")
def test_any_body_verifies(keys: Keys, body: bytes) -> None:
    fields = [(b"From", b"amis@news.test"), (b"Subject", b"Mardi")]
    head = Signer(keys.signing(RSA, ED25519)).sign(fields, body, DATE)
    data = head + b"From: amis@news.test\r\nSubject: Mardi\r\n\r\n" + as_sent(body)
    assert results(keys, data)[0] is True
    assert ed25519_holds(data, keys.ed25519.public_base64)


@settings(max_examples=10)
@given(bodies)
def test_perl_agrees_about_any_body(keys: Keys, perl_dkim: PerlDkim, body: bytes) -> None:
    data = bytes(signed(keys, RSA, text=body, html=body).data)
    assert perl_dkim.verify(data, keys.zone)[0].result == "pass"


@given(bodies)
def test_canonical_form_is_the_references_own(body: bytes) -> None:
    canonical = canonicalise_body(body)
    assert canonical == REFERENCE.canonicalize_body(as_sent(body))
    assert canonicalise_body(canonical) == canonical
    if is_canonical(body):
        assert canonical == body
    assert canonical == b"" or is_canonical(canonical)


def test_many_empty_lines_at_the_end_cost_no_time() -> None:
    assert canonicalise_body(b"a" + b"\r\n" * 500_000) == b"a\r\n"


def test_an_unsigned_message_has_no_opinions_on_it(keys: Keys) -> None:
    data = bytes(signed(keys).data)
    assert b"DKIM-Signature" not in data
    assert verify(data, keys.zone.get) == []


def test_a_missing_record_and_a_broken_signature_are_told_apart_from_a_valid_one(keys: Keys) -> None:
    data = bytes(signed(keys, RSA).data)
    (missing,) = verify(data, lambda _name: None)
    assert not missing.valid
    assert missing.reason
    (broken,) = verify(data.replace(b"v=1;", b"v=2;"), keys.zone.get)
    assert not broken.valid


def test_records_are_as_dns_and_receivers_want_them(keys: Keys) -> None:
    record = dns_record(
        selector="s1", domain="news.test", algorithm=RSA, public_base64=keys.rsa.public_base64
    )
    assert record.name == "s1._domainkey.news.test"
    assert record.value.startswith("v=DKIM1; k=rsa; p=MII")
    assert [len(piece) for piece in record.strings][:-1] == [255]
    assert "".join(record.strings) == record.value
    assert dkim.evaluate_pk(record.name, record.value)[1] == 2048  # type: ignore[no-untyped-call]
    short = dns_record(
        selector="e1", domain="news.test", algorithm=ED25519, public_base64=keys.ed25519.public_base64
    )
    assert short.value.startswith("v=DKIM1; k=ed25519; p=")
    assert short.strings == (short.value,)
    assert len(base64.b64decode(keys.ed25519.public_base64)) == 32


@given(st.text(st.sampled_from("abc; ="), max_size=1000))
def test_a_value_cut_in_strings_is_the_same_value(value: str) -> None:
    pieces = split_txt(value)
    assert "".join(pieces) == value
    assert all(len(piece) <= 255 for piece in pieces)
    assert pieces == TxtRecord("name", value).strings
    assert pieces


def test_every_new_key_is_another_one() -> None:
    assert make_key(ED25519) != make_key(ED25519)


def small_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - on purpose
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


def test_a_key_is_read_once_however_often_its_sender_sits_down(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,), other = keys.signing(RSA), make_key(RSA)
    first = Signer([one])
    read: list[bytes] = []
    load = serialization.load_pem_private_key

    def noted(data: bytes, password: bytes | None) -> Any:
        read.append(data)
        return load(data, password)

    monkeypatch.setattr(serialization, "load_pem_private_key", noted)
    again = Signer([one])
    assert read == []
    fields, at = [(b"From", b"a@b.example")], DATE
    assert first.sign(fields, b"\r\n", at) == again.sign(fields, b"\r\n", at)
    replaced = SigningKey(one.domain, one.selector, one.algorithm, other.private_pem)
    assert Signer([replaced]).sign(fields, b"\r\n", at) != first.sign(fields, b"\r\n", at)
    assert len(read) == 1


def test_keys_that_do_not_fit_are_refused(keys: Keys) -> None:
    for pem, algorithm in (
        ("", RSA),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", RSA),
        (keys.rsa.private_pem, ED25519),
        (keys.ed25519.private_pem, RSA),
        (small_pem(), RSA),
    ):
        with pytest.raises(SigningKeyError):
            Signer([SigningKey("news.test", "s1", algorithm, pem)])


def test_a_header_that_stands_twice_is_not_signed(keys: Keys) -> None:
    with pytest.raises(ValueError, match="twice"):
        Signer(keys.signing(RSA)).sign([(b"X-A", b"1"), (b"x-a", b"2")], b"", DATE)
