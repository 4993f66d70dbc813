"""The profile of one column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from wfops_pipelines.anomaly import _text
from wfops_pipelines.anomaly._hashing import WHOLE, hash_column
from wfops_pipelines.anomaly._sketches import points, sketch
from wfops_pipelines.anomaly.nouns import ColumnProfile, Sketch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIMITS = {"values": 384, "shapes": 96, "words": 256, "pairs": 4096, "hours": 24, "days": 7}
LABELS = 48
_LABEL_CHARS = 80
_DIGITS = 1e-12


@dataclass(frozen=True, slots=True)
class Whole:
    """What is known of all of a column's values, also of those that are in no sample."""

    rows: int
    nulls: int
    low: float | None
    high: float | None

    @classmethod
    def of(cls, kind: str, array: Any) -> Whole:
        return cls(len(array), array.null_count, *_extremes(kind, array))

    def __add__(self, more: Whole) -> Whole:
        low = min((x for x in (self.low, more.low) if x is not None), default=None)
        high = max((x for x in (self.high, more.high) if x is not None), default=None)
        return Whole(self.rows + more.rows, self.nulls + more.nulls, low, high)


def column_profile(
    name: str, type_: str, kind: str, whole: Whole, part: Any, hashes: npt.NDArray[np.uint64]
) -> ColumnProfile:
    """Profile a column by the plain array of a sample's values, and their hashes."""
    there = np.asarray(pc.is_valid(part))
    keys = hashes[there]
    part = part.drop_null()
    measures = (
        _text_measures(part, keys) if kind in ("text", "nested") else _number_measures(kind, part)
    )
    values = sketch(keys, None, LIMITS["values"])
    return ColumnProfile(
        name=name,
        type=type_,
        kind=kind,
        rows=whole.rows,
        nulls=whole.nulls,
        sampled=len(there),
        counts={"present": len(part), **_repetition(keys), **measures[0]},
        low=whole.low,
        high=whole.high,
        points=measures[1],
        lengths=measures[2],
        sketches={"values": values, **measures[3]},
        labels=_labels(values, part, keys),
    )


def _repetition(keys: npt.NDArray[np.uint64]) -> dict[str, int]:
    """Different values, and how often the most frequent one occurs."""
    counts = np.unique(keys, return_counts=True)[1]
    return {"distinct": len(counts), "most": int(counts.max(initial=0))}


_Measures = tuple[dict[str, int], bytes, bytes, dict[str, Sketch]]


def _extremes(kind: str, array: Any) -> tuple[float | None, float | None]:
    if kind not in ("number", "time") or array.null_count == len(array):
        return None, None
    if pa.types.is_floating(array.type):
        array = array.filter(pc.is_finite(array))
    ends = pc.min_max(array).as_py()
    if ends["min"] is None:
        return None, None
    scale = 1e6 if kind == "time" else 1.0
    return ends["min"] / scale, ends["max"] / scale


def _number_measures(kind: str, part: Any) -> _Measures:
    if kind == "flag":
        return {"true": int(np.asarray(part).sum()) if len(part) else 0}, b"", b"", {}
    values = np.asarray(part).astype(np.float64)
    if kind == "time":
        return _time_measures(values / 1e6)
    return number_counts(values), points(values), b"", {}


def number_counts(values: Floats) -> dict[str, int]:
    finite = values[np.isfinite(values)]
    small = np.abs(finite) < WHOLE
    nines = np.isin(
        finite, [-99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0, 999999.0, 2147483647.0]
    )
    return {
        "numbers": len(values),
        "odd": len(values) - len(finite),
        "zero": int((finite == 0).sum()),
        "minus_one": int((finite == -1).sum()),
        "nines": int(nines.sum()),
        "negative": int((finite < 0).sum()),
        "whole": int((np.floor(finite[small]) == finite[small]).sum()),
        "cents": _on_grid(finite, 1e2),
        "micros": _on_grid(finite, 1e6),
    }


def _on_grid(finite: Floats, parts: float) -> int:
    """How many are whole multiples of 1 / `parts`, as far as their digits tell."""
    with np.errstate(over="ignore", invalid="ignore"):
        fine = finite * parts
        return int((np.abs(fine - np.rint(fine)) <= np.abs(fine) * _DIGITS).sum())


