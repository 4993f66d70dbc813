"""Values, sets and ranges as a reader would write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 12


def shown(value: Any) -> str:
    """One value: 5,000,000 · 0.5 · open · `$limit` for a parameter · nothing for null."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.10g}"
        case {"$PARAMETER": str(parameter)}:
            return f"${parameter}"
        case "":
            return "''"
        case _:
            return str(value)


def shown_set(values: Any) -> str:
    """Several values: "draft, open, paid"; a long list is cut and says how many there are."""
    if not isinstance(values, (list, tuple, set, frozenset)):
        return shown(values)
    texts = [shown(v) for v in values]
    if len(texts) <= MOST_SHOWN:
        return ", ".join(texts)
    return f"{len(texts)} values ({', '.join(texts[:MOST_SHOWN])}, …)"


def shown_range(kwargs: Mapping[str, Any]) -> str:
    """ "between 0 and 10", "at least 0", "more than 0", "at most 10", "less than 10"."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = "more than" if kwargs.get("strict_min") else "at least"
    below = "less than" if kwargs.get("strict_max") else "at most"
    if low is not None and low == high:
        return f"exactly {shown(low)}"
    if low is None:
        return "unbounded" if high is None else f"{below} {shown(high)}"
    if high is None:
        return f"{above} {shown(low)}"
    if kwargs.get("strict_min") or kwargs.get("strict_max"):
        return f"{above} {shown(low)} and {below} {shown(high)}"
    return f"between {shown(low)} and {shown(high)}"
