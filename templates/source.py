"""The source of a template as people write it: positions for errors, and merge code set aside.

MJML and the transfer encodings know nothing of Jinja, so `{{ … }}` and `{% … %}` are taken out first and
put back afterwards; a mark of private-use characters holds each place. Letting MJML read Jinja instead
works until somebody writes `{% if age < 18 %}`, which it takes for a broken tag.
"""

import re
from dataclasses import dataclass, field

from models.errors import TemplateError

PRINT = "\ue000"
"""Begins the mark of an expression, which leaves text behind."""
CONTROL = "\ue002"
"""Begins the mark of a statement, which leaves nothing behind."""
_END = "\ue001"
MARK = re.compile(rf"([{PRINT}{CONTROL}])(\d+){_END}")

_STRING = r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'"
_CODE = re.compile(
    rf"\{{\#.*?\#\}}|\{{\{{(?:{_STRING}|[^\"'])*?\}}\}}|\{{%(?:{_STRING}|[^\"'])*?%\}}", re.DOTALL
)
_RESERVED = re.compile(f"[{PRINT}{_END}{CONTROL}]")
_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_EXCERPT = 100


class SourceError(TemplateError):
    """The source of a template is wrong at one place: `line` and `column` count from 1."""

    def __init__(
        self, problem: str, advice: str = "", *, line: int, column: int | None, excerpt: str
    ) -> None:
        """`excerpt` is the line the mistake stands on."""
        where = f"Line {line}" if column is None else f"Line {line}, column {column}"
        quoted = f" In: {excerpt}" if excerpt else ""
        super().__init__(f"{where}: {problem}", f"{advice}{quoted}".strip())
        self.line = line
        self.column = column
        self.excerpt = excerpt


def mistake_at(source: str, offset: int, problem: str, advice: str = "") -> SourceError:
    """The error for a mistake at a character offset."""
    line = source.count("\n", 0, offset) + 1
    start = source.rfind("\n", 0, offset) + 1
    return SourceError(problem, advice, line=line, column=offset - start + 1, excerpt=_quote(source, line))


def mistake_on(source: str, line: int, problem: str, advice: str = "") -> SourceError:
    """The error for a mistake somewhere on a line, counted from 1."""
    return SourceError(problem, advice, line=line, column=None, excerpt=_quote(source, line))


def _quote(source: str, line: int) -> str:
    text = source.split("\n")[line - 1].strip()
    return text if len(text) <= _EXCERPT else text[:_EXCERPT].rstrip() + "…"


def normalise(source: str, what: str, limit: int) -> str:
    r"""Newlines as `\n`, no byte order mark, no character that no mail may carry.

    Raises TemplateError above `limit` characters, SourceError for characters that are unusable.
    """
    if len(source) > limit:
        raise TemplateError(f"The {what} is longer than {limit} characters.", "Shorten it.")
    source = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found = _UNUSABLE.search(source) or _RESERVED.search(source)
    if found:
        code = f"U+{ord(found.group()):04X}"
        raise mistake_at(
            source,
            found.start(),
            f"The {what} holds the character {code}, which no message may carry.",
            "Delete it.",
        )
    return source


@dataclass(slots=True)
class Origins:
    """Where the pieces of a changed text came from, so that a position can be led back."""

    _pieces: list[tuple[int, int]] = field(default_factory=list)

    def note(self, here: int, there: int) -> None:
        """What begins at `here` in the changed text began at `there` in the original; in rising order."""
        self._pieces.append((here, there))

    def of(self, position: int) -> int:
        """The position in the original of a position in the changed text."""
        here, there = 0, 0
        for start, original in self._pieces:
            if start > position:
                break
            here, there = start, original
        return there + position - here


@dataclass(slots=True)
class Protected:
    """A source whose merge code is set aside: `text` holds marks, `codes` what they stand for."""

    text: str
    codes: list[str] = field(default_factory=list)
    origins: Origins = field(default_factory=Origins)

    def set_aside(self, kind: str, code: str) -> str:
        """The mark that stands for `code` from now on."""
        self.codes.append(code)
        return f"{kind}{len(self.codes) - 1}{_END}"

    def restore(self, text: str) -> str:
        """`text` with its marks replaced by the code they stand for."""
        return MARK.sub(lambda mark: self.codes[int(mark.group(2))], text)


def protect(source: str) -> Protected:
    """Set the merge code of a normalised source aside.

    Dashes that strip blanks (`{%- … -%}`) are honoured here, so that no later step meets them.
    """
    protected = Protected("")
    out: list[str] = []
    size = position = 0
    strip = False

    def keep(piece: str, start: int) -> None:
        nonlocal size
        protected.origins.note(size, start)
        out.append(piece)
        size += len(piece)

    for match in _CODE.finditer(source):
        code = match.group()
        data = source[position : match.start()]
        bare = data.lstrip() if strip else data
        keep(bare.rstrip() if code[2] == "-" else bare, position + len(data) - len(bare))
        keep(_mark(protected, code), match.start())
        strip = code[-3] == "-"
        position = match.end()
    data = source[position:]
    bare = data.lstrip() if strip else data
    keep(bare, position + len(data) - len(bare))
    protected.text = "".join(out)
    return protected


def _mark(protected: Protected, code: str) -> str:
    """The mark for one piece of code, without the dashes and signs that steer blanks."""
    inner = code[2:-2].removeprefix("-").removeprefix("+").removesuffix("-").removesuffix("+")
    match code[1]:
        case "{":
            return protected.set_aside(PRINT, f"{{{{{inner}}}}}")
        case "%":
            return protected.set_aside(CONTROL, f"{{%{inner}%}}")
        case _:
            # Not dropped: a brace before the comment must not meet one after it.
            return protected.set_aside(CONTROL, "{##}")
