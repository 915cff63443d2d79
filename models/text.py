"""Text made comparable, since what people type and what files hold differ in accents, case and hyphens.

And nouns that follow their counts.
"""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\s\-_'’.,/]+")


def fold(text: str) -> str:
    """The comparable form: no accents, no case, single blanks for separators.

    `fold("Saint-Étienne") == fold("SAINT ETIENNE") == "saint etienne"`. Folding twice changes nothing.
    """
    # Twice: taking a letter apart can bring forth another that has a case or is a ligature.
    return _SEPARATORS.sub(" ", _bare(_bare(text))).strip()


def plural(count: int, one: str, many: str = "") -> str:
    """A count and its noun in English: `1 row`, `2,000 rows`; `many` where an s is not enough: `2 people`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _bare(text: str) -> str:
    apart = text.casefold().replace("œ", "oe").replace("æ", "ae")
    decomposed = unicodedata.normalize("NFKD", apart)
    return "".join(character for character in decomposed if not unicodedata.combining(character))
