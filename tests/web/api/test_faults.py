"""What is wrong with a request is said for whoever wrote the request, not for whoever wrote the service."""

from datetime import date
from typing import Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from models.states import Purpose
from web.api.contact_schemas import StatementIn
from web.api.faults import faults_of, invalid
from web.api.message_schemas import BatchIn, MessageIn
from web.api.schemas import Given, Moment

GOOD: dict[str, Any] = {"to": {"email": "a@gmail.com"}, "template": {"id": "Reçu"}}


class Asked(Given):
    """One field of each sort."""

    day: date | None = None
    moment: Moment | None = None
    text: str = Field(default="", min_length=0, max_length=3)
    few: list[int] = Field(default_factory=list, max_length=1)
    share: float = Field(default=0, ge=0, le=1)
    switch: bool = False
    purpose: Purpose = Purpose.CAMPAIGN
    only: Literal["all"] = "all"
    form: str = Field(default="a", pattern="^a$")


def told(model: type[Given], given: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(given)
    return [(one.field, one.code, one.message) for one in faults_of(caught.value.errors())]


@pytest.mark.parametrize(
    ("given", "field", "code", "message"),
    [
        ({"day": "31/02/1990"}, "day", "wrong_type", "Write a day, as 1990-02-28."),
        (
            {"moment": "tomorrow"},
            "moment",
            "wrong_type",
            "Write a moment with its offset, as 2026-03-12T17:00:00Z.",
        ),
        (
            {"moment": "2026-03-12T17:00:00"},
            "moment",
            "wrong_type",
            "Write a moment with its offset, as 2026-03-12T17:00:00Z.",
        ),
        ({"moment": "9999-01-01T00:00:00Z"}, "moment", "invalid", "Is beyond the calendar."),
        ({"text": 1}, "text", "wrong_type", "Write a text."),
        ({"text": "long"}, "text", "out_of_range", "It is longer than 3 characters."),
        ({"few": {}}, "few", "wrong_type", "Write a list: […]."),
        ({"few": ["x"]}, "few.0", "wrong_type", "Write a whole number."),
        ({"few": [1, 2]}, "few", "out_of_range", "There are 2, and 1 at most."),
        ({"share": "x"}, "share", "wrong_type", "Write a number."),
        ({"share": 2}, "share", "out_of_range", "Write 1 or less."),
        ({"share": -1}, "share", "out_of_range", "Write 0 or more."),
        ({"switch": "perhaps"}, "switch", "wrong_type", "Write true or false."),
        ({"purpose": "x"}, "purpose", "not_one_of", "Write one of campaign or transactional."),
        ({"only": "x"}, "only", "not_one_of", "Write one of all."),
        ({"form": "b"}, "form", "invalid", "It is not of the form ^a$."),
        ({"oops": 1}, "oops", "unknown", "There is no such field."),
        ([], "", "wrong_type", "Write an object: {…}."),
    ],
)
def test_each_fault_says_what_to_write_instead(given: Any, field: str, code: str, message: str) -> None:
    assert told(Asked, given) == [(field, code, message)]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"to": "a@gmail.com"}, "to", "Write an object: {…}."),
        ({"to": {}}, "to", "Name exactly one of email, phone, contact, external_id."),
        ({"template": None}, "", "Name exactly one of template and content."),
        (
            {"variables": {"a": []}},
            "variables.a",
            "Write a text, a number, true, false or null.",
        ),
        ({"variables": {"a": "\0"}}, "variables.a", "Holds a NUL character."),
        ({"metadata": {"a": 1}}, "metadata.a", "Write a text."),
    ],
)
def test_a_fault_of_a_message_is_told_once_under_its_field(
    change: dict[str, Any], field: str, message: str
) -> None:
    assert [(one[0], one[2]) for one in told(MessageIn, GOOD | change)] == [(field, message)]


def test_variables_are_read_as_they_were_sent() -> None:
    values = {"a": "x", "b": 1, "c": 2.5, "d": True, "e": None}
    assert MessageIn.model_validate(GOOD | {"variables": values}).variables == values


def test_no_name_of_the_language_the_service_is_written_in_shows() -> None:
    assert told(StatementIn, {"status": "yes"})[0][2] == "Write one of granted or withdrawn."


def test_the_detail_tells_the_first_fault_and_how_many_there_are() -> None:
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"text": 1, "oops": 2})
    assert invalid(faults_of(caught.value.errors())).detail == (
        "text: Write a text. This is the first of 2 faults."
    )
    body = [{"type": "missing", "loc": ("body",), "msg": "Field required"}]
    assert invalid(faults_of(body)).detail == "There is no body: send JSON."
    query = [{"type": "missing", "loc": ("query", "since"), "msg": "Field required"}]
    assert faults_of(query)[0].field == "since"


def test_one_of_many_that_cannot_be_read_keeps_no_other_and_counts_for_what_it_held() -> None:
    batch = BatchIn.model_validate({"messages": [GOOD, GOOD | {"x": 1}, GOOD]})
    assert [type(one).__name__ for one in batch.messages] == ["MessageIn", "Unread", "MessageIn"]
    assert batch.model_dump(mode="json")["messages"][1] == GOOD | {"x": 1}
