"""The grammar of filters, and from a text to its tree."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from core.decision import classifier_of
from core.errors import InvalidRequest
from core.family import NAME
from core.filters.ast import (
    And,
    Comparison,
    Cone,
    Field,
    Filter,
    Has,
    Node,
    Not,
    OneOf,
    Operand,
    Operator,
    Or,
    Plausible,
    Score,
    Value,
)
from core.filters.fields import FIELDS, WORDS, Kind
from core.filters.literals import value_of

MAX_LENGTH = 10_000
MAX_COMPLETED = 24_000
"""Characters of a filter that the service has completed: by versions, and by a thousand nights at most."""
MAX_DEPTH = 32

_GRAMMAR = r"""
?start: any
?any: all (_OR all)*
?all: negation (_AND negation)*
?negation: _NOT negation -> negated
    | atom
?atom: "(" any ")"
    | operand OPERATOR literal -> comparison
    | operand BETWEEN literal _AND literal -> between
    | operand _IN list -> one_of
    | operand _NOT _IN list -> none_of
    | _HAS operand -> has
    | _LACKS operand -> lacks
    | _CONE "(" NUMBER "," NUMBER "," NUMBER ")" -> cone
    | PLAUSIBLE -> plausible
    | PLAUSIBLE OPERATOR (TRUE | FALSE) -> plausible_is
    | PLAUSIBLE "(" VERSION ("," VERSION)* ")" -> plausible
operand: NAME -> named
    | VERSION -> version
    | BEST "(" VERSION ("," VERSION)+ ")" -> best
list: "(" literal ("," literal)* ")"
literal: TEXT | DATE | NUMBER

