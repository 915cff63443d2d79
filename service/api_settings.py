"""The settings of the API that programs call."""

from pydantic import BaseModel, Field


class ApiSettings(BaseModel):
    """Whether programs may call, and how often."""

    api: bool = Field(
        default=True,
        description="Whether programs with a key may call the API under /v1; false switches it off.",
    )
    api_per_minute: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="Most calls a minute of an API key that has no limit of its own, for each process with"
        " pages.",
    )
    webhook_http: bool = Field(
        default=False,
        description="Whether webhooks may lead to this machine itself, without https and to any port: for"
        " tests and rehearsals.",
    )


API_FIELDS = frozenset(ApiSettings.model_fields)
