"""The `where` of a request: a comparison of item columns, parsed by `ast`, never evaluated.

    price < 20 and category in ["books", "games"] and not "horror" in tags

Known are ==, !=, <, <=, >, >=, in, not in, chains of them, and, or, not, parentheses, and literals:
text, numbers, True, False, None and lists of these. Names are columns. Everything else is refused
with its position, before anything is looked at.

A missing value matches no comparison but `== None` and `in` a list with None; `not` does not turn
that around: "not price < 20" wants a price that is known (three-valued logic, as in SQL).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.types import InvalidInput, Mask

MOST_CHARACTERS = 4000
MOST_LITERALS = 1000
DEEPEST = 32

# A condition may be written over several lines; to the parser it is one.
_LINE_BREAKS = str.maketrans("\r\n\t\f\v", "     ")

Column = npt.NDArray[Any] | Sequence[Any] | pl.Series


class InvalidWhere(InvalidInput):
    """A `where` that cannot be understood; `position` is where in the text, from 1."""

    def __init__(self, text: str, position: int, message: str) -> None:
        near = text[max(0, position - 21) : position + 19]
        super().__init__(f"where: {message}, at character {position}, near {near!r}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on items. `names` are the columns it compares."""

    text: str
    names: frozenset[str]
    _tree: ast.expr

    def mask(self, columns: Mapping[str, Column] | pl.DataFrame) -> Mask:
        """Return which items match, bool[n], given each column as an array, list or polars series.

        A column that is not there, and a comparison of numbers with text, raise InvalidWhere.
        polars columns are the fastest: nothing is converted.
        """
        known = columns.columns if isinstance(columns, pl.DataFrame) else list(columns)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id not in known:
                _refuse(
                    self.text,
                    node,
                    f"there is no column {node.id!r}; known are {', '.join(sorted(known))}",
                )
        frame = pl.DataFrame([_series(name, columns[name]) for name in sorted(self.names)])
        try:
            condition = _condition(self._tree, self.text, frame.schema)
            found = frame.select(condition.alias("where"))
        except (pl.exceptions.PolarsError, OverflowError) as error:
            raise InvalidWhere(
                self.text, 1, f"the columns cannot be compared so: {error}"
            ) from None
        mask: Mask = found["where"].fill_null(False).to_numpy()
        return mask


def compile_where(text: str) -> Where:
    """Return the condition that `text` spells, or raise InvalidWhere with the position."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(f'expected where as text such as "price < 20", got {text!r:.80}')
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(
            f"expected where of at most {MOST_CHARACTERS} characters, got {len(text)}; "
            f"name the items with items= or exclude= instead"
        )
    text = text.translate(_LINE_BREAKS).strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        message = f"this is no comparison ({error.msg})"
        raise InvalidWhere(text, max(1, error.offset or 1), message) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise InvalidWhere(text, 1, f"this cannot be read ({type(error).__name__})") from None
    names: set[str] = set()
    budget = [MOST_LITERALS]
    _check(tree, text, 0, names, budget)
    return Where(text, frozenset(names), tree)


def _check(node: ast.expr, text: str, depth: int, names: set[str], budget: list[int]) -> None:
    """Raise InvalidWhere at the first part that is no condition."""
    if depth > DEEPEST:
        _refuse(text, node, f"this is nested more than {DEEPEST} deep")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check(part, text, depth + 1, names, budget)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check(node.operand, text, depth + 1, names, budget)
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for op, side in zip([None, *node.ops], sides, strict=True):
            if isinstance(op, ast.Is | ast.IsNot):
                _refuse(text, side, "'is' is not known here; write == None or != None")
            _check_side(side, text, names, budget)
        if not any(isinstance(side, ast.Name) for side in sides):
            _refuse(text, node, "this compares no column")
    elif isinstance(node, ast.Name):
        _refuse(text, node, f"a comparison was expected; write {node.id} == True")
    else:
        _refuse(text, node, f"a comparison was expected, not {_called(node)}")


def _check_side(node: ast.expr, text: str, names: set[str], budget: list[int]) -> None:
    """Raise InvalidWhere unless one side of a comparison is a column, a literal or a list."""
    if isinstance(node, ast.Name):
        names.add(node.id)
        return
    for part in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
        budget[0] -= 1
        if budget[0] < 0:
            _refuse(text, part, f"more than {MOST_LITERALS} literals")
        _literal(part, text)


def _literal(node: ast.expr, text: str) -> Any:
    """Return the value of a literal."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, str | bool | int | float)
    ):
        return node.value
    return _refuse(text, node, f"a column, text, number or list was expected, not {_called(node)}")


def _called(node: ast.AST) -> str:
    """Return the name of a construct as people call it."""
    names = {
        ast.Call: "a call",
        ast.Attribute: "an attribute",
        ast.Subscript: "an index",
        ast.Lambda: "a lambda",
        ast.JoinedStr: "an f-string",
        ast.BinOp: "arithmetic",
        ast.Constant: "a bare literal",
        ast.NamedExpr: "an assignment",
        ast.IfExp: "a condition with if",
    }
    return names.get(type(node), type(node).__name__)


def _refuse(text: str, node: ast.expr, message: str) -> NoReturn:
    """Raise InvalidWhere at the place of a node."""
    # ast counts bytes of UTF-8, people count characters.
    before = text.encode()[: node.col_offset].decode(errors="ignore")
    raise InvalidWhere(text, len(before) + 1, message)


