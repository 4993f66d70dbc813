"""The ways in which one cell can be unusual: raw evidence a channel, before calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly import _text
from wfops_pipelines.anomaly._distinct import distinct
from wfops_pipelines.anomaly._hashing import WHOLE, hash_column, hash_numbers
from wfops_pipelines.anomaly._plain import plain
from wfops_pipelines.anomaly._rows_tables import Span, Tally

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_SPECIAL = (0.0, -1.0, -99.0, -999.0, 99.0, 999.0, 9999.0, 99999.0)
_PAIR_CELLS = 4096


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table, ready to be looked up; text by its distinct values.

    `codes` maps each row to a distinct value, -1 for null; `hashes` are of the distinct values.
    """

    kind: str
    rows: int
    codes: Ints
    hashes: Hashes
    texts: Any
    numbers: Floats

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return self.codes >= 0

    def once(self) -> Cells:
        """Each distinct value in a row of its own, and a null after them."""
        count = len(self.hashes)
        return replace(self, rows=count + 1, codes=np.append(np.arange(count), -1))

    def spread(self, values: Floats) -> Floats:
        """Values of distinct things, one a row; 0 where null."""
        if not len(values):
            return np.zeros(self.rows)
        return np.where(self.codes >= 0, values[self.codes], 0.0)


def cells(column: Any) -> Cells:
    kind, array = plain(column)
    valid = np.asarray(pc.is_valid(array))
    hashes = hash_column(array)
    codes = np.full(len(array), -1, np.int64)
    unique, first, inverse = distinct(hashes[valid])
    codes[valid] = inverse
    solid = array.drop_null().take(pa.array(first))
    texts = solid if kind in ("text", "nested") else None
    numbers = np.zeros(len(solid)) if kind != "number" and kind != "time" else _numbers(kind, solid)
    return Cells(kind, len(array), codes, _of_whole(solid, unique), texts, numbers)


def _of_whole(solid: Any, hashes: Hashes) -> Hashes:
    """A whole number has one hash, whether or not its column's type is one of whole numbers."""
    if not pa.types.is_floating(solid.type):
        return hashes
    values = np.asarray(solid)
    whole = (np.floor(values) == values) & (np.abs(values) < WHOLE)
    return np.where(whole, hash_numbers(np.where(whole, values, 0.0).astype(np.int64)), hashes)


def _numbers(kind: str, solid: Any) -> Floats:
    values = np.asarray(solid).astype(np.float64)
    return values / 1e6 if kind == "time" else values


def keyed(one: Cells) -> Iterator[tuple[str, Hashes]]:
    """Channels that look a hash up: `(channel, one hash a distinct value)`."""
    if one.kind != "time":  # a new time is what the next snapshot is about
        yield "value", one.hashes
    if one.texts is not None:
        flat = _text.Flat.of(one.texts)
        yield "pattern", _text.shape_hashes(flat)
    if one.kind == "number":
        special = np.isin(one.numbers, _SPECIAL)
        yield "filler", np.where(special, one.hashes, np.uint64(0))
        whole = np.floor(one.numbers) == one.numbers
        yield "form", (whole * 2 + (one.numbers < 0)).astype(np.uint64)
    if one.kind == "time":
        yield "clock", (np.mod(one.numbers, 86400) == 0).astype(np.uint64)


def sized(one: Cells) -> Iterator[tuple[str, Floats]]:
    """Channels that look a number up."""
    if one.texts is not None:
        yield "length", np.log1p(np.asarray(pc.utf8_length(one.texts)).astype(np.float64))
    if one.kind in ("number", "time"):
        yield "size", one.numbers


def _pairs(flat: _text.Flat) -> npt.NDArray[np.int16]:
    """Each letter with the one before it in its text, as a number below `_PAIR_CELLS`."""
    code = _text.LETTERS[flat.data].astype(np.int16)
    before = np.zeros_like(code)
    before[1:] = code[:-1]
    before[flat.starts[flat.lengths > 0]] = 0
    return before * np.int16(64) + code


def letter_rarity(one: Cells, table: Floats) -> Floats:
    """Decades of the rarest letter pair of each distinct text."""
    flat = _text.Flat.of(one.texts)
    rarity = table[_pairs(flat)]
    out = np.zeros(len(flat.lengths))
    np.maximum.at(out, flat.row, rarity)
    return out


def letter_table(one: Cells) -> Floats:
    """Decades of each letter pair's share of the texts, a pair once a text."""
    flat = _text.Flat.of(one.texts)
    ordered = np.sort(flat.row * np.int64(_PAIR_CELLS) + _pairs(flat))  # np.unique hashes: 9 times
    seen = ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
    counts = np.bincount(seen % _PAIR_CELLS, minlength=_PAIR_CELLS)
    return np.asarray(-np.log10((counts + 0.5) / (len(flat.lengths) + 1.0)))


def null_decades(one: Cells) -> Floats:
    """Decades of being there, of being null."""
    nulls = int((one.codes < 0).sum())
    return np.maximum(
        -np.log10((np.array([one.rows - nulls, nulls]) + 0.5) / (one.rows + 1.0)), 0.0
    )


__all__ = ["Cells", "Span", "Tally", "cells", "keyed", "letter_rarity", "letter_table", "sized"]
