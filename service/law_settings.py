"""The settings about elections and political advertising."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field

from models.states import Nature


class LawSettings(BaseModel):
    """How strictly this installation takes its campaigns."""

    nature: Nature = Field(
        default=Nature.POLITICAL,
        description="What a new campaign is unless somebody says otherwise: political (election silence and"
        " the rules of political advertising bind it), civic (neither does), or unsaid (election silence"
        " binds it, and somebody is asked to say which it is).",
    )
    targeting_by_place: Literal["consent", "free"] = Field(
        default="consent",
        description="Whether political messages to people of some places ask for their consent to targeting:"
        " consent, as the CNIL reads Regulation (EU) 2024/900, or free, where your counsel reads it"
        " otherwise.",
    )

    silence_margin_hours: int = Field(
        default=2,
        ge=1,
        le=48,
        description="How many hours before election silence nothing new leaves to who votes then, so that"
        " what relays and operators still hold arrives in time.",
    )

    @property
    def silence_margin(self) -> timedelta:
        """The same as a span."""
        return timedelta(hours=self.silence_margin_hours)

    @property
    def place_is_free(self) -> bool:
        """Whether where people live is no choice to the rules of political advertising."""
        return self.targeting_by_place == "free"


LAW_FIELDS = frozenset(LawSettings.model_fields)
