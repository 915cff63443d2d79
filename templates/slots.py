"""What a message asks of a person: the values of its fields, and which of them would stand empty."""

from collections.abc import Mapping
from typing import Any, NoReturn

from jinja2 import UndefinedError

from models.errors import TemplateError
from templates.language import Absent, compile_part, fields_of, parse
from templates.personalise import line_sandbox
from templates.source import MARK, Protected, protect
from templates.spelling import Spelled, spell


class MissingValueError(TemplateError):
    """A person lacks values that the message would show; `fields` names them."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        """`fields` in the order the message meets them."""
        super().__init__(
            f"No value and no fallback for: {', '.join(fields)}.",
            "Declare a fallback or put the text under a condition.",
        )
        self.fields = fields


class Slots:
    """What one message asks of a person: its fields, and which of them would stand empty."""

    def __init__(
        self, source: str, fallbacks: Mapping[str, str], given: frozenset[str] = frozenset()
    ) -> None:
        """`source` is everything that is rendered; `given` names values that are always there.

        Raises SourceError for mistakes of the language.
        """
        environment = line_sandbox()
        self.fields = fields_of(environment, parse(environment, source)) - given
        self.fallbacks = {name: spell(text) for name, text in fallbacks.items()}
        self._given = dict.fromkeys(given, "-")
        self._probe = compile_part(environment, code_only(source))

    def fill(self, values: Mapping[str, str]) -> dict[str, Spelled]:
        """The values of this message's fields; fallbacks where the person has none.

        Fields with neither are left out.
        """
        filled: dict[str, Spelled] = {}
        for name in self.fields:
            spelled = spell(values.get(name, ""))
            if spelled.clean:
                filled[name] = spelled
            elif name in self.fallbacks:
                filled[name] = self.fallbacks[name]
        return filled

    def missing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The fields that would be shown blank to this person, in the order they are met."""
        return self.missing_in(self.fill(values))

    def missing_in(self, filled: Mapping[str, Spelled]) -> tuple[str, ...]:
        """The same for values from `fill`; renders the template's code without its text."""
        if len(filled) == len(self.fields):
            return ()
        met: dict[str, None] = {}
        noted = {name: _Noted(name=name, met=met) for name in self.fields - filled.keys()}
        try:
            shown = {name: spelled.clean for name, spelled in filled.items()}
            self._probe.render({**self._given, **shown, **noted})
        except TemplateError:
            # Arithmetic with what is missing stops here, as it would stop the rendering.
            if not met:
                raise
        return tuple(met)

    def ready(self, values: Mapping[str, str]) -> dict[str, Spelled]:
        """The values to render with; MissingValueError when something would be blank."""
        filled = self.fill(values)
        missing = self.missing_in(filled)
        if missing:
            raise MissingValueError(missing)
        return filled


class _Noted(Absent):
    """An absent value that notes its use; shown, it is empty, so that the probe goes on to the next one."""

    __slots__ = ("_met",)

    def __init__(self, *, name: str, met: dict[str, None]) -> None:
        """`met` collects the names, in order."""
        super().__init__(name=name)
        self._met = met

    def __str__(self) -> str:
        self._met[str(self._undefined_name)] = None
        return ""

    def _fail(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        self._met[str(self._undefined_name)] = None
        raise UndefinedError(f"{self._undefined_name} has no value")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._fail()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _fail
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pos__ = __neg__ = __abs__ = __round__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __getitem__ = __call__ = _fail


def code_only(source: str) -> str:
    """The template's code without its text."""
    protected: Protected = protect(source)
    return protected.restore("".join(mark.group() for mark in MARK.finditer(protected.text)))
