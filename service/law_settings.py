"""The settings about elections and political advertising."""

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


LAW_FIELDS = frozenset(LawSettings.model_fields)
