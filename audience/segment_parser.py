"""The text of a segment read into a tree, by recursive descent: an error can say where and what it expected.

rule      = all ("or" all)*
all       = one (("and" | "except") one)*
one       = "not" one | "(" rule ")" | clause
clause    = field [":" values | sign value]         sign: < <= > >= =
values    = "(" value ("," value)* ")" | value ("|" value)*
value     = word | "quoted", each perhaps with a * at its end
"""

from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, TypeVar

from audience import segment_words as words
from audience.segment_tokens import SegmentSyntaxError, Token, TokenKind, tokens_of
from models.errors import SegmentError
from models.segment_tree import (
    MAXIMUM_DEPTH,
    And,
    Clause,
    FieldKind,
    Node,
    Not,
    Operator,
    Or,
    check_clause,
    check_tree,
    kind_of,
)
from models.text import fold

P = ParamSpec("P")
T = TypeVar("T")

_ORDER: Final = {
    "<": Operator.BELOW,
    "<=": Operator.AT_MOST,
    ">": Operator.ABOVE,
    ">=": Operator.AT_LEAST,
    "=": Operator.IS,
}
_HAPPENED: Final = frozenset({FieldKind.ENGAGEMENT, FieldKind.INTERACTION})
_BARE: Final = _HAPPENED | {FieldKind.EVERYONE}


def parse_segment(text: str) -> Node:
    """The tree a text means; SegmentError says where it cannot be read and what was expected."""
    node = _Parser(text).read()
    check_tree(node)
    return node


