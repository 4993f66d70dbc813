"""The columns that a sync's function writes, as far as its text alone tells: nothing is called."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

_DEEP = 3  # functions that call each other
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def columns_written(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The columns of the rows that a function returns, where it writes each row as a literal.

    As `[{"id": …, "name": …} for r in page]`, `rows.append({…})`, `yield {…}`, or by a function
    that returns `{…}`. None where the text does not tell: then only rows do.
    """
    found = _Rows(function).rows()
    return None if found is None else tuple(dict.fromkeys(found))


class _Rows:
    """What one function's text says of the rows that it makes."""

    def __init__(self, function: Any, deep: int = 0) -> None:
        self._known = getattr(function, "__globals__", {})
        self._deep = deep
        self._body = [*_statements(function)] if deep < _DEEP else []

    def rows(self) -> list[str] | None:
        """The columns of the rows in the list that it returns, or that it yields one by one."""
        yielded = [n.value for n in self._body if isinstance(n, ast.Yield)]
        if yielded:
            return _all(self._row(value) for value in yielded)
        return _all(self._list(value) for value in self._returned())

    def row(self) -> list[str] | None:
        """The columns of the one row that it returns."""
        return _all(self._row(value) for value in self._returned())

    def _returned(self) -> list[ast.expr | None]:
        return [n.value for n in self._body if isinstance(n, ast.Return)]

    def _list(self, value: ast.expr | None) -> list[str] | None:
        match value:
            case ast.ListComp(elt=row) | ast.GeneratorExp(elt=row):
                return self._row(row)
            case ast.List(elts=rows):
                return _all((self._row(row) for row in rows), some=False)
            case ast.Name(id=name):
                return self._appended(name)
        return None

    def _appended(self, name: str) -> list[str] | None:
        """The columns of a list that is made empty, and gets rows by `append` alone."""
        parts: list[list[str] | None] = []
        for node in self._body:
            match node:
                case ast.Assign(targets=[ast.Name(id=to)], value=value) if to == name:
                    parts.append(self._list(value))
                case ast.AnnAssign(target=ast.Name(id=to), value=value) if to == name:
                    parts.append(self._list(value))
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=to), attr="append"), args=[row]
                ) if to == name:
                    parts.append(self._row(row))
        used = sum(isinstance(n, ast.Name) and n.id == name for n in self._body)
        returned = sum(isinstance(v, ast.Name) and v.id == name for v in self._returned())
        return _all(parts) if used == len(parts) + returned else None

    def _row(self, value: ast.expr | None) -> list[str] | None:
        match value:
            case ast.Dict(keys=keys, values=values):
                return _all(self._field(k, v) for k, v in zip(keys, values, strict=True))
            case ast.Call(func=ast.Name(id=name)) if inspect.isfunction(self._known.get(name)):
                return _Rows(self._known[name], self._deep + 1).row()
        return None

    def _field(self, key: ast.expr | None, value: ast.expr) -> list[str] | None:
        match key:
            case None:
                return self._row(value)  # {**{…}}
            case ast.Constant(value=str(name)):
                return [name]
        return None


def _statements(function: Any) -> Iterator[ast.AST]:
    """All that stands in a function, without what other functions in it do."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    waiting: list[ast.AST] = [*getattr(tree.body[0], "body", [])]
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)


def _all(parts: Any, *, some: bool = True) -> list[str] | None:
    """All of them as one; None where one is unknown, or where there is none but should be."""
    found = list(parts)
    if None in found or (some and not found):
        return None
    return [name for part in found for name in part]
