"""What a campaign is to the law, who pays for it and for which vote: four fields of its form."""

from dataclasses import dataclass
from typing import Any

from models.states import Nature
from scheduler.campaigns import NewCampaign
from web.forms import Form


@dataclass(frozen=True, slots=True)
class About:
    """The four fields, as `Campaign` has them."""

    nature: Nature = Nature.UNSAID
    sponsor: str = ""
    vote: str = ""
    spent: str = ""

    def wanted(self) -> dict[str, Any]:
        """What `NewCampaign` is given of them."""
        return {"nature": self.nature, "sponsor": self.sponsor, "vote": self.vote, "spent": self.spent}


def read_about(form: Form, usual: Nature) -> About:
    """The fields of the form; `usual` where it says nothing of the nature."""
    return About(
        nature=form.choice("nature", Nature, usual),
        sponsor=form.text("sponsor", 300),
        vote=form.text("vote", 200),
        spent=form.text("spent", 300),
    )


def about_of(parts: NewCampaign) -> About:
    """How the form shows a campaign."""
    return About(parts.nature, parts.sponsor, parts.vote, parts.spent)
