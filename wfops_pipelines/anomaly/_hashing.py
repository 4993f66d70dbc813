"""64-bit content hashes of Arrow columns, vectorised and equal in every process.

The mixing function is splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
generators, OOPSLA 2014). Not for secrets: anybody can build collisions.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_TEXT_BYTES = 512
WHOLE = 2.0**53  # up to it, floats tell whole numbers apart
UNREADABLE = (OverflowError, ValueError, LookupError)  # a time that Python has not, a lost zone


def mix(x: Hashes) -> Hashes:
    x = x + _NULL
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def cells(hashes: Hashes) -> npt.NDArray[np.uint32]:
    """Half of each hash, which tells the values of a column from each other well enough."""
    return (hashes >> _HALF).astype(np.uint32)


NULL_CELL = cells(np.array([_NULL]))[0]


def text_buffers(array: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Offsets (n + 1) and bytes of a large text or binary array, the bytes padded by 8 zeros."""
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    if not len(starts):
        starts = np.zeros(1, np.int64)
    body = np.frombuffer(data, np.uint8)[starts[0] : starts[-1]] if data else np.zeros(0, np.uint8)
    return starts - starts[0], np.concatenate([body, np.zeros(8, np.uint8)])


def hash_spans(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Hashes:
    """Hash of each `data[start:start + length]`: of its first 512 bytes, and its length."""
    words = np.lib.stride_tricks.as_strided(
        data.view(np.uint8)[:8].view(np.uint64), shape=(len(data) - 7,), strides=(1,)
    )
    out = mix(lengths.astype(np.uint64))
    longest = int(lengths.max(initial=0))
    for at in range(0, min(longest, _TEXT_BYTES), 8):
        live = np.flatnonzero(lengths > at) if at else slice(None)
        left = np.minimum(lengths[live] - at, 8)
        word = words[np.minimum(starts[live] + at, len(words) - 1)]
        keep = np.where(
            left > 0, np.uint64(0xFFFFFFFFFFFFFFFF) >> ((8 - left) * 8 % 64).astype(np.uint64), 0
        )
        out[live] = mix(out[live] ^ (word & keep.astype(np.uint64)))
    return out


def hash_text(array: Any) -> Hashes:
    starts, data = text_buffers(array)
    return hash_spans(data, starts[:-1], np.diff(starts))


def _has_bytes(array: Any) -> bool:
    return bool(pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type))


def told_apart(array: Any, hashes: Hashes) -> Hashes:
    """The `hashes` of a plain array, or of bytes, with those of long texts to their last byte."""
    if not _has_bytes(array):
        return hashes
    long = np.flatnonzero(pc.fill_null(pc.binary_length(array), 0).to_numpy() > _TEXT_BYTES)
    if not len(long):
        return hashes
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset :]
    body = memoryview(data)
    rests = b"".join(
        blake2b(body[starts[at] + _TEXT_BYTES : starts[at + 1]], digest_size=8).digest()
        for at in long
    )
    out = hashes.copy()
    out[long] = mix(out[long] ^ np.frombuffer(rests, np.uint64))
    return out


def hash_numbers(values: npt.NDArray[Any]) -> Hashes:
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values.astype(np.float64) + 0.0)
        return mix(values.view(np.uint64).copy())
    return mix(values.astype(np.int64).view(np.uint64).copy())


def as_text(array: Any) -> Any:
    """Any array as large_string: nested and odd types by their JSON, broken bytes replaced."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        text = array.cast(pa.large_string())
        if _valid(text):
            return text
        array = text.cast(pa.large_binary())
    try:
        spelled = [None if v is None else _spell(v) for v in array.to_pylist()]
    except UNREADABLE:
        spelled = [_spelled(scalar) for scalar in array]
    return pa.array(spelled, pa.large_string())


def _valid(text: Any) -> bool:
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:  # bytes that are no UTF-8
        return False
    return True


def _spelled(scalar: Any) -> str | None:
    try:
        value = scalar.as_py()
    except UNREADABLE:
        return "unreadable"
    return None if value is None else _spell(value)


def _spell(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, default=str)


def hash_column(array: Any) -> Hashes:
    """Hash of each value of a plain array (see `plain`), or of bytes; nulls share one hash."""
    if _has_bytes(array):
        hashes = hash_text(array)
    else:
        fill = False if pa.types.is_boolean(array.type) else 0
        solid = array.fill_null(fill) if array.null_count else array
        hashes = hash_numbers(np.asarray(solid))
    if array.null_count:
        hashes[np.asarray(pc.is_null(array))] = _NULL
    return hashes
