"""What is known of one column's cells, and the evidence against new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wfops_pipelines.anomaly import _rows_channels as channels
from wfops_pipelines.anomaly._rows_channels import Cells
from wfops_pipelines.anomaly._rows_tables import DRIFTS, Curve, Span, Tally

Floats = npt.NDArray[np.float64]


_SERIAL = 0.9
_NONE = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Rules:
    """Tables of one column: nulls, hashes and numbers by channel, letter pairs (or none)."""

    kind: str
    null: Floats
    tallies: Mapping[str, Tally]
    spans: Mapping[str, Span]
    letters: Floats


@dataclass(frozen=True, slots=True)
class Judge:
    """Rules with what their evidence is worth: a curve a channel, and one for the strongest."""

    rules: Rules
    curves: Mapping[str, Curve]
    whole: Curve


def learn(one: Cells, held_out: Cells, other_days: bool) -> Rules:
    """Tables of a column; rows held out tell which of its numbers drift, if of `other_days`."""
    rows, there = one.codes[one.present], held_out.codes[held_out.present]
    tallies = {name: Tally.of(hashes[rows]) for name, hashes in channels.keyed(one)}
    drifts = {name: values[there] for name, values in channels.sized(held_out)}
    moves = _is_serial(one)
    if one.kind == "time":
        moves = not other_days or _advances(one.numbers[rows], held_out.numbers[there])
    spans = {
        name: Span.of(values[rows]).drifting(drifts.get(name, _NONE), moves)
        for name, values in channels.sized(one)
    }
    letters = channels.letter_table(one) if one.texts is not None else np.zeros(0)
    return Rules(one.kind, channels.null_decades(one), tallies, spans, letters)


def _advances(known: Floats, others: Floats) -> bool:
    """Do times of newer days leave those of older ones, as the next day's will leave these?"""
    if not len(known) or not len(others):
        return True
    return bool((known > others.max()).mean() > DRIFTS)


def _is_serial(one: Cells) -> bool:
    """Whole numbers that hardly repeat: an identifier, whose size means nothing."""
    if one.kind != "number":
        return False
    there = int(one.present.sum())
    whole = bool((np.floor(one.numbers) == one.numbers).all())
    return whole and there >= 20 and len(one.hashes) > _SERIAL * there


def raw_evidence(rules: Rules, one: Cells) -> dict[str, Floats]:
    """Uncalibrated decades of every channel, one number a row."""
    out = {"null": np.where(one.present, rules.null[0], rules.null[1])}
    if one.kind != rules.kind:
        return {**out, "type": np.where(one.present, 12.0, 0.0)}
    for name, hashes in channels.keyed(one):
        out[name] = one.spread(rules.tallies[name].look_up(hashes))
    for name, values in channels.sized(one):
        out[name] = one.spread(rules.spans[name].look_up(values))
    if one.texts is not None:
        out["letters"] = one.spread(channels.letter_rarity(one, rules.letters))
    return out


def calibrate(rules: Rules, held_out: Cells) -> Judge:
    raw = raw_evidence(rules, held_out)
    curves = {name: Curve.of(values) for name, values in raw.items()}
    strongest = np.max([curves[name].look_up(values) for name, values in raw.items()], axis=0)
    return Judge(rules, curves, Curve.of(strongest))


def judge(one: Judge, cells: Cells) -> tuple[Floats, npt.NDArray[np.int8], list[str]]:
    """Decades of each cell, which channel said so, and the channels' names.

    Equal cells are judged once: the last row of what is judged is that of a null, code -1.
    """
    raw = raw_evidence(one.rules, cells.once())
    names = sorted(raw)
    each = np.array([one.curves[n].look_up(raw[n]) if n in one.curves else raw[n] for n in names])
    decades, channel = one.whole.look_up(each.max(0)), each.argmax(0).astype(np.int8)
    return decades[cells.codes], channel[cells.codes], names
