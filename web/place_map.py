"""The map of a campaign or a period, ready to be drawn: a square a département, in shades of one colour.

A shade says how much, a small triangle what is beyond chance, hatching that there are too few people to
tell: nothing depends on telling one hue from another. The table beside it says the same in figures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from audience.territory import DEPARTEMENTS
from deliverability.places import FEWEST, Measure, PlaceReport, Standing, count_of, rate_of, share_of
from store.territory_counts import Figures
from web.departement_tiles import HEIGHT, TILES, WIDTH
from web.i18n import N_, NN_, Tongue
from web.place_scale import cuts_of_counts, cuts_of_shares, digits_for, shade_of, shades_for

UNIT: Final = 30
"""Side of a square and its gap, in points of the drawing."""
MOST_NAMED: Final = 5
NAMES: Final = {
    Measure.ARRIVED: N_("Arrived"),
    Measure.CLICKED: N_("Clicked"),
    Measure.UNSUBSCRIBED: N_("Unsubscribed"),
    Measure.COMPLAINED: N_("Complained"),
}
MEANINGS: Final = {
    Measure.ARRIVED: N_("Messages accepted and not come back"),
    Measure.CLICKED: N_("People who clicked, of those accepted"),
    Measure.UNSUBSCRIBED: N_("People who unsubscribed, of those accepted"),
    Measure.COMPLAINED: N_("People who complained, of those accepted by providers that tell of it"),
}
LOSSES: Final = frozenset({Measure.UNSUBSCRIBED, Measure.COMPLAINED})
HIDDEN_PLACES: Final = NN_(
    "%(count)s département is hidden: fewer than %(fewest)s people were reached there.",
    "%(count)s départements are hidden: fewer than %(fewest)s people were reached there, or what is left "
    "over of the whole would tell where they were.",
)
TOGETHER: Final = NN_("Together: %(count)s message.", "Together: %(count)s messages.")
UNKNOWN: Final = NN_(
    "Of %(count)s message it is not known in which département it arrived.",
    "Of %(count)s messages it is not known in which département they arrived.",
)
UNCOUNTED: Final = NN_(
    "About %(count)s piece of news is not counted here yet.",
    "About %(count)s pieces of news are not counted here yet.",
)


@dataclass(frozen=True, slots=True)
class Square:
    """One square of the drawing: `kind` is its class, `mark` up, down or nothing, `title` what it says."""

    code: str
    x: float
    y: float
    kind: str
    mark: str
    title: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The map of one measure. `legend`: class and text; `notable`: places worth a word, with their figure."""

    key: str
    name: str
    meaning: str
    whole: str
    summary: str
    loss: bool
    squares: Sequence[Square]
    legend: Sequence[tuple[str, str]]
    notable_title: str
    notable: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: its cells are a count, the share under it, and its mark: up, down or nothing."""

    name: str
    kind: str
    cells: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class PlacesView:
    """All that a page shows of places."""

    drawings: Sequence[Drawing]
    headings: Sequence[str]
    lines: Sequence[Line]
    notes: Sequence[str]
    width: int = round(WIDTH * UNIT)
    height: int = round(HEIGHT * UNIT)


def view_of(report: PlaceReport, tongue: Tongue) -> PlacesView:
    """The map in the reader's language; without drawings when there is no département to tell of."""
    drawings = [_draw(report, measure, tongue) for measure in report.measures] if report.tells else []
    return PlacesView(
        drawings=drawings,
        headings=[tongue.say(NAMES[measure]) for measure in report.measures],
        lines=list(_lines(report, tongue)) if report.tells else [],
        notes=list(_notes(report, tongue)),
    )


def named(place: str) -> str:
    """`Bouches-du-Rhône (13)`."""
    return f"{DEPARTEMENTS.get(place, place)} ({place})"