class _Parser:
    """One pass over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Sequence[Token] = list(tokens_of(text))
        self._index = 0
        self._depth = 0

    def _peek(self) -> Token:
        return self._tokens[self._index]

    def _advance(self) -> Token:
        token = self._peek()
        self._index += 1
        return token

    def _fail(self, problem: str, advice: str = "", at: Token | None = None) -> SegmentSyntaxError:
        return SegmentSyntaxError(problem, self._text, (at or self._peek()).start, advice)

    def _is_word(self, among: frozenset[str]) -> bool:
        token = self._peek()
        return token.kind is TokenKind.WORD and not token.star and fold(token.text) in among

    def _takes_sign(self, sign: str) -> bool:
        found = self._peek().kind is TokenKind.SIGN and self._peek().text == sign
        if found:
            self._index += 1
        return found

    def read(self) -> Node:
        if self._peek().kind is TokenKind.END:
            raise self._fail("A segment needs at least one condition.", "For all contacts write everyone.")
        node = self._rule()
        if self._peek().kind is TokenKind.END:
            return node
        if self._peek().kind is TokenKind.SIGN and self._peek().text == ")":
            raise self._fail("This parenthesis was never opened.")
        raise self._fail("Expected “and”, “or” or “except” between two conditions.")

    def _rule(self) -> Node:
        children = [self._all()]
        while self._is_word(words.OR_WORDS):
            self._advance()
            children.append(self._all())
        return children[0] if len(children) == 1 else Or(tuple(children))

    def _all(self) -> Node:
        children = [self._one()]
        while True:
            if self._is_word(words.AND_WORDS):
                self._advance()
                children.append(self._one())
            elif self._is_word(words.EXCEPT_WORDS):
                self._advance()
                children.append(Not(self._one()))
            else:
                return children[0] if len(children) == 1 else And(tuple(children))

    def _one(self) -> Node:
        self._depth += 1
        # Well above what a tree may have, and well below what the interpreter's stack bears.
        if self._depth > MAXIMUM_DEPTH * 2:
            raise self._fail(f"A segment is nested at most {MAXIMUM_DEPTH} deep.")
        try:
            if self._is_word(words.NOT_WORDS):
                self._advance()
                return Not(self._one())
            opening = self._peek()
            if self._takes_sign("("):
                node = self._rule()
                if not self._takes_sign(")"):
                    self._expect_end_of_group(opening)
                return node
            return self._clause()
        finally:
            self._depth -= 1

    def _expect_end_of_group(self, opening: Token) -> None:
        if self._peek().kind is TokenKind.END:
            raise self._fail("This parenthesis is never closed.", at=opening)
        raise self._fail("Expected “and”, “or”, “except” or “)”.")

    def _clause(self) -> Node:
        token = self._peek()
        if token.kind is not TokenKind.WORD or token.star:
            raise self._fail("Expected a condition, as in tag:militant.")
        if self._is_word(words.KEYWORDS):
            raise self._fail(f"Expected a condition, as in tag:militant, not “{token.text}”.")
        self._advance()
        field = self._located(token, words.field_named, token.text)
        if self._takes_sign(":"):
            return self._values(token, field)
        if self._peek().kind is TokenKind.SIGN and self._peek().text in _ORDER:
            return self._order(token, field)
        if field == "consent" or kind_of(field) not in _BARE:
            raise self._fail(f"Expected “:” and a value after “{token.text}”.")
        return Clause(field, Operator.EVER)

    def _values(self, start: Token, field: str) -> Node:
        if field == "consent":
            return self._consent()
        pieces = [self._value()]
        if pieces[0] is None:
            pieces = self._list()
        else:
            while self._takes_sign("|"):
                pieces.append(self._value())
        exact: list[str] = []
        prefixes: list[str] = []
        for piece in pieces:
            if piece is None:
                raise self._fail("Expected a value here.")
            operator = Operator.STARTS if piece.star else Operator.IS
            value = self._located(piece, words.read_value, field, operator, piece.text)
            (prefixes if piece.star else exact).append(value)
        clauses = [
            self._checked(start, Clause(field, operator, tuple(dict.fromkeys(values))))
            for operator, values in ((Operator.IS, exact), (Operator.STARTS, prefixes))
            if values
        ]
        return clauses[0] if len(clauses) == 1 else Or(tuple(clauses))

    def _consent(self) -> Node:
        """`consent:email` is short for `consent.email:granted`."""
        token = self._value()
        if token is None or token.star:
            raise self._fail("Expected email or sms after “consent:”.")
        field = self._located(token, words.field_named, f"consent.{token.text}")
        return Clause(field, Operator.IS, ("granted",))

    def _value(self) -> Token | None:
        """The next value; None, and nothing taken, when a list opens."""
        token = self._peek()
        if token.kind is TokenKind.SIGN and token.text == "(":
            return None
        if token.kind not in {TokenKind.WORD, TokenKind.QUOTED}:
            raise self._fail("Expected a value here.", "Put quotes around one with blanks or signs.")
        if not token.text.strip():
            raise self._fail("A value cannot be empty.")
        return self._advance()

    def _list(self) -> list[Token | None]:
        opening = self._advance()
        pieces = [self._value()]
        while self._takes_sign(",") or self._takes_sign("|"):
            pieces.append(self._value())
        if not self._takes_sign(")"):
            if self._peek().kind is TokenKind.END:
                raise self._fail("This parenthesis is never closed.", at=opening)
            raise self._fail("Expected “,” or “)” in this list.", "Put quotes around a value with blanks.")
        return pieces

    def _order(self, start: Token, field: str) -> Node:
        sign = self._advance()
        operator = _ORDER[sign.text]
        if operator is Operator.IS:
            return self._values(start, field)
        value = self._value()
        if value is None or value.star:
            raise self._fail("Expected one value here.")
        if field != "consent" and words.is_span(value.text) and _takes_spans(field):
            operator = self._span_operator(sign, field, operator)
        text = self._located(value, words.read_bound, field, operator, value.text)
        return self._checked(value, Clause(field, operator, (text,)))

    def _span_operator(self, sign: Token, field: str, operator: Operator) -> Operator:
        if operator in {Operator.BELOW, Operator.AT_MOST}:
            return Operator.WITHIN
        if kind_of(field) in _HAPPENED:
            raise self._fail(
                f"Expected “<” here: {field}<30d means within the last 30 days.",
                f"For longer ago write {field} and not {field}<30d.",
                at=sign,
            )
        return Operator.BEYOND

    def _checked(self, at: Token, clause: Clause) -> Clause:
        self._located(at, check_clause, clause)
        return clause

    def _located(self, at: Token, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` gives, its error put at the place of a token."""
        try:
            return read(*args, **kwargs)
        except SegmentSyntaxError:
            raise
        except SegmentError as error:
            raise self._fail(error.problem, error.advice, at=at) from error


def _takes_spans(field: str) -> bool:
    return kind_of(field) in {FieldKind.MOMENT, *_HAPPENED}
