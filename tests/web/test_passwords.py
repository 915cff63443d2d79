"""Passwords: little memory for each, and those that were kept with more stay good."""

from argon2 import PasswordHasher, extract_parameters

from web.passwords import hash_password, matches

PASSWORD = "douze caractères"


def test_a_password_costs_19_mib() -> None:
    assert extract_parameters(hash_password(PASSWORD)).memory_cost == 19_456


def test_a_password_kept_with_other_parameters_stays_good() -> None:
    kept = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=4).hash(PASSWORD)
    assert matches(PASSWORD, kept)
    assert not matches("une autre phrase", kept)


def test_nobody_has_the_password_of_an_account_that_is_not_there() -> None:
    assert not matches("nobody has this password", None)