_OR.3: /or\b/i
_AND.3: /and\b/i
_NOT.3: /not\b/i
_IN.3: /in\b/i
_HAS.3: /has\b/i
_LACKS.3: /lacks\b/i
BETWEEN.3: /between\b/i
_CONE.3: /cone\b/i
BEST.3: /best\b/i
PLAUSIBLE.3: /plausible\b/i
TRUE.3: /true\b/i
FALSE.3: /false\b/i
VERSION.4: /[A-Za-z_][A-Za-z0-9_]*@[A-Za-z0-9_]*/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
OPERATOR: /==|!=|<=|>=|=|<|>/
TEXT: /'(?:[^'\t\n\r]|'')*'|"(?:[^"\t\n\r]|"")*"/
DATE.2: /[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[T0-9:.]+Z?)?/
NUMBER: /[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])/
%ignore /[ \t\n\r]+/
"""

_TOLD = {
    "_OR": "or",
    "_AND": "and",
    "_NOT": "not",
    "_IN": "in",
    "_HAS": "has",
    "_LACKS": "lacks",
    "BETWEEN": "between",
    "_CONE": "cone(…)",
    "BEST": "best(…)",
    "PLAUSIBLE": "plausible",
    "TRUE": "true",
    "FALSE": "false",
    "VERSION": "a version such as rb@2",
    "NAME": "a field or a classifier",
    "OPERATOR": "one of = != < <= > >=",
    "TEXT": "a text in quotes",
    "DATE": "a date",
    "NUMBER": "a number",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_OPERATORS: dict[str, Operator] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_DAY = timedelta(days=1)


def parse(text: str, *, longest: int = MAX_LENGTH) -> Filter:
    """The filter that a text says.

    Raises InvalidRequest, with the column, what came there and what was expected, for a text that is no
    filter, that asks an unknown field, that is longer than 10,000 characters or nested deeper than 32.
    """
    if len(text) > longest:
        raise InvalidRequest(f"filter of {len(text):,} characters; expected at most {longest:,}")
    if refused := _REFUSED.search(text):
        raise _at(refused.start() + 1, f"the character {refused[0]!a}; expected no control characters")
    if not text.strip():
        raise InvalidRequest("filter: nothing; expected a condition such as night = 20180301 and rb >= 0.5")
    try:
        root = _parser().parse(text)
    except UnexpectedInput as error:
        raise _misplaced(error, text) from error
    return Filter(cast("Node", root))


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


class _Builder(Transformer[Token, Node]):
    """Makes the tree as the parser reduces, so that nothing recurses over what was not measured yet."""

    def any(self, parts: list[Node]) -> Node:
        return _measured(Or(tuple(_flat(parts, Or))))

    def all(self, parts: list[Node]) -> Node:
        return _measured(And(tuple(_flat(parts, And))))

    def negated(self, parts: list[Node]) -> Node:
        return _measured(Not(parts[0]))

    @v_args(inline=True)
    def comparison(self, operand: Operand, operator: Token, literal: Token) -> Node:
        return _compared(operand, operator, literal)

    @v_args(inline=True)
    def between(self, operand: Operand, between: Token, low: Token, high: Token) -> Node:
        inside = And((_compared(operand, ">=", low), _compared(operand, "<=", high)))
        first, last = (cast("float", _instant(_value(operand, literal))) for literal in (low, high))
        if first > last:
            raise _at(_column(between), f"between {low:.40} and {high:.40}; expected the lower one first")
        return inside

    @v_args(inline=True)
    def one_of(self, operand: Operand, literals: list[Token]) -> Node:
        if isinstance(operand, Field) and FIELDS[operand.name].kind is Kind.TIME:
            equal = [_compared(operand, "=", literal) for literal in literals]
            return Or(tuple(equal)) if len(equal) > 1 else equal[0]
        return OneOf(operand, tuple(_instant(_value(operand, literal)) for literal in literals))

    @v_args(inline=True)
    def none_of(self, operand: Operand, literals: list[Token]) -> Node:
        return Not(self.one_of(operand, literals))

    @v_args(inline=True)
    def has(self, operand: Operand) -> Node:
        return Has(operand)

    @v_args(inline=True)
    def lacks(self, operand: Operand) -> Node:
        return Not(Has(operand))

    @v_args(inline=True)
    def cone(self, *numbers: Token) -> Node:
        limits = (("right ascension", 0, 360), ("declination", -90, 90), ("radius in arcsec", 0, 648_000))
        values = [float(token) for token in numbers]
        for token, value, (what, low, high) in zip(numbers, values, limits, strict=True):
            if not low <= value <= high:
                raise _at(_column(token), f"{what} {token:.40}; expected {low} to {high}")
        return Cone(*values)

    @v_args(inline=True)
    def plausible(self, plausible: Token, *versions: Token) -> Node:
        for token in versions:
            _exact(token)
        return Plausible(tuple(sorted(set(versions))), _column(plausible))

    @v_args(inline=True)
    def plausible_is(self, plausible: Token, operator: Token, truth: Token) -> Node:
        if operator not in ("=", "==", "!="):
            raise _at(_column(operator), f"{operator!s} on plausible; expected = or !=")
        asked = Plausible((), _column(plausible))
        return asked if (truth.type == "TRUE") == (operator != "!=") else Not(asked)

    @v_args(inline=True)
    def named(self, name: Token) -> Operand:
        if name in FIELDS:
            return Field(str(name))
        if NAME.match(name) is None or name in WORDS:
            raise _at(_column(name), f"{name!s:.60}; expected a field or a classifier: {', '.join(FIELDS)}")
        return Score(str(name), (), _column(name))

    @v_args(inline=True)
    def version(self, version: Token) -> Operand:
        if version.endswith("@production"):
            return Score(version.removesuffix("@production"), (), _column(version))
        return Score(_exact(version), (str(version),), _column(version))

    @v_args(inline=True)
    def best(self, best: Token, *versions: Token) -> Operand:
        classifiers = sorted({_exact(version) for version in versions})
        if len(classifiers) > 1:
            told = " and ".join(classifiers)
            raise _at(_column(best), f"best of versions of {told}; expected versions of one classifier")
        return Score(classifiers[0], tuple(sorted(set(map(str, versions)))), _column(best))

    def list(self, literals: list[Token]) -> list[Token]:
        return literals

    @v_args(inline=True)
    def literal(self, literal: Token) -> Token:
        return literal


def _compared(operand: Operand, sign: str, literal: Token) -> Node:
    operator, kind = _OPERATORS[sign], _kind(operand)
    if operator not in ("=", "!=") and not kind.is_ordered:
        raise _at(_column(literal), f"{operator} on {operand}, which is {kind}; expected =, != or in")
    value = _value(operand, literal)
    if isinstance(value, date) and not isinstance(value, datetime):
        return _within_day(operand, operator, value)
    return Comparison(operand, operator, value)


def _within_day(operand: Operand, operator: Operator, day: date) -> Node:
    """A time against a whole day, which begins at its midnight and ends before the next."""
    start, end = _instant(day), _instant(day + _DAY)
    if operator in ("=", "!="):
        inside = And((Comparison(operand, ">=", start), Comparison(operand, "<", end)))
        return inside if operator == "=" else Not(inside)
    bounds: dict[Operator, tuple[Operator, Value]] = {
        "<": ("<", start),
        "<=": ("<", end),
        ">": (">=", end),
        ">=": (">=", start),
    }
    return Comparison(operand, *bounds[operator])


def _instant(value: Value | date) -> Value:
    """Midnight (UTC) of a day; any other value as it is."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


