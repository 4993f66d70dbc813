"""Identifiers that sort by time. The time and the randomness are arguments."""

from __future__ import annotations

from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
ENTROPY_BYTES = 10


def new_id(prefix: str, now: datetime, entropy: bytes) -> str:
    """`<prefix>-<26 characters>`: a ULID of the UTC millisecond and ten random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"an id takes {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    number = int(now.timestamp() * 1000) << 80 | int.from_bytes(entropy, "big")
    letters = [_ALPHABET[number >> shift & 31] for shift in range(125, -5, -5)]
    return f"{prefix}-{''.join(letters)}"
