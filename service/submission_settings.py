"""The settings of the listener on which programs hand over mail."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from service import settings_checks as checks


class SubmissionSettings(BaseModel):
    """Where programs that only speak SMTP hand over mail, and what encrypts it."""

    submission_host: str = Field(
        default="127.0.0.1", description="Address the listener for programs' mail is bound to."
    )
    submission_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None,
        description="Port on which programs hand over mail by SMTP with an API key as the password, encrypted"
        " by STARTTLS; 587 is usual. Without it, not so.",
    )
    submission_tls_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None,
        description="The same, encrypted from the first byte; 465 is usual. Without it, not so.",
    )
    submission_certificate: Annotated[Path, AfterValidator(checks.existing_file)] | None = Field(
        default=None,
        description="PEM file with the certificate of that listener and what it rests on, read again when it"
        " changes.",
    )
    submission_key: Annotated[Path, AfterValidator(checks.existing_file)] | None = Field(
        default=None,
        description="PEM file with the private key of that certificate. Without it, the certificate's file"
        " holds it.",
    )
    submission_plain: bool = Field(
        default=False,
        description="Whether keys may travel without encryption: only where that listener is bound to the"
        " loopback, for programs on the same machine.",
    )
