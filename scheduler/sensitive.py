"""Words that tell of what the law protects most: which rules would choose people by it.

Regulation (EU) 2024/900, article 18(1)(c), forbids to choose people for political messages by the special
categories of data of article 9 of the GDPR, with or without their consent. Words as data, in French and in
English; a list can be too wide or too narrow, so that a person has the last word, with a reason.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from models.text import fold

__all__ = ["SENSITIVE_WORDS", "category_of"]

SENSITIVE_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "opinion": (
            *("opinion*", "intention* de vote", "voting intention*", "a vote pour", "vote pour", "voted for"),
            *("voter of", "electeur de", "electrice de", "de gauche", "de droite", "extreme gauche"),
            *(
                "extreme droite",
                "left wing",
                "right wing",
                "far left",
                "far right",
                "conviction*",
                "croyance*",
            ),
        ),
        "religion": (
            *("religi*", "croyant*", "believer*", "confession*", "foi", "faith", "catholi*", "chretien*"),
            *(
                "christian*",
                "protestant*",
                "evangeli*",
                "orthodox*",
                "musulman*",
                "muslim*",
                "islam*",
                "juif",
            ),
            *(
                "juifs",
                "juive",
                "juives",
                "judai*",
                "jew",
                "jews",
                "jewish",
                "bouddhi*",
                "buddhi*",
                "hindou*",
            ),
            *(
                "hindu*",
                "sikh*",
                "athee*",
                "atheis*",
                "eglise*",
                "church*",
                "mosque*",
                "synagogue*",
                "paroiss*",
            ),
            *("parish*", "imam*", "rabbin*", "rabbi", "temoin* de jehovah"),
        ),
        "origin": (
            *("origine*", "origin", "origins", "ethni*", "race", "races", "racial*", "immigr*", "migrant*"),
            *("diaspora*", "nationalit*", "couleur de peau", "skin colo*", "ascendance*", "ancestry"),
        ),
        "health": (
            *("sante", "health", "malad*", "disease*", "illness*", "handicap*", "disab*", "invalidite*"),
            *(
                "cancer*",
                "diabet*",
                "vih",
                "hiv",
                "grossesse*",
                "enceinte*",
                "pregnan*",
                "vaccin*",
                "patient*",
            ),
            *("mdph", "addict*", "depression*", "genetic*", "genetique*", "biometri*"),
        ),
        "union": (
            *("syndic*", "syndiqu*", "trade union*", "union member*", "labour union*", "labor union*", "cgt"),
            *("cfdt", "cftc", "cfe cgc", "force ouvriere", "unsa", "fsu", "union solidaires"),
        ),
        "orientation": (
            *("orientation", "orientation* sexuelle*", "sexual orientation*", "sexuali*", "vie sexuelle"),
            *("sex life", "homosexu*", "heterosexu*", "bisexu*", "lesbien*", "lesbian*", "gay", "gays"),
            *("lgbt*", "queer*", "transgenre*", "transgender*", "transsex*"),
        ),
    }
)
"""By category, folded; `*`: whatever comes after. Several words stand one after the other."""
_INNOCENT: Final = re.compile(
    r"\b(?:origine|origin)s? (?:du |de la |des |de l |of (?:the )?)?"
    r"(?:contact|donnees?|data|fichier|inscription|adresse|consentement|consent|lead)s?\b"
)
"""Where data come from, which many files tell."""


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    listed = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in words)
    return re.compile(rf"\b(?:{listed})\b")


_PATTERNS: Final = {category: _pattern(words) for category, words in SENSITIVE_WORDS.items()}


@lru_cache(maxsize=4096)
def category_of(text: str) -> str | None:
    """What a tag, or the name or value of an attribute, tells that is protected; None: nothing."""
    said = _INNOCENT.sub(" ", " ".join(re.split(r"[\W_]+", fold(text))))
    return next((category for category, pattern in _PATTERNS.items() if pattern.search(said)), None)