def _kind(operand: Operand) -> Kind:
    return FIELDS[operand.name].kind if isinstance(operand, Field) else Kind.NUMBER


def _value(operand: Operand, literal: Token) -> Value | date:
    quoted = literal.type == "TEXT"
    text = literal[1:-1].replace(literal[0] * 2, literal[0]) if quoted else str(literal)
    try:
        return value_of(text, _kind(operand), quoted=quoted)
    except InvalidRequest as error:
        if isinstance(operand, Score) and not operand.versions:
            told = f"{operand} is no field, and {text!r:.60} no score; expected a number, or a field"
            raise _at(operand.column, f"{told}: {', '.join(FIELDS)}") from error
        raise _at(_column(literal), f"{error} for {operand}") from error


def _exact(version: Token) -> str:
    """The classifier of an exact version."""
    try:
        return classifier_of(version)
    except InvalidRequest as error:
        raise _at(_column(version), f"{str(version)!r:.60}; expected a version such as rb@2") from error


def _flat(parts: Sequence[Node], kind: type[And] | type[Or]) -> Iterator[Node]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def _measured(node: Node) -> Node:
    if _depth(node) > MAX_DEPTH:
        raise InvalidRequest(f"filter nested deeper than {MAX_DEPTH}; expected at most {MAX_DEPTH}")
    return node


def _depth(node: Node) -> int:
    match node:
        case Not(part):
            return 1 + _depth(part)
        case And(parts) | Or(parts):
            return 1 + max(map(_depth, parts))
        case _:
            return 1


def _misplaced(error: UnexpectedInput, text: str) -> InvalidRequest:
    """What came where something else was expected, told by its column."""
    start = len(text) if error.pos_in_stream is None else error.pos_in_stream
    expected: set[str] = set()
    came = repr(text[start : start + 1])
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        came = "the end" if error.token.type == "$END" else repr(str(error.token))[:60]
        start = len(text) if error.token.type == "$END" else start
    elif isinstance(error, UnexpectedCharacters):
        expected = _accepted_after(text[:start])
    if came in ("'{'", "'$'"):
        came += " (queries in MongoDB's own language are not taken)"
    elif came in ("'\"'", '"\'"'):
        came += ", a text that does not end"
    told = dict.fromkeys(words for terminal, words in _TOLD.items() if terminal in expected)
    return _at(start + 1, f"{came}; expected {', '.join(told)}")


def _accepted_after(text: str) -> set[str]:
    """The terminals that may follow the beginning of a filter; the lexer alone allows more than that."""
    read = _parser().parse_interactive(text)
    read.exhaust_lexer()
    return set(read.accepts())  # type: ignore[no-untyped-call]


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _at(column: int, told: str) -> InvalidRequest:
    return InvalidRequest(f"filter, column {column}: {told}")