def _draw(report: PlaceReport, measure: Measure, tongue: Tongue) -> Drawing:
    cuts = _cuts(report, measure)
    squares = [_square(report, place, measure, cuts, tongue) for place in TILES]
    title, notable = _notable(report, measure, tongue)
    whole = _figure(report.places.whole, measure, tongue)
    name = tongue.say(NAMES[measure])
    return Drawing(
        key=measure.value,
        name=name,
        meaning=tongue.say(MEANINGS[measure]),
        whole=whole,
        summary=tongue.say(
            "Map by département: %(measure)s, on the whole %(figure)s. The table below has every figure.",
            measure=name,
            figure=whole,
        ),
        loss=measure in LOSSES,
        squares=squares,
        legend=list(_legend(squares, measure, cuts, tongue)),
        notable_title=title,
        notable=notable,
    )


def _cuts(report: PlaceReport, measure: Measure) -> tuple[float, ...]:
    told = [figures for place, figures in report.places.shown.items() if place]
    if measure is Measure.ARRIVED:
        return cuts_of_counts(figures.arrived for figures in told)
    rates = [(rate_of(figures, measure), share_of(figures, measure).whole) for figures in told]
    return cuts_of_shares((rate, whole) for rate, whole in rates if rate is not None)


def _square(
    report: PlaceReport, place: str, measure: Measure, cuts: Sequence[float], tongue: Tongue
) -> Square:
    tile = TILES[place]
    kind, mark, said = "none", "", tongue.say("no message")
    figures = report.places.shown.get(place)
    if figures is not None:
        value = figures.arrived if measure is Measure.ARRIVED else rate_of(figures, measure)
        kind = "few" if value is None else f"shade{shade_of(value, cuts)}"
        mark = _mark(report, place, measure)
        said = _figure(figures, measure, tongue)
    elif place in report.places.hidden:
        kind, said = "few", _too_few(tongue)
    return Square(place, tile.x * UNIT, tile.y * UNIT, kind, mark, f"{named(place)} – {said}")


def _mark(report: PlaceReport, place: str, measure: Measure) -> str:
    if measure is Measure.ARRIVED:
        return ""
    return {Standing.ABOVE: "up", Standing.BELOW: "down", Standing.USUAL: ""}[report.standing(place, measure)]


def _too_few(tongue: Tongue) -> str:
    return tongue.say("too few people to tell")


def _figure(figures: Figures, measure: Measure, tongue: Tongue) -> str:
    """`12.3 % (1,234 of 10,000)`; the number alone of what is no share."""
    count = tongue.number(count_of(figures, measure))
    if measure is Measure.ARRIVED:
        return count
    share = share_of(figures, measure)
    if not share.whole:
        return tongue.say("not told")
    of = tongue.say("%(part)s of %(whole)s", part=count, whole=tongue.number(share.whole))
    return f"{_percent(share.value, tongue)} ({of})" if share.whole >= FEWEST else count


def _percent(value: float | None, tongue: Tongue) -> str:
    return tongue.percent(value, 1 if value is None or value >= 0.01 or not value else 2)


def _legend(
    squares: Sequence[Square], measure: Measure, cuts: Sequence[float], tongue: Tongue
) -> Iterable[tuple[str, str]]:
    """What is on this map, and no more."""
    kinds, marks = {square.kind for square in squares}, {square.mark for square in squares}
    if "shade0" in kinds:
        yield "shade0", tongue.number(0)
    if any(f"shade{shade}" in kinds for shade in shades_for(cuts)):
        yield from _shades(measure, cuts, tongue)
    for kind, text in (
        ("up", tongue.say("above, beyond chance")),
        ("down", tongue.say("below, beyond chance")),
        ("few", _too_few(tongue)),
        ("none", tongue.say("no message")),
    ):
        if kind in kinds | marks:
            yield kind, text


