"""What is wrong with a request, in codes that stay and sentences that say what to write instead.

Pydantic tells its faults in words for whoever wrote the model; callers know JSON, and none of its types.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError, WrapValidator
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from web.api.problems import ApiProblemError, Fault

M = TypeVar("M", bound=BaseModel)
_PLACES: Final = frozenset({"body", "query", "path", "header"})
_MOMENT: Final = "Write a moment with its offset, as 2026-03-12T17:00:00Z."
_SENTENCES: Final = (
    (re.compile(r"missing$"), "missing", "It is missing."),
    (re.compile(r"extra_forbidden$"), "unknown", "There is no such field."),
    (re.compile(r"timezone|datetime_"), "wrong_type", _MOMENT),
    (re.compile(r"date_"), "wrong_type", "Write a day, as 1990-02-28."),
    (re.compile(r"model_|dict_|mapping_"), "wrong_type", "Write an object: {{…}}."),
    (re.compile(r"list_"), "wrong_type", "Write a list: […]."),
    (re.compile(r"value_type$"), "wrong_type", "Write a text, a number, true, false or null."),
    (re.compile(r"string_(type|sub_type|unicode)"), "wrong_type", "Write a text."),
    (re.compile(r"int_"), "wrong_type", "Write a whole number."),
    (re.compile(r"float_|finite_"), "wrong_type", "Write a number."),
    (re.compile(r"bool_"), "wrong_type", "Write true or false."),
    (re.compile(r"(enum|literal_error)$"), "not_one_of", "Write one of {expected}."),
    (re.compile(r"string_too_long$"), "out_of_range", "It is longer than {max_length} characters."),
    (re.compile(r"string_too_short$"), "out_of_range", "It is too short: {min_length} at least."),
    (re.compile(r"too_long$"), "out_of_range", "There are {actual_length}, and {max_length} at most."),
    (re.compile(r"too_short$"), "out_of_range", "There are {actual_length}, and {min_length} at least."),
    (re.compile(r"greater_than_equal$"), "out_of_range", "Write {ge:g} or more."),
    (re.compile(r"less_than_equal$"), "out_of_range", "Write {le:g} or less."),
    (re.compile(r"string_pattern_mismatch$"), "invalid", "It is not of the form {pattern}."),
)
"""By the type of Pydantic's error, of which the first that fits counts."""


def faults_of(errors: Iterable[ErrorDetails | Mapping[str, Any]], place: str = "") -> list[Fault]:
    """Each fault under the path of its field, which begins with `place`."""
    return [_fault(error, place) for error in errors]


def invalid(faults: Sequence[Fault]) -> ApiProblemError:
    """The problem they make together; its detail tells the first."""
    if not faults:
        return ApiProblemError("invalid", "Parts of it are not valid.")
    first = faults[0]
    where = f"{first.field}: " if first.field else ""
    more = f" This is the first of {len(faults)} faults." if len(faults) > 1 else ""
    return ApiProblemError("invalid", f"{where}{first.message}{more}", faults)


def _fault(error: ErrorDetails | Mapping[str, Any], place: str) -> Fault:
    path = [str(part) for part in error["loc"]]
    if path and path[0] in _PLACES:
        path = path[1:]
    field = place + ".".join(path)
    kind, told = error["type"], dict(error.get("ctx") or {})
    if kind == "missing" and not path:
        return Fault(field, "missing", "There is no body: send JSON.")
    # An enumeration of Python's shows itself with its names; the values are between the marks.
    if values := re.findall(r"'([^']*)'", str(told.get("expected", ""))):
        told["expected"] = _either(values)
    for pattern, code, sentence in _SENTENCES:
        if pattern.match(kind):
            return Fault(field, code, sentence.format_map(told))
    message = str(told["error"]) if isinstance(told.get("error"), Exception) else str(error["msg"])
    return Fault(field, "invalid", f"{message[:1].upper()}{message[1:]}".removesuffix(".") + ".")


def _either(values: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(values[:-1]), values[-1]) if part)


@dataclass(frozen=True, slots=True)
class Unread:
    """One of many that cannot be read: what stands there, and why."""

    given: Any
    faults: tuple[Fault, ...]

    def problem(self, place: str) -> ApiProblemError:
        """What its caller is told; the paths begin with `place`."""
        return invalid(
            [replace(fault, field=f"{place}{fault.field}".removesuffix(".")) for fault in self.faults]
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing of it shows in the description; a body's mark counts what was given."""
        plain = core_schema.plain_serializer_function_ser_schema(lambda one: one.given)
        return core_schema.is_instance_schema(cls, serialization=plain)


def apart(model: type[M]) -> WrapValidator:
    """Reads one of many by itself: one that cannot be read is `Unread`, and keeps no other."""

    def read(given: Any, _all: Callable[[Any], Any]) -> M | Unread:
        try:
            return model.model_validate(given)
        except ValidationError as error:
            return Unread(given, tuple(faults_of(error.errors(include_url=False))))

    return WrapValidator(read)
