"""The settings of the look before sending: the spam filter that is asked what it thinks of a message."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from deliverability.filters import FilterAddress, parse_filter_url
from models.errors import SettingsError


def _filter_url(value: SecretStr) -> SecretStr:
    try:
        parse_filter_url(value.get_secret_value())
    except SettingsError as error:
        raise ValueError(f"cannot be used: {error.advice}") from None
    return value


class LintSettings(BaseModel):
    """Whom this installation asks before it sends."""

    spam_filter_url: Annotated[SecretStr, AfterValidator(_filter_url)] | None = Field(
        default=None,
        description="A spam filter of your own, asked what it thinks of a message before it is sent:"
        " rspamd://host:11333 (rspamds:// over TLS, :password@ before the host where its controller wants"
        " one), or spamd://host:783 for SpamAssassin. Without it, none is asked.",
    )
    spam_filter_timeout: Annotated[float, Field(gt=0, le=120)] = Field(
        default=10, description="Seconds that filter may take; a message is not held up by its silence."
    )

    @property
    def spam_filter(self) -> FilterAddress | None:
        """The filter of `spam_filter_url`."""
        if self.spam_filter_url is None:
            return None
        return parse_filter_url(self.spam_filter_url.get_secret_value())


LINT_FIELDS = frozenset(LintSettings.model_fields)