def _shades(measure: Measure, cuts: Sequence[float], tongue: Tongue) -> Iterable[tuple[str, str]]:
    """Each shade with what it stands for."""
    digits = digits_for(cuts)
    counted = measure is Measure.ARRIVED
    edges = [tongue.number(round(cut)) if counted else tongue.percent(cut, digits) for cut in cuts]
    # Numbers end at the one before the next shade begins; of shares there is none before.
    ends = [tongue.number(round(cut) - 1) for cut in cuts] if counted else edges
    shades = [f"shade{shade}" for shade in shades_for(cuts)]
    if not edges:
        yield shades[0], tongue.say("more than nought")
        return
    yield shades[0], tongue.say("under %(number)s", number=edges[0])
    for shade, low, high in zip(shades[1:], edges, ends[1:], strict=False):
        yield shade, low if low == high else f"{low} – {high}"
    yield shades[-1], tongue.say("%(number)s and more", number=edges[-1])


def _notable(report: PlaceReport, measure: Measure, tongue: Tongue) -> tuple[str, list[tuple[str, str, str]]]:
    """A heading, and of each place its mark, name and figure: the largest, or what is beyond chance."""
    shown = {place: figures for place, figures in report.places.shown.items() if place}
    if measure is Measure.ARRIVED:
        largest = sorted(shown, key=lambda place: -shown[place].arrived)[:MOST_NAMED]
        return tongue.say("Most messages"), [
            ("", named(place), _figure(shown[place], measure, tongue)) for place in largest
        ]

    def rate(place: str) -> float:
        return share_of(shown[place], measure).value or 0.0

    found: list[tuple[str, str, str]] = []
    for mark in ("up", "down"):
        places = [place for place in shown if _mark(report, place, measure) == mark]
        places.sort(key=rate, reverse=mark == "up")
        found += [
            (mark, named(place), _figure(shown[place], measure, tongue)) for place in places[:MOST_NAMED]
        ]
    if not found:
        return tongue.say("No département stands out: chance alone may make such differences."), []
    return tongue.say("What stands out beyond chance"), found


def _lines(report: PlaceReport, tongue: Tongue) -> Iterable[Line]:
    places = report.places
    yield _line(report, tongue.say("On the whole"), places.whole, tongue, kind="total")
    for place, figures in places.shown.items():
        if place:
            marks = [_mark(report, place, measure) for measure in report.measures]
            yield _line(report, named(place), figures, tongue, marks=marks)
    if "" in places.shown:
        yield _line(report, tongue.say("Département not known"), places.shown[""], tongue, kind="apart")
    if places.together is not None:
        yield _line(report, tongue.say("Too few each, together"), places.together, tongue, kind="apart")


def _line(
    report: PlaceReport,
    name: str,
    figures: Figures,
    tongue: Tongue,
    *,
    kind: str = "",
    marks: Sequence[str] = ("",) * len(Measure),
) -> Line:
    cells = []
    for measure, mark in zip(report.measures, marks, strict=False):
        rate = None if measure is Measure.ARRIVED else rate_of(figures, measure)
        untold = measure is not Measure.ARRIVED and not share_of(figures, measure).whole
        count = tongue.say("not told") if untold else tongue.number(count_of(figures, measure))
        # Nought of many is nought: its percentage would only be noise.
        cells.append((count, _percent(rate, tongue) if rate else "", mark))
    return Line(name, kind, cells)


def _notes(report: PlaceReport, tongue: Tongue) -> Iterable[str]:
    """What the map does not show, and why."""
    places = report.places
    if not report.tells and places.campaigns:
        yield tongue.say("There is no département of which enough people were reached to tell of it.")
    if "" in places.shown:
        yield tongue.count(UNKNOWN, places.shown[""].arrived)
    if hidden := sum(1 for place in places.hidden if place):
        said = tongue.say_plural(*HIDDEN_PLACES, hidden, fewest=FEWEST)
        if places.together is not None:
            said = f"{said} {tongue.count(TOGETHER, places.together.arrived)}"
        yield said
    if report.uncounted:
        yield tongue.count(UNCOUNTED, report.uncounted)
