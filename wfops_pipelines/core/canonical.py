"""Canonical JSON and digests: the same meaning always has the same bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no blanks. Raises ValueError on NaN and infinities.

    Lone surrogates, which UTF-8 cannot carry, stay as `\\uXXXX` escapes.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def digest(data: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
