"""The settings of what providers declare: how Postmaster Tools and SNDS are asked."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from service import settings_checks as checks

WebAddress = Annotated[str, AfterValidator(checks.web_address)]


class DeclaredSettings(BaseModel):
    """What opens the providers' own figures; a source without it is not asked, its files can be imported."""

    postmaster_refresh_token: SecretStr | None = Field(
        default=None,
        description="OAuth refresh token of somebody who sees the domains in Gmail's Postmaster Tools, with"
        " the scope postmaster.traffic.readonly. Without it and without a service account, Gmail is not"
        " asked.",
    )
    postmaster_client_id: str = Field(
        default="", description="The OAuth client that refresh token was given to."
    )
    postmaster_client_secret: SecretStr | None = Field(default=None, description="Secret of that client.")
    postmaster_service_account: Annotated[Path, AfterValidator(checks.existing_file)] | None = Field(
        default=None,
        description="JSON file with the key of a Google service account that sees the domains, in place of a"
        " refresh token.",
    )
    postmaster_url: WebAddress | None = Field(
        default=None, description="Another address for Postmaster Tools' API, for rehearsals."
    )
    postmaster_token_url: WebAddress | None = Field(
        default=None, description="Another address for Google's access tokens, for rehearsals."
    )
    snds_url: SecretStr | None = Field(
        default=None,
        description="Address of Microsoft SNDS's table for automated access, with its key, as the SNDS portal"
        " gives it. Without it, SNDS is not asked.",
    )


DECLARED_FIELDS = tuple(DeclaredSettings.model_fields)
DECLARED_SECRETS = frozenset({"postmaster_refresh_token", "postmaster_client_secret", "snds_url"})