def _time_measures(seconds: Floats) -> _Measures:
    return time_counts(seconds), points(seconds), b"", time_sketches(seconds)


def time_counts(seconds: Floats) -> dict[str, int]:
    return {
        "times": len(seconds),
        "epoch": int((np.abs(seconds) < 86400).sum()),
        "far": int(((seconds < -2.2e9) | (seconds > 4.1e9)).sum()),
        "midnight": int((np.mod(seconds, 86400) == 0).sum()),
    }


def time_sketches(seconds: Floats) -> dict[str, Sketch]:
    hours = np.floor(np.mod(seconds, 86400) / 3600).astype(np.uint64)
    days = np.mod(np.floor(seconds / 86400) + 3, 7).astype(np.uint64)
    return {"hours": sketch(hours, None, 24), "days": sketch(days, None, 7)}


def _text_measures(part: Any, keys: npt.NDArray[np.uint64]) -> _Measures:
    _, first, weights = np.unique(keys, return_index=True, return_counts=True)
    texts = part.take(pa.array(first))
    flat = _text.Flat.of(texts)
    classes = _text.class_counts(flat)
    chars = (
        np.asarray(pc.utf8_length(texts)).astype(np.int64) if len(texts) else np.zeros(0, np.int64)
    )
    numbers, times = _text.numbers_in(texts), _text.times_in(texts)
    counts = _text_counts(texts, classes, chars, weights, numbers, times)
    extra, marks = _spelled(numbers, times, weights)
    sketches = {
        "shapes": sketch(_text.shape_hashes(flat), weights, LIMITS["shapes"]),
        "words": sketch(*_text.words(flat, weights), LIMITS["words"]),
        "pairs": sketch(*_text.letter_pairs(flat, weights), LIMITS["pairs"]),
        **extra,
    }
    return counts, marks, points(np.repeat(chars, weights).astype(np.float64), 256), sketches


def _text_counts(
    texts: Any, classes: Ints, chars: Ints, weights: Ints, numbers: Floats, times: Floats
) -> dict[str, int]:
    def rows(mask: npt.NDArray[np.bool_]) -> int:
        return int(weights[mask].sum())

    names = ("lower", "upper", "digits", "spaces", "wide", "control", "marks")
    made_of = {name: int((classes[:, i] * weights).sum()) for i, name in enumerate(names)}
    trimmed = pc.utf8_length(pc.utf8_trim_whitespace(texts))
    solid = np.asarray(trimmed).astype(np.int64) if len(texts) else chars
    return {
        **made_of,
        "empty": rows(solid == 0),
        "untrimmed": rows((solid != chars) & (solid > 0)),
        "missing": rows(_text.missing_mask(texts)),
        "damaged": rows(_text.damage_mask(texts)),
        "accented": rows(classes[:, _text.WIDE] > 0),
        "spelled_numbers": rows(~np.isnan(numbers)),
        "spelled_times": rows(~np.isnan(times)),
    }


def _spelled(numbers: Floats, times: Floats, weights: Ints) -> tuple[dict[str, Sketch], bytes]:
    """Quantiles (and hours) of text that mostly spells numbers or times."""
    half = weights.sum() / 2
    for found, is_time in ((times, True), (numbers, False)):
        good = ~np.isnan(found)
        if weights[good].sum() > half:
            values = np.repeat(found[good], weights[good])
            return (time_sketches(values) if is_time else {}), points(values)
    return {}, b""


def _labels(values: Sketch, part: Any, keys: npt.NDArray[np.uint64]) -> dict[str, str]:
    """The texts of the most frequent values, by their hash."""
    known, counts = np.frombuffer(values.keys, np.uint64), np.frombuffer(values.counts, np.int64)
    top = np.lexsort((known, -counts))[:LABELS]
    top = top[counts[top] > 1] if len(known) > LABELS else top
    unique, first = np.unique(keys, return_index=True)
    at = first[np.searchsorted(unique, known[top])]
    texts = part.take(pa.array(at)).to_pylist() if len(at) else []
    return {f"{h:016x}": str(t)[:_LABEL_CHARS] for h, t in zip(known[top], texts, strict=True)}


__all__ = ["column_profile", "hash_column"]
