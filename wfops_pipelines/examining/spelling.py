"""A column of numbers that is text now, because of a value that is none: judged as its numbers.

One word among amounts makes all of them text. What the others spell is judged as the numbers that
they were; the rows whose values are none of the published type are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.findings import Finding, Json, counted
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.core.texts import shortened, visible
from wfops_pipelines.store.mixed import KINDS, Mixed
from wfops_pipelines.store.rows import keys_of
from wfops_pipelines.store.spelled import number_in
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

MENDED = "Once that is mended (in the sync's function or by an edit), the numbers are numbers again"
FEW, LONGEST = 3, 40  # values that a sentence quotes, and characters of each
TOLD = 1_000  # rows of each kind whose reasons the evidence keeps
NUMBERS = ("int", "float", "Decimal")

Wrong = tuple[str, str]  # a row's key, and its value


@dataclass(frozen=True, slots=True)
class Spelled:
    """One such column. `kind`: in which its numbers are judged.

    words: rows whose value is no number. texts: whose number came as a text, among numbers. others:
    whose number the published type `was` does not hold.
    """

    column: str
    was: str
    kind: pa.DataType
    words: Sequence[Wrong]
    texts: Sequence[Wrong]
    others: Sequence[Wrong]

    @property
    def keys(self) -> tuple[str, ...]:
        """The rows whose value is no number of the published type."""
        return tuple(dict.fromkeys(k for k, _ in (*self.words, *self.texts, *self.others)))

    def said(self, masked: Sequence[str], key: str) -> str:
        """What is wrong with which rows; of masked columns without a value."""
        hidden = self.column in masked, key in masked
        told = [
            f"{counted(len(rows), 'value')} {one if len(rows) == 1 else many}{_few(rows, *hidden)}"
            for rows, one, many in self._kinds()
            if rows
        ]
        return " and ".join(told) or "its numbers came as texts"

    def reasons(self, masked: Sequence[str]) -> Json:
        """What is told beside each row, as `Finding.reasons_of` reads it."""
        told: dict[str, Json] = {}
        if self.column not in masked:
            for rows, one, _ in self._kinds():
                for key, value in rows[:TOLD]:
                    told[key] = [[self.column, 1.0, f"{self.column} {one}: {_quoted(value)}"]]
        return told

    def _kinds(self) -> Sequence[tuple[Sequence[Wrong], str, str]]:
        """The wrong ones by what they are, in words of one and of several."""
        other = f"that {self.was} does not hold"
        return (
            (self.words, "is no number", "are no numbers"),
            (self.texts, "is a number that came as a text", "are numbers that came as texts"),
            (self.others, f"is a number {other}", f"are numbers {other}"),
        )


def spelled(rows: Rows, key: str, previous: pa.Schema | None, mixed: Mixed) -> tuple[Spelled, ...]:
    """The columns that were of numbers when they were published last, and are text now.

    Not the key's, whose values are names.
    `mixed` says of the rows what each value was, as far as that is known.
    """
    import pyarrow.types as pt

    before = {f.name: f.type for f in previous or ()}
    return tuple(
        _spelled(rows, key, f.name, before[f.name], mixed)
        for f in rows.schema
        if f.name != key and pt.is_string(f.type) and _of_numbers(before.get(f.name))
    )


def drift(
    previous: pa.Schema | None, rows: Rows, retyped: Sequence[Spelled], sync: Sync
) -> Iterable[Finding]:
    """How the columns differ, with the rows that make it so where they can be told."""
    from wfops_pipelines.checks.examine import schema_drift

    known = {s.column: s for s in retyped}
    because = {c: f"{s.said(sync.policy.masked, sync.key)}. {MENDED}" for c, s in known.items()}
    for found in schema_drift(previous, rows.schema, because):
        one = known.get(found.column or "")
        if one is None or not one.keys:
            yield found
        else:
            details = {"whole": True, "reasons": one.reasons(sync.policy.masked)}
            yield replace(found, keys=one.keys, details=details)


def _of_numbers(kind: pa.DataType | None) -> bool:
    import pyarrow.types as pt

    return kind is not None and bool(
        pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)
    )


def _spelled(rows: Rows, key: str, column: str, was: pa.DataType, mixed: Mixed) -> Spelled:
    import pyarrow as pa

    found: tuple[list[Wrong], list[Wrong], list[Wrong]] = ([], [], [])
    words, texts, others = found
    fits = True
    for name, value, number, came in _values(rows, key, column, mixed.get(column)):
        held = number is not None and _holds(was, number)
        fits = fits and (held or number is None)
        if number is None:
            words.append((name, value))
        elif not came:
            texts.append((name, value))
        elif not held:
            others.append((name, value))
    return Spelled(column, str(was), was if fits else pa.float64(), *found)


def _values(
    rows: Rows, key: str, column: str, kinds: Any
) -> Iterator[tuple[str, str, Decimal | None, bool]]:
    """Of each living row with a value: key, value, its number, and whether it came as one."""
    place, wanted = 0, [n for n in dict.fromkeys((key, column, DELETED)) if n in rows.column_names]
    known = kinds if kinds is not None and len(kinds) == rows.num_rows else None
    for part in rows.parts(wanted):
        keys = keys_of(part[key]) if key in wanted else ["None"] * part.num_rows
        gone = part[DELETED].to_pylist() if DELETED in wanted else [False] * part.num_rows
        for at, value in enumerate(part[column].to_pylist()):
            if value is not None and not gone[at]:
                came = known is None or KINDS[known[place + at]] in NUMBERS
                yield keys[at], value, number_in(value), came
        place += part.num_rows


def _holds(kind: pa.DataType, number: Decimal) -> bool:
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_floating(kind):
        return Decimal(repr(float(number))) == number  # else it would be published as another one
    if pt.is_integer(kind):
        return -(2**63) <= number < 2**63 and number == int(number)
    try:
        return bool(pa.scalar(number, kind).as_py() == number)
    except pa.ArrowInvalid:
        return False


def _few(rows: Sequence[Wrong], hidden: bool, nameless: bool) -> str:
    if hidden and nameless:
        return ""
    told = [
        "a row" if nameless else f"row {key}" if hidden else f"row {key}: {_quoted(value)}"
        for key, value in rows[:FEW]
    ]
    if nameless:
        told = [_quoted(value) for _, value in rows[:FEW]]
    more = f" and {len(rows) - FEW:,} more" if len(rows) > FEW else ""
    return f" ({', '.join(told)}{more})"


def _quoted(value: str) -> str:
    return f"'{shortened(visible(value), LONGEST)}'"
