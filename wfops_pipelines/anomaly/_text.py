"""What text is made of: character classes, shapes, letter pairs, words; on bytes, vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly._hashing import hash_spans, mix, text_buffers

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

LOWER, UPPER, DIGIT, SPACE, WIDE, CONTROL, MARK = range(7)
_MAX_BYTES = 240
_SHAPE_BASE = np.uint64(0x9E3779B97F4A7C15)

MISSING_WORDS = (
    "n/a", "na", "n.a.", "#n/a", "null", "(null)", "<null>", "none", "nan", "nil", "-", "--", "---",
    "?", "??", ".", "unknown", "undefined", "tbd", "tba", "missing", "not available", "no data",
    "empty", "void", "test", "dummy", "placeholder", "xxx", "-1", "1970-01-01", "0000-00-00",
    "1900-01-01", "9999-12-31", "0001-01-01",
)  # fmt: skip
_DAMAGE = "Ã.|Â.|â€|\ufffd|ï»¿|&(amp|lt|gt|quot|#[0-9]+);|\\\\u00[0-9a-f]{2}|[\x80-\x9f]"
_NUMBER = r"^[+-]?(\d{1,15}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?$"
_DATE = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d.*)?)?$"


def _class_table() -> Bytes:
    table = np.full(256, MARK, np.uint8)
    table[97:123], table[65:91], table[48:58] = LOWER, UPPER, DIGIT
    table[[32, 9, 10, 13]] = SPACE
    table[:9] = table[14:32] = table[127] = CONTROL
    table[128:] = WIDE
    return table


def _letter_table() -> Bytes:
    table = np.full(256, 63, np.uint8)
    table[97:123], table[65:91] = np.arange(1, 27), np.arange(1, 27)
    table[48:58], table[[32, 9, 10, 13]], table[128:] = 27, 28, 29
    for at, mark in enumerate(b"@.-_/:,+#'()&?!"):
        table[mark] = 30 + at
    return table


CLASSES, LETTERS = _class_table(), _letter_table()


@dataclass(frozen=True, slots=True)
class Flat:
    """The first 240 bytes of many texts end to end; `row` says which text each byte is of."""

    data: Bytes
    row: npt.NDArray[np.int32]
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, array: Any) -> Flat:
        offsets, body = text_buffers(array)
        lengths = np.minimum(np.diff(offsets), _MAX_BYTES)
        starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        row = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        at = np.repeat(offsets[:-1] - starts, lengths)
        at += np.arange(len(at))
        return cls(body[at], row, starts, lengths)


def class_counts(flat: Flat) -> Ints:
    """Bytes of each class in each text: shape (texts, 7)."""
    cells = flat.row * np.int64(7) + CLASSES[flat.data]
    return np.bincount(cells, minlength=7 * len(flat.lengths)).reshape(-1, 7)


def shape_hashes(flat: Flat) -> npt.NDArray[np.uint64]:
    """Hash of each text with its letters and digits folded to runs: `Ann-7` is `Aa-9`."""
    tokens = np.where(CLASSES[flat.data] == MARK, flat.data, CLASSES[flat.data])
    first = np.ones(len(tokens), bool)
    first[1:] = (tokens[1:] != tokens[:-1]) | (flat.row[1:] != flat.row[:-1])
    tokens, row = tokens[first], flat.row[first]
    counts = np.bincount(row, minlength=len(flat.lengths))
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    place = np.minimum(np.arange(len(row)) - starts[row], 31)
    powers = np.cumprod(np.full(32, _SHAPE_BASE))
    out = np.zeros(len(counts), np.uint64)
    np.add.at(out, row, mix(tokens.astype(np.uint64)) * powers[place])
    return mix(out)


def shape_of(text: str) -> str:
    """The folded shape in characters, for people."""
    folded = ""
    for char in text[:_MAX_BYTES]:
        code = int(CLASSES[ord(char)]) if ord(char) < 128 else WIDE
        mark = "aA9 ü¿"[code] if code != MARK else char
        folded += "" if folded.endswith(mark) else mark
    return folded


def letter_pairs(flat: Flat, weights: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Letter pairs (case folded, 64 by 64) and how often each occurs."""
    code = LETTERS[flat.data].astype(np.int64)
    pair = np.where(flat.row[1:] == flat.row[:-1], code[:-1] * 64 + code[1:], -1)
    pair = np.concatenate([pair, code[flat.lengths.cumsum()[flat.lengths > 0] - 1] * 64])
    pair = np.concatenate([pair, code[flat.starts[flat.lengths > 0]]])
    row = np.concatenate(
        [flat.row[1:], np.flatnonzero(flat.lengths > 0), np.flatnonzero(flat.lengths > 0)]
    )
    row = row[: len(pair)] if len(flat.row) else row
    keep = pair >= 0
    totals = np.bincount(pair[keep], weights=weights[row[keep]], minlength=4096).astype(np.int64)
    seen = np.flatnonzero(totals)
    return seen.astype(np.uint64), totals[seen]


def words(flat: Flat, weights: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Hashes of the words (runs of letters and digits, case folded) and their weights."""
    code = LETTERS[flat.data]
    inside = (code <= 27) | (code == 29)
    begins = inside.copy()
    begins[1:] &= ~inside[:-1] | (flat.row[1:] != flat.row[:-1])
    starts = np.flatnonzero(begins)
    if not len(starts):
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    run = np.cumsum(begins) - 1
    lengths = np.bincount(run[inside], minlength=len(starts))
    folded = np.where((flat.data >= 65) & (flat.data <= 90), flat.data + 32, flat.data)
    padded = np.concatenate([folded.astype(np.uint8), np.zeros(8, np.uint8)])
    return hash_spans(padded, starts, lengths), weights[flat.row[starts]]


def missing_mask(array: Any) -> npt.NDArray[np.bool_]:
    """Which texts are words that stand for a missing value."""
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(array))
    listed = pa.array(MISSING_WORDS, pa.large_string())
    return np.asarray(pc.is_in(lowered, value_set=listed))


def damage_mask(array: Any) -> npt.NDArray[np.bool_]:
    """Which texts show damage from a wrong encoding or escaping."""
    return np.asarray(pc.match_substring_regex(array, _DAMAGE))


def numbers_in(array: Any) -> npt.NDArray[np.float64]:
    """The texts that spell a number, as float64; the others NaN."""
    out = np.full(len(array), np.nan)
    mask = np.asarray(pc.match_substring_regex(array, _NUMBER))
    out[mask] = np.asarray(array.filter(pa.array(mask)).cast(pa.float64()))
    return out


def times_in(array: Any) -> npt.NDArray[np.float64]:
    """The texts that spell an ISO date or time, as seconds since 1970 (zone ignored), else NaN."""
    out = np.full(len(array), np.nan)
    mask = np.asarray(pc.match_substring_regex(array, _DATE))
    if mask.any():
        spelled = pc.replace_substring(
            pc.utf8_slice_codeunits(array.filter(pa.array(mask)), 0, 19), "T", " "
        )
        out[mask] = _seconds(spelled)
    return out


def _seconds(spelled: Any) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(spelled.cast(pa.timestamp("s")).cast(pa.int64())).astype(np.float64)
    except pa.ArrowInvalid:
        return np.array([_one_second(text) for text in spelled.to_pylist()])


def _one_second(text: str) -> float:
    try:
        return float(np.datetime64(text.replace(" ", "T"), "s").astype(np.int64))
    except ValueError:
        return float("nan")
