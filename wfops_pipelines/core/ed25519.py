"""Ed25519 signatures after RFC 8032, to verify only: nothing in it is secret, so that the time it
takes may depend on the data. For programs that have Python's standard library and nothing else.
"""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    c, d = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


def _decode(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P or (not x and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


_G = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def ed25519_verify(key: str, signature: str, message: bytes) -> bool:
    """Whether `signature` of `message` was made with the private part of `key` (both hex)."""
    try:
        public, made = bytes.fromhex(key), bytes.fromhex(signature)
    except ValueError:
        return False
    a, r = (_decode(public), _decode(made[:32])) if len(public) == 32 else (None, None)
    s = int.from_bytes(made[32:], "little")
    if len(made) != 64 or a is None or r is None or s >= _L or _G is None:
        return False
    h = int.from_bytes(hashlib.sha512(made[:32] + public + message).digest(), "little") % _L
    left, right = _times(s, _G), _add(r, _times(h, a))
    return not (
        (left[0] * right[2] - right[0] * left[2]) % _P
        or (left[1] * right[2] - right[1] * left[2]) % _P
    )
