"""Mailboxes Tocsin reads: seeds, to see in which folder our mail lands, and the one where bounces gather."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from models.columns import choice, moment, primary_key


class SeedAuth(StrEnum):
    """How a seed's server is signed in to: LOGIN, or an OAuth 2 token (SASL XOAUTH2)."""

    PASSWORD = "password"  # noqa: S105 - the name of a way, no secret
    XOAUTH2 = "xoauth2"


class SeedMailbox(SQLModel, table=True):
    """One seed: its address, the provider it stands for, and how to read it over IMAP.

    `sealed_password` is sealed (`models.keyring.Keyring.encrypt`); with XOAUTH2 it holds the refresh token,
    for which `token_url` gives an access token to `client_id` (RFC 6749 section 6). Plain IMAP (`tls`
    false) is for the sandbox on the loopback. `last_checked_at` is the last try, `last_read_at` the last
    that came through. `removed_at`: shown and read no more, and its secrets are gone; the row stays for
    the history of what was sent to it.
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
    auth: SeedAuth = choice(SeedAuth, default=SeedAuth.PASSWORD, server_default=True)
    token_url: str = Field(default="", max_length=500, sa_column_kwargs={"server_default": ""})
    client_id: str = Field(default="", max_length=300, sa_column_kwargs={"server_default": ""})
    sealed_client_secret: str = Field(default="", sa_column_kwargs={"server_default": ""})
    active: bool = True
    last_checked_at: datetime | None = moment(nullable=True)
    last_problem: str = Field(default="", max_length=500)
    last_read_at: datetime | None = moment(nullable=True)
    removed_at: datetime | None = moment(nullable=True)


class PolledMailbox(SQLModel, table=True):
    """One folder of one mailbox. UIDs up to `last_uid` were looked at, as long as `uid_validity` stays.

    `place`: user@host:port/folder. `recorded`: mails that brought news; `left_alone`: those that were no
    business of ours. `problem`: what keeps it from being read at present, "" when nothing does.
    """

    __tablename__ = "polled_mailbox"

    place: str = Field(primary_key=True, max_length=300)
    uid_validity: int = Field(default=0, sa_type=BigInteger)
    last_uid: int = Field(default=0, sa_type=BigInteger)
    recorded: int = 0
    left_alone: int = 0
    checked_at: datetime | None = moment(nullable=True)
    news_at: datetime | None = moment(nullable=True)
    problem: str = Field(default="", max_length=500)
