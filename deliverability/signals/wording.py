"""By which words a letter of a mail system is known: `rules/letters.toml`, read once."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources


def wording(name: str) -> re.Pattern[str]:
    """One list of the file as a pattern; KeyError when there is none of that name."""
    return wordings()[name]


@cache
def wordings() -> Mapping[str, re.Pattern[str]]:
    """Every list of the file."""
    text = (resources.files("deliverability") / "rules" / "letters.toml").read_text(encoding="utf-8")
    return {
        name: re.compile("|".join(f"(?:{line})" for line in lines), re.IGNORECASE)
        for name, lines in tomllib.loads(text).items()
    }
