"""Which people a program asks for, page by page."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from models.contact import Contact, ContactTag
from models.text import fold


def wanted(
    *,
    email: str | None = None,
    phone: str | None = None,
    external_id: str | None = None,
    tag: str | None = None,
    updated_since: datetime | None = None,
) -> sa.ColumnElement[bool]:
    """A condition over `Contact`; addresses are normalised, None asks nothing.

    Served by the unique indexes of keys, by the key of contact_tag, else by the primary key.
    """
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    for column, value in (
        (col(Contact.email), email),
        (col(Contact.phone), phone),
        (col(Contact.external_id), external_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if tag is not None:
        wearers = sa.select(col(ContactTag.contact_id)).where(col(ContactTag.tag_key) == fold(tag))
        conditions.append(col(Contact.id).in_(wearers))
    if updated_since is not None:
        conditions.append(col(Contact.updated_at) >= updated_since)
    return sa.and_(*conditions)
