"""Texts from elsewhere, made fit to store and to show."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """`text` with a visible sign for every character that hides, reorders or breaks text.

    Control characters (but line feeds and tabs), marks of writing direction, blanks without width
    and halves of characters: a database refuses some, and a reader is misled by others.
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def hides(text: str) -> bool:
    """Whether `text` has a character that `visible` would replace."""
    return visible(text) != text


def shortened(text: str, longest: int) -> str:
    """`text`, cut at `longest` characters, saying how many there were."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
