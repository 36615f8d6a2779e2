"""A checked condition as an expression over columns, with three values: true, false, not known."""

from __future__ import annotations

import ast
from typing import Any, NoReturn

import polars as pl

from penchant.types import InvalidInput


class InvalidWhere(InvalidInput):
    """A `where` that cannot be understood; `position` is where in the text, from 1."""

    def __init__(self, text: str, position: int, message: str) -> None:
        near = text[max(0, position - 21) : position + 19]
        super().__init__(f"where: {message}, at character {position}, near {near!r}")
        self.position = position


def refuse(text: str, node: ast.expr, message: str) -> NoReturn:
    """Raise InvalidWhere at the place of a node."""
    # ast counts bytes of UTF-8, people count characters.
    before = text.encode()[: node.col_offset].decode(errors="ignore")
    raise InvalidWhere(text, len(before) + 1, message)


def literal(node: ast.expr, text: str) -> Any:
    """Return the value of a literal."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Constant) and (
        node.value is None or isinstance(node.value, str | bool | int | float)
    ):
        return node.value
    return refuse(text, node, f"a column, text, number or list was expected, not {called(node)}")


def called(node: ast.AST) -> str:
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


def condition(node: ast.expr, text: str, schema: pl.Schema) -> pl.Expr:
    """Return a checked tree as an expression whose null means that it is not known."""
    if isinstance(node, ast.BoolOp):
        parts = [condition(part, text, schema) for part in node.values]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if isinstance(node.op, ast.And) else joined | part
        return joined
    if isinstance(node, ast.UnaryOp):
        return ~condition(node.operand, text, schema)
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
    for one, other in ((left, right), (right, left)):
        if isinstance(other, ast.Constant) and other.value is None:
            known = _operand(one, text).is_not_null()
            return known if isinstance(op, ast.NotEq) else ~known
    kinds = [_kind(side, text, schema) for side in (left, right)]
    if "missing" in kinds:
        return _unknown(left, right)
    if kinds[0] != kinds[1]:
        refuse(
            text,
            right,
            f"{_shown(left, kinds[0])} cannot be compared with {_shown(right, kinds[1])}",
        )
    if kinds[0] == "list" or (kinds[0] == "truth" and not isinstance(op, ast.Eq | ast.NotEq)):
        refuse(text, right, f"{_shown(left, kinds[0])} knows only == and !=, or 'in' for a list")
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
        values = [literal(part, text) for part in right.elts]
        for part, value in zip(right.elts, values, strict=True):
            if value is not None and kind not in (_kind(part, text, schema), "missing"):
                refuse(text, part, f"{_shown(left, kind)} cannot be {_shown(part, None)}")
        operand = _operand(left, text)
        if kind == "missing":
            return operand.is_null() if None in values else _unknown(left)
        wanted = pl.Series("wanted", [v for v in values if v is not None], strict=False)
        found = operand.is_in(wanted.implode()) if len(wanted) else operand.is_null() & False
        # A missing value is in no list, unless the list says None: then it is known to be.
        found = pl.when(operand.is_not_null()).then(found)
        return pl.coalesce(found, operand.is_null()) if None in values else found
    assert isinstance(right, ast.Name)
    kind = _kind(right, text, schema)
    column = pl.col(right.id)
    if kind == "missing":
        return _unknown(right)
    if kind == "list":
        return column.list.contains(_operand(left, text))
    if kind == "text" and _kind(left, text, schema) == "text":
        return column.str.contains(_operand(left, text), literal=True)
    return refuse(text, right, f"'in' wants a list, and {_shown(right, kind)} is none")


def _operand(node: ast.expr, text: str) -> pl.Expr:
    return pl.col(node.id) if isinstance(node, ast.Name) else pl.lit(literal(node, text))


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
    value = literal(node, text)
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def _shown(node: ast.expr, kind: str | None) -> str:
    """Return a side as it is named in a message."""
    if isinstance(node, ast.Name):
        return f"column {node.id!r} ({kind})"
    return ast.unparse(node)
