"""The texts of the pages, taken from their source, and the French catalogue brought up to date with them.

After a change of texts: `python -m tests.web.catalogue`, then translate the entries it names.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

WEB = Path(__file__).resolve().parents[2] / "web"
FRENCH = WEB / "locale" / "fr" / "LC_MESSAGES" / "tocsin.po"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "N_": None,
    "NN_": (1, 2),
    "say": None,
    "say_plural": (1, 2),
}
Text = str | tuple[str, str]


def texts_of_modules() -> Iterator[Text]:
    """What Python modules mark for translation."""
    for path in sorted(WEB.rglob("*.py")):
        with path.open("rb") as file:
            for _, text, _, _ in extract("python", file, keywords=KEYWORDS):
                yield text if isinstance(text, str) else (text[0], text[1])


def texts_of_pages() -> Iterator[Text]:
    """What pages mark for translation."""
    for path in sorted((WEB / "html").glob("*.html")):
        with path.open("rb") as file:
            for _, function, text, _ in babel_extract(file, list(KEYWORDS), [], {"trimmed": "true"}):
                found = (text,) if isinstance(text, str) else text or ()
                words = [one for one in found if isinstance(one, str)]
                if words:
                    yield (words[0], words[1]) if function == "ngettext" else words[0]


def texts() -> set[Text]:
    """Every text of the pages, each once."""
    return {text for text in (*texts_of_modules(), *texts_of_pages()) if text}


def read_french() -> Catalog:
    """The French catalogue as it is kept."""
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def main() -> None:
    """Add what is new, drop what is gone, name what has no translation."""
    kept, made = read_french(), Catalog(locale="fr", project="Tocsin", fuzzy=False)
    for text in texts():
        entry = kept.get(text if isinstance(text, str) else text[0])
        # A text that is counted from now on is translated anew.
        same = entry is not None and isinstance(entry.id, str) is isinstance(text, str)
        blank = "" if isinstance(text, str) else ("", "")
        made.add(text, entry.string if entry is not None and same else blank)
    out = io.BytesIO()
    write_po(out, made, omit_header=True, sort_output=True, width=100)
    head = FRENCH.read_bytes().split(b"\n\n", 1)[0]
    FRENCH.write_bytes(head + b"\n\n" + out.getvalue())
    missing = [repr(entry.id) for entry in made if entry.id and not all(as_forms(entry.string))]
    sys.stdout.write("\n".join([*missing, f"{len(missing)} of {len(made)} without translation\n"]))


def as_forms(text: object) -> tuple[str, ...]:
    """One form, or singular and plural."""
    return (text,) if isinstance(text, str) else tuple(text) if isinstance(text, list | tuple) else ("",)


if __name__ == "__main__":
    main()