def _series(name: str, values: Column) -> pl.Series:
    """Return a column as a polars series with NaN as missing."""
    if isinstance(values, pl.Series):
        series = values.alias(name)
    elif isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        series = pl.Series(name, values)
    else:
        plain = list(values)
        try:
            series = pl.Series(name, plain)
        except (TypeError, pl.exceptions.PolarsError):
            series = pl.Series(name, [None if v is None else str(v) for v in plain], pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _condition(node: ast.expr, text: str, schema: pl.Schema) -> pl.Expr:
    """Return a checked tree as an expression whose null means that it is not known."""
    if isinstance(node, ast.BoolOp):
        parts = [_condition(part, text, schema) for part in node.values]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if isinstance(node.op, ast.And) else joined | part
        return joined
    if isinstance(node, ast.UnaryOp):
        return ~_condition(node.operand, text, schema)
    assert isinstance(node, ast.Compare)
    left = node.left
    chain: pl.Expr | None = None
    for op, right in zip(node.ops, node.comparators, strict=True):
        link = _comparison(left, op, right, text, schema)
        chain = link if chain is None else chain & link
        left = right
    assert chain is not None
    return chain


def _comparison(
    left: ast.expr, op: ast.cmpop, right: ast.expr, text: str, schema: pl.Schema
) -> pl.Expr:
    """Return one comparison as an expression."""
    if isinstance(op, ast.In | ast.NotIn):
        found = _membership(left, right, text, schema)
        return ~found if isinstance(op, ast.NotIn) else found
    for side in (left, right):
        if isinstance(side, ast.List | ast.Tuple):
            _refuse(text, side, "a list follows only 'in' or 'not in'")
    for one, other in ((left, right), (right, left)):
        if isinstance(other, ast.Constant) and other.value is None:
            if not isinstance(op, ast.Eq | ast.NotEq):
                _refuse(text, other, "None has no order; write == None or != None")
            known = _operand(one, text).is_not_null()
            return known if isinstance(op, ast.NotEq) else ~known
    kinds = [_kind(side, text, schema) for side in (left, right)]
    if "missing" in kinds:
        return _unknown(left, right)
    if kinds[0] != kinds[1]:
        _refuse(
            text,
            right,
            f"{_shown(left, kinds[0])} cannot be compared with {_shown(right, kinds[1])}",
        )
    if kinds[0] == "list" or (kinds[0] == "truth" and not isinstance(op, ast.Eq | ast.NotEq)):
        _refuse(text, right, f"{_shown(left, kinds[0])} knows only == and !=, or 'in' for a list")
    a, b = _operand(left, text), _operand(right, text)
    if isinstance(op, ast.Eq):
        return a == b
    if isinstance(op, ast.NotEq):
        return a != b
    if isinstance(op, ast.Lt):
        return a < b
    if isinstance(op, ast.LtE):
        return a <= b
    if isinstance(op, ast.Gt):
        return a > b
    return a >= b


def _unknown(*sides: ast.expr) -> pl.Expr:
    """Return an expression that is null for every item: a column of nothing matches nothing."""
    column = next(pl.col(side.id) for side in sides if isinstance(side, ast.Name))
    return pl.when(column.is_null() & False).then(True)


def _membership(left: ast.expr, right: ast.expr, text: str, schema: pl.Schema) -> pl.Expr:
    """Return `column in [literals]`, `literal in tags`, or `"part" in title`."""
    if isinstance(right, ast.List | ast.Tuple):
        kind = _kind(left, text, schema)
        values = [_literal(part, text) for part in right.elts]
        for part, value in zip(right.elts, values, strict=True):
            if value is not None and kind not in (_kind(part, text, schema), "missing"):
                _refuse(text, part, f"{_shown(left, kind)} cannot be {_shown(part, None)}")
        operand = _operand(left, text)
        if kind == "missing":
            return operand.is_null() if None in values else _unknown(left)
        wanted = pl.Series("wanted", [v for v in values if v is not None], strict=False)
        found = operand.is_in(wanted.implode()) if len(wanted) else operand.is_null() & False
        # A missing value is in no list, unless the list says None: then it is known to be.
        found = pl.when(operand.is_not_null()).then(found)
        return pl.coalesce(found, operand.is_null()) if None in values else found
    if not isinstance(right, ast.Name):
        _refuse(text, right, "'in' wants a list, or a column of lists or text")
    kind = _kind(right, text, schema)
    column = pl.col(right.id)
    if kind == "missing":
        return _unknown(right)
    if kind == "list":
        return column.list.contains(_operand(left, text))
    if kind == "text" and _kind(left, text, schema) == "text":
        return column.str.contains(_operand(left, text), literal=True)
    return _refuse(text, right, f"'in' wants a list, and {_shown(right, kind)} is none")


def _operand(node: ast.expr, text: str) -> pl.Expr:
    return pl.col(node.id) if isinstance(node, ast.Name) else pl.lit(_literal(node, text))


def _kind(node: ast.expr, text: str, schema: pl.Schema) -> str:
    """Return what a side holds: "number", "text", "truth", "list" or the name of another type."""
    if isinstance(node, ast.Name):
        dtype = schema[node.id]
        if dtype.is_numeric():
            return "number"
        if dtype == pl.Boolean:
            return "truth"
        if isinstance(dtype, pl.List | pl.Array):
            return "list"
        if dtype == pl.Null:
            return "missing"
        return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype)
    value = _literal(node, text)
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def _shown(node: ast.expr, kind: str | None) -> str:
    """Return a side as it is named in a message."""
    if isinstance(node, ast.Name):
        return f"column {node.id!r} ({kind})"
    return ast.unparse(node)
