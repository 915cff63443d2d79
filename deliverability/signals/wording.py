"""By which words a letter of a mail system is known: `rules/letters.toml`, read once."""

import re
import tomllib
from functools import cache
from importlib import resources


@cache
def wording(name: str) -> re.Pattern[str]:
    """One list of the file as a pattern; KeyError when there is none of that name."""
    text = (resources.files("deliverability") / "rules" / "letters.toml").read_text(encoding="utf-8")
    return re.compile("|".join(f"(?:{line})" for line in tomllib.loads(text)[name]), re.IGNORECASE)
