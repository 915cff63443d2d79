"""Who may come in."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from models.columns import choice, foreign_key, moment, primary_key


class Role(StrEnum):
    """ADMIN manages people and identities, EDITOR makes campaigns, READER reads reports."""

    ADMIN = "admin"
    EDITOR = "editor"
    READER = "reader"


class User(SQLModel, table=True):
    """Somebody of the organisation who signs in. `password_hash` is Argon2id.

    Without a `language` chosen the pages are in that of the browser.
    """

    __tablename__ = "user_account"

    id: int = primary_key()
    email: str = Field(unique=True, max_length=254)
    name: str = Field(default="", max_length=200)
    password_hash: str
    role: Role = choice(Role, default=Role.READER)
    language: str = Field(default="fr", max_length=10)
    created_at: datetime = moment()


class WebSession(SQLModel, table=True):
    """A sign-in: the cookie holds a random token, this row its SHA-256: the database opens no door."""

    __tablename__ = "web_session"

    token_hash: str = Field(primary_key=True, max_length=64)
    user_id: int = foreign_key("user_account.id", cascade=True)
    csrf_token: str = Field(max_length=64)
    created_at: datetime = moment()
    expires_at: datetime = moment()
