"""Row conditions: the columns they name, and what they say in words."""

from __future__ import annotations

import re
from typing import Any

_COLUMN = re.compile(r"""col\(\s*(["'])(?P<column>.*?)\1\s*\)""")
_COMPARISONS = {
    "==": "is",
    "!=": "is not",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
    "IN": "is one of",
    "NOT_IN": "is none of",
}


def condition_in_words(condition: Any) -> str:
    """A row condition in words: `status is 'open' and amount is more than 0`."""
    match condition:
        case str():
            return _text_in_words(condition)
        case {"type": "comparison"}:
            verb = _COMPARISONS.get(str(condition.get("operator")), str(condition.get("operator")))
            return f"{_column_of(condition)} {verb} {_quoted(condition.get('parameter'))}"
        case {"type": "nullity"}:
            return f"{_column_of(condition)} is {'' if condition.get('is_null') else 'not '}empty"
        case {"type": "and" | "or" as word, "conditions": list(parts)}:
            return f" {word} ".join(condition_in_words(part) for part in parts)
        case {"type": "pass_through"}:
            return str(condition.get("pass_through_filter"))
        case _:
            return str(condition)


def condition_columns(condition: Any) -> tuple[str, ...]:
    """The columns that a row condition names, where they can be told."""
    match condition:
        case str():
            return tuple(m["column"] for m in _COLUMN.finditer(condition))
        case {"conditions": list(parts)}:
            return tuple(column for part in parts for column in condition_columns(part))
        case {"column": _}:
            return (_column_of(condition),)
        case _:
            return ()


def _text_in_words(text: str) -> str:
    words = _COLUMN.sub(lambda m: m["column"], text)
    words = re.sub(r"\s*(==|!=|<=|>=|<|>)\s*", lambda m: f" {_COMPARISONS[m[1]]} ", words)
    words = re.sub(r"\.notNull\(\)", " is not empty", words)
    return re.sub(r"\"([^\"']*)\"", r"'\1'", words).strip()


def _column_of(condition: Any) -> str:
    column = condition.get("column")
    return str(column.get("name") if isinstance(column, dict) else column)


def _quoted(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_quoted, value))
    return f"'{value}'" if isinstance(value, str) else str(value)
