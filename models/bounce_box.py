"""Where bounces gather, as the settings say it."""

from dataclasses import dataclass, field
from enum import StrEnum

KEYWORD_MARK = "keyword"
MOVE_PREFIX = "move:"


class MailboxTls(StrEnum):
    """How the line to the mailbox is protected, by the scheme of its address."""

    NONE = "imap"
    STARTTLS = "imap+starttls"
    IMPLICIT = "imaps"


@dataclass(frozen=True, slots=True)
class BounceMailbox:
    """Where bounces gather. `mark` says what is done with a mail that was recorded.

    `keyword` (the flag TocsinRecorded), `move:FOLDER` or `nothing`.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: MailboxTls = MailboxTls.IMPLICIT
    mark: str = KEYWORD_MARK

    @property
    def place(self) -> str:
        """What it is called where it is spoken of, without the password."""
        return f"{self.username}@{self.host}:{self.port}/{self.folder}"[:300]
