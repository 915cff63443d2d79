"""Addresses: the fast ways agree with the libraries, and the rest is refused with a reason."""

import re

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from audience import addresses
from audience.addresses import AddressError, is_mobile, read_email, read_phone, typo_in

LABELS = st.from_regex(r"[a-zA-Z0-9-]{1,12}", fullmatch=True)
LOCALS = st.from_regex(r"[a-zA-Z0-9._+'-]{1,20}", fullmatch=True)
NEARLY_EMAILS = st.builds(
    lambda local, labels, end: f"{local}@{'.'.join(labels)}.{end}",
    LOCALS,
    st.lists(LABELS, min_size=1, max_size=3),
    st.sampled_from(
        ["fr", "com", "org", "museum", "test", "local", "example", "arpa", "c0m", "xn--p1ai", "1"]
    ),
)


@given(NEARLY_EMAILS)
@example("a@b.fr")
@example("Jean.Dupont@Exemple.FR")
@example("a.@b.fr")
@example(f"{'a' * 65}@b.fr")
@example(f"a@{'b' * 64}.fr")
def test_the_fast_way_takes_only_what_the_library_takes_and_gives_the_same(text: str) -> None:
    if not addresses._PLAIN_EMAIL.match(text.lower()):
        return
    valid = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    assert read_email(text) == str(valid.ascii_email).lower()


@given(NEARLY_EMAILS)
def test_an_address_is_taken_exactly_when_the_library_takes_it(text: str) -> None:
    try:
        validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        with pytest.raises(AddressError):
            read_email(text)
    else:
        assert read_email(text)


@given(st.text(max_size=60) | NEARLY_EMAILS | st.emails())
def test_reading_an_email_never_fails_otherwise_and_reading_twice_changes_nothing(text: str) -> None:
    try:
        normal = read_email(text)
    except AddressError:
        return
    assert read_email(normal) == normal
    assert normal.isascii()
    assert normal == normal.lower()


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("  Jean.Dupont@GMAIL.com ", "jean.dupont@gmail.com"),
        ("\u200bmarie@orange.fr", "marie@orange.fr"),
        ("contact@mairie-évry.fr", "contact@xn--mairie-vry-h7a.fr"),
        ("a+b@sous.domaine.asso.fr", "a+b@sous.domaine.asso.fr"),
        ("o'neil@wanadoo.fr", "o'neil@wanadoo.fr"),
    ],
)
def test_spellings_of_a_mailbox_are_one(written: str, normal: str) -> None:
    assert read_email(written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "jean",
        "jean@",
        "@orange.fr",
        "jérôme@orange.fr",
        "a@b",
        "a b@c.fr",
        "a@b..fr",
        "a@b.fr, c@d.fr",
        "a@x.test",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(written: str) -> None:
    with pytest.raises(AddressError) as refusal:
        read_email(written)
    assert refusal.value.reason.endswith(".")


def test_a_slip_in_the_domain_is_noticed_and_not_refused() -> None:
    assert typo_in(read_email("jean@gmial.com")) == "gmail.com"
    assert typo_in("jean@gmail.com") is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("06 12 34 56 78", "+33612345678"),
        ("06.12.34.56.78", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("33612345678", "+33612345678"),
        ("612345678", "+33612345678"),
        ("0491123456", "+33491123456"),
        ("0692 12 34 56", "+262692123456"),
        ("0690 12 34 56", "+590690123456"),
        ("0694 12 34 56", "+594694123456"),
        ("0696 12 34 56", "+596696123456"),
        ("0639 01 23 45", "+262639012345"),
        ("06 39 98 00 12", "+33639980012"),  # kept for fiction
        ("+687 75 12 34", "+687751234"),
        ("+32 470 12 34 56", "+32470123456"),
    ],
)
def test_telephone_numbers_of_france_overseas_and_abroad_are_read(written: str, normal: str) -> None:
    assert read_phone(written) == normal
    assert read_phone(normal) == normal


@pytest.mark.parametrize("written", ["", "bonjour", "06 12 34 56", "3.36E+10", "0012345678901234567", "0812"])
def test_what_is_no_telephone_number_is_refused_with_a_reason(written: str) -> None:
    with pytest.raises(AddressError) as refusal:
        read_phone(written)
    assert refusal.value.reason.endswith(".")


@given(st.from_regex(r"0[1-79][0-9]{8}", fullmatch=True))
def test_french_numbers_are_read_as_the_library_reads_them(written: str) -> None:
    number = phonenumbers.parse(written, "FR")
    if phonenumbers.is_valid_number(number):
        expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert read_phone(written) == expected
        kind = phonenumbers.number_type(number)
        mobile = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
        assert is_mobile(expected) == (kind in mobile)
    elif written[:4] not in addresses._OVERSEAS_BY_PREFIX:
        with pytest.raises(AddressError):
            read_phone(written)


@given(st.text(max_size=30))
def test_reading_a_telephone_number_never_fails_otherwise(text: str) -> None:
    try:
        normal = read_phone(text)
    except AddressError:
        return
    assert re.fullmatch(r"\+[0-9]{6,15}", normal)
    assert read_phone(normal) == normal


def test_only_mobile_numbers_are_mobile() -> None:
    assert is_mobile("+33612345678")
    assert is_mobile("+262692123456")
    assert not is_mobile("+33491123456")
    assert not is_mobile("+442079460958")
