"""What is wrong with the settings, one line each, in words a person can act upon.

Pydantic's own account names types and links to its documentation; a person who mistyped a port
needs the name of the variable, what it holds now and what to write instead.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.smtp_url import mask_url

PREFIX = "TOCSIN_"
SHOWN_CHARACTERS = 60

_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "int_parsing": lambda _: "is not a whole number",
        "int_from_float": lambda _: "is not a whole number",
        "float_parsing": lambda _: "is not a number",
        "float_type": lambda _: "is not a number",
        "finite_number": lambda _: "is not a finite number",
        "bool_parsing": lambda _: "is neither yes nor no; write true or false",
        "greater_than": lambda c: f"is too small; write a number above {c['gt']:g}",
        "greater_than_equal": lambda c: f"is too small; the least is {c['ge']:g}",
        "less_than_equal": lambda c: f"is too large; the most is {c['le']:g}",
        "literal_error": lambda c: f"is unknown; write {c['expected']}".replace("'", ""),
        "dict_type": lambda _: 'is not a JSON object; write {"gmail": …, "orange": …}',
        "string_too_short": lambda _: "is too short",
    }
)


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def describe_problems(error: ValidationError, secret_fields: Collection[str]) -> list[str]:
    """One line a problem: variable, value unless secret, what is wrong with it, what to write."""
    details = error.errors(include_url=False)
    # A default computed from another setting could not be, because that one is wrong: told already.
    return [
        _describe(detail, secret_fields)
        for detail in details
        if detail["type"] != "default_factory_not_called"
    ]


def _describe(detail: ErrorDetails, secret_fields: Collection[str]) -> str:
    if not detail["loc"]:
        return _reason(detail)
    field = str(detail["loc"][0]).lower().removeprefix(PREFIX.lower())
    inside = "".join(f" {part}:" for part in detail["loc"][1:])
    return f"{variable(field)}:{inside}{_shown(field, detail['input'], secret_fields)} {_reason(detail)}."


def _shown(field: str, value: object, secret_fields: Collection[str]) -> str:
    if field in secret_fields:
        masked = mask_url(value) if isinstance(value, str) and "://" in value else ""
        return f" {masked!r}" if masked else " the value"
    text = str(value)
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "…"
    return f" {text!r}"


def _reason(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    words = _WORDS.get(detail["type"])
    if words is not None:
        return words(context)
    message = detail["msg"]
    return f"cannot be used: {message[:1].lower()}{message[1:]}"


def describe_unknown(names: Iterable[str], known: Collection[str]) -> list[str]:
    """One line for each variable that looks like a setting and is none, with the nearest that is."""
    lines = []
    for name in sorted(names):
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.6)
        advice = f"Did you mean {near[0]}?" if near else "`tocsin settings` lists those there are."
        lines.append(f"{name} is not a setting of Tocsin and changes nothing. {advice}")
    return lines
