"""What is said: templates and their immutable versions."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, document, foreign_key, moment, primary_key
from models.states import Channel


class Template(SQLModel, table=True):
    """A named message; its content lives in numbered versions."""

    __tablename__ = "template"

    id: int = primary_key()
    name: str = Field(unique=True, max_length=200)
    channel: Channel = choice(Channel)
    created_at: datetime = moment()


class TemplateVersion(SQLModel, table=True):
    """One version, never changed once written; campaigns pin the version, not the template.

    E-mail: `subject`, `preheader` and `body` (MJML). SMS: `body` alone. `fallbacks` maps a field's
    name to what stands in its place for a person who lacks it.
    """

    __tablename__ = "template_version"
    __table_args__ = (sa.UniqueConstraint("template_id", "number"),)

    id: int = primary_key()
    template_id: int = foreign_key("template.id", cascade=True)
    number: int
    subject: str = ""
    preheader: str = ""
    body: str
    fallbacks: dict[str, str] = document()
    created_at: datetime = moment()
