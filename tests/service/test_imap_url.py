"""The bounce mailbox as people write it."""

import pytest

from models.bounce_box import BounceMailbox, MailboxTls
from service.imap_url import check_mark, parse_imap_url


def test_a_mailbox_is_read_from_its_address() -> None:
    found = parse_imap_url("imaps://rebonds%40parti.fr:a%2Fb%40c@imap.parti.fr/Retours%20divers")
    assert found == BounceMailbox("imap.parti.fr", 993, "rebonds@parti.fr", "a/b@c", "Retours divers")
    assert "a/b@c" not in repr(found) + found.place


def test_without_a_folder_it_is_the_inbox() -> None:
    found = parse_imap_url("imap+starttls://u:p@imap.parti.fr:1143")
    assert (found.folder, found.port, found.tls) == ("INBOX", 1143, MailboxTls.STARTTLS)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("pop3://u:p@h", "imaps://"),
        ("imaps://h/INBOX", "user name"),
        ("imaps://u@h", "password"),
        ("imaps://u:a/b@h", "percent-encode"),
        ("imaps://u:p@h:port", "65535"),
        ("imap://u:p@imap.parti.fr", "unprotected"),
    ],
)
def test_what_is_no_mailbox_is_refused_with_the_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        parse_imap_url(text)


@pytest.mark.parametrize("mark", ["keyword", "nothing", "move:Done"])
def test_a_mark_is_one_of_three(mark: str) -> None:
    assert check_mark(mark) == mark


@pytest.mark.parametrize("mark", ["", "delete", "move:", "Done"])
def test_no_other_mark_is_taken(mark: str) -> None:
    with pytest.raises(ValueError, match="no way to mark"):
        check_mark(mark)
