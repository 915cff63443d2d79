"""The settings about elections and political advertising."""

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

    @property
    def place_is_free(self) -> bool:
        """Whether where people live is no choice to the rules of political advertising."""
        return self.targeting_by_place == "free"


LAW_FIELDS = frozenset(LawSettings.model_fields)
