"""Whatever is opened and never closed: told at once, however much of it there is."""

from time import process_time

import pytest

from models.errors import TemplateError
from templates import compile_email
from templates.document import as_document, is_document
from templates.openings import require_code_ends

MANY = 40_000
HEAD, END = "<!DOCTYPE html><html><body>", "</body></html>"
MJML, MJML_END = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>",
    "</mj-text></mj-column></mj-section></mj-body></mjml>",
)


def compiled(source: str, text: str = "") -> None:
    compile_email(subject="s", preheader="", mjml=source, fallbacks={}, language="fr", text=text)


@pytest.mark.parametrize(
    ("begin", "what", "end", "problem"),
    [
        (HEAD, "<a ", END, "tags are not closed"),
        (HEAD, '<a "', END, "tags are not closed"),
        (HEAD + '<p title="', "<a ", '">' + END, "tags are not closed"),
        (HEAD, "<!--", END, "comment is not closed"),
        (HEAD, "<style>", END, "style sheet is not closed"),
        (HEAD, "{{", END, "code is not closed"),
        (HEAD, '{{ "', END, "code is not closed"),
        (HEAD, "{%", END, "code is not closed"),
        (HEAD, "{#", END, "code is not closed"),
        ("<mjml><mj-body>", "<!--", "</mj-body></mjml>", "comment is not closed"),
        (MJML, "<b>", MJML_END, "lie within one another"),
    ],
    ids=[
        *("tags", "quotes", "in quotes", "comments", "styles", "values", "texts", "statements", "remarks"),
        *("comments of MJML", "deep MJML"),
    ],
)
def test_what_never_ends_is_told_at_once(begin: str, what: str, end: str, problem: str) -> None:
    began = process_time()
    with pytest.raises(TemplateError, match=problem):
        compiled(begin + what * MANY + end)
    assert process_time() - began < 10


def test_merge_code_that_never_ends_in_the_text_part_is_told_at_once() -> None:
    began = process_time()
    with pytest.raises(TemplateError, match="code is not closed"):
        compiled(HEAD + END, text="{{" * MANY)
    assert process_time() - began < 10


def test_comments_before_a_document_are_read_in_one_way() -> None:
    comments = "<!-- a -->\n" * 2_000
    assert is_document(f"{comments}<html>")
    assert not is_document(f"{comments}<p>")
    assert not is_document(f"{comments}<!-- <html>")
    assert as_document(f"{comments}<p>x</p>", "fr").startswith("<!DOCTYPE html>")


def test_a_slip_is_overlooked_as_before() -> None:
    compiled(f"{HEAD}<p>a <b and c</p><p title='x<y'>{{{{ x|default('it') }}}}</p>{END}")
    compiled(HEAD + "<table><tr><td>" * 200 + "</table>" * 200 + "<br>" * 2_000 + "<p>" * 2_000 + END)
    compiled(f"{MJML}{'<b>' * 50}x{'</b>' * 50}{'<br />' * 1_000}{MJML_END}")


def test_close_set_rules_of_several_style_sheets_are_no_comments() -> None:
    compiled("<html><head><style>a{#b}</style><STYLE type='a'>a{#b}</STYLE></head><body>x</body></html>")


@pytest.mark.parametrize(
    "code", ["{{ commune }} ", '{{ a|default("}}") }} ', "{% if a %}{% endif %}", "{# a #} #"]
)
def test_what_ends_is_not_taken_for_open_however_often_it_stands_there(code: str) -> None:
    require_code_ends(code * 1_500)


def test_many_quotes_after_tags_that_do_not_end_take_no_time() -> None:
    began = process_time()
    with pytest.raises(TemplateError, match="tags are not closed"):
        compiled(HEAD + "<a " * 200 + '"" ' * 100_000 + END)
    assert process_time() - began < 30
