"""How text in a SaaS system is written: patterns that say more than "a text"."""

from __future__ import annotations

import re
from collections.abc import Iterable

COMMON = (  # the narrow ones first
    r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    r"^https?://\S+$",
    r"^\d{4}-\d{2}-\d{2}$",
    r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?$",
    r"^[A-Z]{2}$",
    r"^[A-Z]{3}$",
    r"^[a-z]{3}$",
    r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$",
    r"^\+[\d ()-]{6,20}$",
    r"^\d+$",
    r"^[0-9a-f]+$",
)
_PREFIX = re.compile(r"[A-Za-z]{1,12}[_\-:/#]")


def pattern_of(values: Iterable[str], *, spelled: bool = True) -> str | None:
    """The narrowest known pattern that all values follow.

    Without `spelled` no piece of the values themselves is in it: for masked columns.
    """
    texts = list(values)
    for pattern in COMMON:
        if all(map(re.compile(pattern).search, texts)):
            return pattern
    return _prefixed(texts) if spelled else None


def _prefixed(texts: list[str]) -> str | None:
    """`^in_[A-Za-z0-9]+$` for identifiers that share what stands before a separator."""
    found = _PREFIX.match(texts[0])
    if found is None:
        return None
    rest = rf"^{re.escape(found.group())}[A-Za-z0-9]+$"
    return rest if all(map(re.compile(rest).search, texts)) else None
