"""When two types of a column, as Arrow writes them, are one and the same to a contract."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"decimal\d+\(\d+, (-?\d+)\)")


def alike(one: str, other: str) -> bool:
    """Decimals of as many places are: how many digits they need is a matter of the values."""
    if one == other:
        return True
    found, too = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
    return bool(found and too and found[1] == too[1])
