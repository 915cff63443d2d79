"""Documents on paper: blocks of text, tables and charts become a PDF. The only file that imports reportlab.

The blocks know nothing of what they tell; the page's number and the document's name stand at each foot.
Source Sans Pro, which every Latin, Greek and Cyrillic name can be set in, travels with the document.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any
from xml.sax.saxutils import escape

MARGIN = 18 * 72 / 25.4
"""18 mm, in points."""
INK, SOFT, RULE, ACCENT, WASH = "#17211f", "#53615d", "#c3ccc8", "#14665c", "#eef4f2"
TONES = {"good": "#14665c", "quiet": "#53615d", "warn": "#855600", "bad": "#a3261d"}
MARKS = {"good": "✓", "quiet": "•", "warn": "▲", "bad": "■"}
FONT, BOLD = "Tocsin", "Tocsin-Bold"
FRAME = 6
"""What a frame keeps free at each side, in points."""
TALLEST = 640
"""Of a drawing, in points."""
ROOM = 90
"""Under a heading, in points: with less left on a page, it stands on the next with what it is the head of."""
MOST_CELL, MOST_HEAD = 400, 80
"""Characters of one cell, and of a head: longer texts would not fit on a page."""


@dataclass(frozen=True, slots=True)
class Title:
    """The document's name, and what it is about in a line below."""

    text: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a part."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph; `tone`: good, quiet, warn, bad, or none; `small`: an aside."""

    text: str
    tone: str = ""
    small: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Large figures side by side: what each counts, the figure, and a share or a note."""

    figures: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: heads, lines, columns of numbers, relative widths; `tones`: of the second column."""

    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    widths: Sequence[float] = ()
    tones: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing as PNG, `dots` to a point, with what it shows."""

    png: bytes
    caption: str
    dots: float = 2.5


Block = Title | Heading | Words | Figures | Grid | Picture


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name (for the foot and the file's own title), its language, its blocks."""

    name: str
    language: str
    foot: str
    blocks: Sequence[Block] = field(default=())


