"""Reports of receivers on authentication and encryption: DMARC aggregate and failure, SMTP TLS."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.columns import BigId, document, foreign_key, moment, primary_key


class DmarcReport(SQLModel, table=True):
    """One aggregate report (RFC 7489 appendix C, RFC 9990), taken in once per reporter, number and domain.

    `problems`: what was wrong with the report itself, one line each; its rows were read all the same.
    """

    __tablename__ = "dmarc_report"
    __table_args__ = (
        sa.UniqueConstraint("org", "report_key", "domain"),
        sa.Index("ix_dmarc_report_domain_begins_at", "domain", "begins_at"),
    )

    id: int = primary_key()
    org: str = Field(max_length=200)
    org_email: str = Field(default="", max_length=254)
    report_key: str = Field(max_length=250)
    domain: str = Field(max_length=253)
    form: str = Field(default="", max_length=20)
    begins_at: datetime = moment()
    ends_at: datetime = moment()
    policy: str = Field(default="", max_length=20)
    subdomain_policy: str = Field(default="", max_length=20)
    problems: list[str] = document([])
    received_at: datetime = moment()


class DmarcRow(SQLModel, table=True):
    """One row of a report: `messages` from one address with one result. `dkim`, `spf`: aligned and passed."""

    __tablename__ = "dmarc_row"
    __table_args__ = (sa.Index("ix_dmarc_row_report_id", "report_id"),)

    id: int = primary_key()
    report_id: int = foreign_key("dmarc_report.id", cascade=True)
    source_ip: str = Field(max_length=45)
    messages: int = Field(default=0, sa_type=BigId)
    disposition: str = Field(default="", max_length=20)
    dkim: bool = False
    spf: bool = False
    header_from: str = Field(default="", max_length=253)
    envelope_from: str = Field(default="", max_length=253)
    envelope_to: str = Field(default="", max_length=253)
    dkim_domain: str = Field(default="", max_length=253)
    dkim_selector: str = Field(default="", max_length=63)
    dkim_result: str = Field(default="", max_length=20)
    spf_domain: str = Field(default="", max_length=253)
    spf_result: str = Field(default="", max_length=20)
    override: str = Field(default="", max_length=300)


class DmarcFailure(SQLModel, table=True):
    """One failure report (RFC 6591, RFC 9991): a single mail in our name that did not pass."""

    __tablename__ = "dmarc_failure"
    __table_args__ = (sa.Index("ix_dmarc_failure_domain_arrived_at", "domain", "arrived_at"),)

    id: int = primary_key()
    digest: str = Field(unique=True, max_length=64)
    domain: str = Field(max_length=253)
    arrived_at: datetime = moment()
    source_ip: str = Field(default="", max_length=45)
    failure: str = Field(default="", max_length=60)
    delivery_result: str = Field(default="", max_length=60)
    reporter: str = Field(default="", max_length=254)
    subject: str = Field(default="", max_length=300)
    details: dict[str, Any] = document()
    received_at: datetime = moment()


class TlsReport(SQLModel, table=True):
    """One SMTP TLS report (RFC 8460), taken in once per reporter and number."""

    __tablename__ = "tls_report"
    __table_args__ = (sa.UniqueConstraint("org", "report_key"),)

    id: int = primary_key()
    org: str = Field(max_length=200)
    contact: str = Field(default="", max_length=254)
    report_key: str = Field(max_length=250)
    begins_at: datetime = moment(index=True)
    ends_at: datetime = moment()
    received_at: datetime = moment()


class TlsRow(SQLModel, table=True):
    """One policy of a report: sessions that were encrypted as asked, and those that were not, by kind."""

    __tablename__ = "tls_row"
    __table_args__ = (
        sa.Index("ix_tls_row_report_id", "report_id"),
        sa.Index("ix_tls_row_domain", "domain"),
    )

    id: int = primary_key()
    report_id: int = foreign_key("tls_report.id", cascade=True)
    domain: str = Field(max_length=253)
    policy: str = Field(default="", max_length=20)
    successes: int = Field(default=0, sa_type=BigId)
    failures: int = Field(default=0, sa_type=BigId)
    failure_details: list[dict[str, Any]] = document([])
