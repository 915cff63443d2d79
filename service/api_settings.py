"""The settings of the API that programs call."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from scheduler.pricing import Price


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
    keep_messages_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="How many days the variables of programs' messages, and content that came with them, are"
        " kept after they were last used; longer while a message waits. Who was written to, when, and what"
        " came of it stays.",
    )
    webhook_http: bool = Field(
        default=False,
        description="Whether webhooks may lead to this machine itself, without https and to any port: for"
        " tests and rehearsals.",
    )
    sms_price: Annotated[Decimal, Field(ge=0, le=100, decimal_places=5)] | None = Field(
        default=None,
        description="What one segment of an SMS costs, for the estimates that programs are told. Without it,"
        " none are.",
    )
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        default="EUR", description="The currency of that price (ISO 4217)."
    )

    @property
    def price(self) -> Price:
        """The price of messages."""
        return Price(self.sms_price, self.currency)
