"""How to write a name in SQL."""

from __future__ import annotations


def quote(identifier: str) -> str:
    """An SQL identifier, whatever is in it."""
    return '"' + identifier.replace("\0", "").replace('"', '""') + '"'
