"""What a misspelt name was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ " (did you mean x?)" for the end of a sentence; "" where nothing known is near."""
    near = difflib.get_close_matches(word, [*known], 1)
    return f" (did you mean {near[0]}?)" if near else ""