def print_document(document: Document) -> bytes:
    """The document as a PDF, A4 upright. Blocks; to be called in a thread."""
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - for who prints
    from reportlab.platypus import SimpleDocTemplate  # noqa: PLC0415

    _fonts()
    out = io.BytesIO()
    made = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=document.name,
        author="Tocsin",
        lang=document.language,
    )
    # What a frame keeps free at its sides: tables and headings begin on one line.
    width = A4[0] - 2 * MARGIN - 2 * FRAME
    flow = [part for block in document.blocks for part in _laid_out(block, width)]

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont(FONT, 8)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, MARGIN / 2, cut(settable(document.foot), width - 2 * MARGIN))
        canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, str(page.page))

    made.build(flow, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def cut(text: str, width: float) -> str:
    """As much of a line at the foot as there is room for, in points."""
    from reportlab.pdfbase.pdfmetrics import stringWidth  # noqa: PLC0415

    text = text[:MOST_CELL]
    if stringWidth(text, FONT, 8) <= width:
        return text
    while text and stringWidth(f"{text}…", FONT, 8) > width:
        text = text[:-1]
    return f"{text}…"


@cache
def _fonts() -> None:
    from reportlab.lib.fonts import addMapping  # noqa: PLC0415
    from reportlab.pdfbase.pdfmetrics import registerFont  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    files = resources.files("font_source_sans_pro") / "files"
    for name, file in ((FONT, "SourceSansPro-Regular.ttf"), (BOLD, "SourceSansPro-Semibold.ttf")):
        registerFont(TTFont(name, io.BytesIO((files / file).read_bytes())))
    for italic in (0, 1):
        addMapping(FONT, 0, italic, FONT)
        addMapping(FONT, 1, italic, BOLD)


@cache
def _style(
    size: float, *, bold: bool = False, colour: str = INK, right: bool = False, after: float = 4
) -> Any:
    from reportlab.lib.enums import TA_LEFT, TA_RIGHT  # noqa: PLC0415
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415

    return ParagraphStyle(
        f"{size}{bold}{colour}{right}{after}",
        fontName=BOLD if bold else FONT,
        fontSize=size,
        leading=size * 1.32,
        textColor=colour,
        alignment=TA_RIGHT if right else TA_LEFT,
        spaceAfter=after,
        splitLongWords=True,
    )


def _text(text: str, size: float, **style: Any) -> Any:
    from reportlab.platypus import Paragraph  # noqa: PLC0415

    return Paragraph(escape(settable(text)), _style(size, **style))


def settable(text: str) -> str:
    """Without what no line can hold: control characters. A figure stays with its sign: so does the space."""
    kept = text.replace("\u202f", "\u00a0")
    return "".join(letter if letter.isprintable() or letter == "\u00a0" else " " for letter in kept)


def _laid_out(block: Block, width: float) -> list[Any]:
    from reportlab.platypus.flowables import CondPageBreak, HRFlowable, KeepTogether, Spacer  # noqa: PLC0415

    match block:
        case Title():
            parts = [_text(block.text, 20, bold=True)]
            return [*parts, _text(block.below, 10, colour=SOFT, after=8)] if block.below else parts
        case Heading():
            rule = HRFlowable(width="100%", thickness=0.8, color=INK, spaceBefore=10, spaceAfter=4)
            head = KeepTogether([rule, _text(block.text, 13, bold=True, after=6)])
            return [CondPageBreak(ROOM), head]
        case Words():
            mark = f"{MARKS[block.tone]} " if block.tone in MARKS else ""
            colour = SOFT if block.small else TONES.get(block.tone, INK)
            return [_text(mark + block.text, 8.5 if block.small else 10, colour=colour)]
        case Figures():
            return [_figures(block, width), Spacer(1, 6)]
        case Grid():
            return [_grid(block, width), Spacer(1, 8)]
        case Picture():
            return [KeepTogether([_picture(block, width), _text(block.caption, 8.5, colour=SOFT, after=10)])]


def _figures(block: Figures, width: float) -> Any:
    from reportlab.platypus import Table  # noqa: PLC0415

    cells = [
        [
            _text(label, 8, colour=SOFT, after=0),
            _text(figure, 17, bold=True, after=0),
            _text(note, 8, colour=SOFT),
        ]
        for label, figure, note in block.figures
    ]
    each = width / max(1, len(cells))
    return Table([cells], colWidths=[each] * len(cells), style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_FLUSH])


_FLUSH = [("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 6)]


def _grid(block: Grid, width: float) -> Any:
    from reportlab.platypus import Table  # noqa: PLC0415

    widths = block.widths or [1.0] * len(block.heads)
    whole = sum(widths)
    rows = [
        [
            _text(head[:MOST_HEAD], 8, bold=True, colour=SOFT, right=place in block.numbers)
            for place, head in enumerate(block.heads)
        ]
    ]
    for line, cells in enumerate(block.lines):
        tone = block.tones[line] if line < len(block.tones) else ""
        rows.append([_cell(text, place, tone, block.numbers) for place, text in enumerate(cells)])
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, INK),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        *_FLUSH,
    ]
    return Table(rows, colWidths=[width * one / whole for one in widths], repeatRows=1, style=style)


def _cell(text: str, place: int, tone: str, numbers: frozenset[int]) -> Any:
    text = text if len(text) <= MOST_CELL else f"{text[:MOST_CELL]}…"
    if place == 1 and tone in MARKS:
        return _text(f"{MARKS[tone]} {text}", 8.5, colour=TONES[tone], after=0)
    return _text(text, 8.5, bold=place == 0, right=place in numbers, after=0)


def _picture(block: Picture, width: float) -> Any:
    from reportlab.lib.utils import ImageReader  # noqa: PLC0415
    from reportlab.platypus.flowables import Image  # noqa: PLC0415

    across, down = ImageReader(io.BytesIO(block.png)).getSize()
    # Neither wider nor, with many providers, taller than what a page holds beside its caption.
    scale = min(1.0, width / (across / block.dots), TALLEST / (down / block.dots))
    return Image(io.BytesIO(block.png), across / block.dots * scale, down / block.dots * scale, hAlign="LEFT")
