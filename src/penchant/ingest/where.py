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
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from penchant.ingest.condition import InvalidWhere, called, condition, literal, refuse
from penchant.types import InvalidInput, Mask

MOST_CHARACTERS = 4000
MOST_LITERALS = 1000
DEEPEST = 32

# A condition may be written over several lines; to the parser it is one.
_LINE_BREAKS = str.maketrans("\r\n\t\f\v", "     ")

__all__ = ["InvalidWhere", "Where", "compile_where"]

Column = npt.NDArray[Any] | Sequence[Any] | pl.Series


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
                refuse(
                    self.text,
                    node,
                    f"there is no column {node.id!r}; known are {', '.join(sorted(known))}",
                )
        frame = pl.DataFrame([_series(name, columns[name]) for name in sorted(self.names)])
        try:
            wanted = condition(self._tree, self.text, frame.schema)
            found = frame.select(wanted.alias("where"))
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
        refuse(text, node, f"this is nested more than {DEEPEST} deep")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check(part, text, depth + 1, names, budget)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check(node.operand, text, depth + 1, names, budget)
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for op, side in zip([None, *node.ops], sides, strict=True):
            if isinstance(op, ast.Is | ast.IsNot):
                refuse(text, side, "'is' is not known here; write == None or != None")
            _check_side(side, text, names, budget)
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            _check_pair(left, op, right, text)
        if not any(isinstance(side, ast.Name) for side in sides):
            refuse(text, node, "this compares no column")
    elif isinstance(node, ast.Name):
        refuse(text, node, f"a comparison was expected; write {node.id} == True")
    else:
        refuse(text, node, f"a comparison was expected, not {called(node)}")


def _check_pair(left: ast.expr, op: ast.cmpop, right: ast.expr, text: str) -> None:
    """Raise InvalidWhere where a comparison has no meaning for any column."""
    member = isinstance(op, ast.In | ast.NotIn)
    for side in (left,) if member else (left, right):
        if isinstance(side, ast.List | ast.Tuple):
            refuse(text, side, "a list follows only 'in' or 'not in'")
        ordered = not isinstance(op, ast.Eq | ast.NotEq)
        if ordered and isinstance(side, ast.Constant) and side.value is None:
            refuse(text, side, "None has no order; write == None or != None")
    if member and not isinstance(right, ast.List | ast.Tuple | ast.Name):
        refuse(text, right, "'in' wants a list, or a column of lists or text")


def _check_side(node: ast.expr, text: str, names: set[str], budget: list[int]) -> None:
    """Raise InvalidWhere unless one side of a comparison is a column, a literal or a list."""
    if isinstance(node, ast.Name):
        names.add(node.id)
        return
    for part in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
        budget[0] -= 1
        if budget[0] < 0:
            refuse(text, part, f"more than {MOST_LITERALS} literals")
        literal(part, text)


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
