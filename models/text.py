"""Text made comparable: what people type and what files hold differ in accents, case and hyphens."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\s\-_'’.,/]+")


def fold(text: str) -> str:
    """The comparable form: no accents, no case, single blanks for separators.

    `fold("Saint-Étienne") == fold("SAINT ETIENNE") == "saint etienne"`. Folding twice changes nothing.
    """
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae"))
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _SEPARATORS.sub(" ", bare.casefold()).strip()
