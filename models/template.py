"""What is said: templates and their immutable versions."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import choice, document, foreign_key, moment, primary_key
from models.states import Channel, Nature


class Template(SQLModel, table=True):
    """A named message; its content lives in numbered versions.

    A `hidden` one is in no list: it holds what a program sent as the content of its messages. `used_at`: when
    it was last asked for, to the hour; None once what it said is forgotten, and where people wrote it.
    """

    __tablename__ = "template"
    __table_args__ = (
        # Serves whoever forgets what nobody uses any more.
        sa.Index(
            "ix_template_used_at",
            "used_at",
            "id",
            postgresql_where=sa.text("used_at IS NOT NULL"),
            sqlite_where=sa.text("used_at IS NOT NULL"),
        ),
    )

    id: int = primary_key()
    name: str = Field(unique=True, max_length=200)
    channel: Channel = choice(Channel)
    hidden: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})
    used_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()


class TemplateVersion(SQLModel, table=True):
    """One version, never changed once written; campaigns pin the version, not the template.

    E-mail: `subject`, `preheader` and `body` (MJML, or a whole HTML document); `text` takes the place of the
    text part that is made from it. SMS: `body` alone. `fallbacks` maps a field's name to what stands in its
    place for a person who lacks it. `nature`: what it is to the law where programs send it to people who only
    agreed to be written to; None: nobody said yet. Campaigns say themselves.
    """

    __tablename__ = "template_version"
    __table_args__ = (sa.UniqueConstraint("template_id", "number"),)

    id: int = primary_key()
    template_id: int = foreign_key("template.id", cascade=True)
    number: int
    subject: str = ""
    preheader: str = ""
    body: str
    text: str = Field(default="", sa_column_kwargs={"server_default": ""})
    fallbacks: dict[str, str] = document()
    nature: Nature | None = choice(Nature, nullable=True)
    created_at: datetime = moment()
