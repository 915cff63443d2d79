"""Mailboxes the organisation owns, where it looks to see in which folder its mail lands."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import moment, primary_key


class SeedMailbox(SQLModel, table=True):
    """One seed: its address, the provider it stands for, and how to read it over IMAP.

    `sealed_password` is sealed (`models.keyring.Keyring.encrypt`). Plain IMAP (`tls` false) is for the
    sandbox on the loopback.
    """

    __tablename__ = "seed_mailbox"

    id: int = primary_key()
    address: str = Field(unique=True, max_length=254)
    provider: str = Field(max_length=60)
    imap_host: str = Field(max_length=253)
    imap_port: int = 993
    tls: bool = True
    username: str = Field(max_length=254)
    sealed_password: str
    active: bool = True
    last_checked_at: datetime | None = moment(nullable=True)
    last_problem: str = Field(default="", max_length=500)
