"""`tocsin suppression` and `tocsin bounces`: lists, reasons, and rules undone."""

import csv
import io

from models.states import Channel
from models.suppression import address_hash
from tests.service.conftest import Tocsin, Typed


def test_a_list_of_fingerprints_alone_is_taken_over_with_its_channel(ready: Tocsin, typed: Typed) -> None:
    fingerprint = address_hash(Channel.SMS, "+33612345678")
    (ready.folder / "list.txt").write_text(f"{fingerprint}\n")
    without = typed("suppression", "import", "list.txt")
    assert "line 1" in without.err
    assert "1 new" in typed.must("suppression", "import", "list.txt", "--channel", "sms")
    (row,) = csv.DictReader(io.StringIO(typed.must("suppression", "export")))
    assert (row["channel"], row["address_hash"], row["reason"]) == ("sms", fingerprint, "imported")


def test_an_address_of_another_channel_than_the_one_named_is_told_and_left_out(
    ready: Tocsin, typed: Typed
) -> None:
    (ready.folder / "list.csv").write_text("address\neve@gmail.com\n0612345678\n")
    ran = typed("suppression", "import", "list.csv", "--channel", "email")
    assert "1 row read, 1 new" in ran.out
    assert "line 3" in ran.err


def test_an_address_is_lifted_with_a_reason_and_by_somebody(ready: Tocsin, typed: Typed) -> None:
    typed.must("suppression", "add", "ada@exemple.fr", "--why", "asked")
    assert typed("suppression", "lift", "ada@exemple.fr", "--why", " ").code != 0
    assert "command line: asked" in typed.must("suppression", "list")
    typed.must("suppression", "lift", "ada@exemple.fr", "--why", "came back")


def test_undoing_a_rule_says_what_it_would_do_and_asks_for_a_reason(ready: Tocsin, typed: Typed) -> None:
    words = ("suppression", "undo", "words-gone", "--since", "2026-01-01")
    assert "0 would be lifted" in typed.must(*words)
    assert "reason" in typed(*words, "--apply").err
    assert "0 lifted" in typed.must(*words, "--apply", "--why", "it was wrong")


def test_bounces_are_read_again_and_nothing_is_changed_without_being_told_to(
    ready: Tocsin, typed: Typed
) -> None:
    assert "0 originals read again" in typed.must("bounces", "replay")
    assert "0 originals read again" in typed.must("bounces", "replay", "--apply")
    assert "0 answers read again" in typed.must("pace", "replay", "--apply")
