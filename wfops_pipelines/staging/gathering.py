"""From a source's pages to one table of what is new: the newest version of each row, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import Cell
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.examining.contradictions import contradicted
from wfops_pipelines.examining.identities import identify
from wfops_pipelines.staging.narrowing import as_held
from wfops_pipelines.staging.newest import Chosen, Marks
from wfops_pipelines.staging.reading import told_in_parts
from wfops_pipelines.store.fitting import Fitting, refitted
from wfops_pipelines.store.mixed import Mixed, joined, masked
from wfops_pipelines.store.remembered import NO_KEY, Came, identities
from wfops_pipelines.store.rows import remembered_as, remembered_key, texts
from wfops_pipelines.store.spool import Spool
from wfops_pipelines.store.versions import spelled, versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

Recall: TypeAlias = "Callable[[int, Callable[[], pa.Table]], Came]"
"""What was staged before of so many rows, whose key and version (texts) it may ask for."""

_Doubts: TypeAlias = "dict[int, tuple[str, str]]"

AT_ONCE = 20_000  # rows that are Python objects at the same time


@dataclass(frozen=True, slots=True)
class Between:
    """Only rows dated from `start` up to before `end` are wanted, and those without a date."""

    start: datetime
    end: datetime


@dataclass(slots=True)
class Memory:
    """What was staged before, as far as it is remembered.

    before: rows dated earlier may be forgotten; None: none are. remind: read the snapshots again,
    from a time on.
    """

    came: Recall
    before: datetime | None = None
    remind: Callable[[datetime], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Gathered:
    """New rows, a part at a time, and as many versions and cursors (a time, or NaT).

    `repeats` is how many rows were dropped because the same version came twice. `doubted` and
    `contradicted`, `overtaken`: see Snapshot. `mixed` is of the rows. `earliest` is the first time
    of all that was told. `others`: the keys of rows that were told, too, where it counts which were
    not.
    """

    rows: Rows
    version: npt.NDArray[np.uint64]
    cursor: npt.NDArray[np.datetime64]
    repeats: int
    doubted: tuple[tuple[str, str], ...] = ()
    contradicted: tuple[Cell, ...] = ()
    overtaken: int = 0
    mixed: Mixed = field(default_factory=dict)
    earliest: datetime | None = None
    others: Rows | None = None

    def identity(self, key: str, rows: Rows, oldest: datetime | None) -> Iterator[pa.Table]:
        """Key (text), version (text) and cursor of each row that is not dated before `oldest`.

        `rows` are where keys are read.
        """
        import numpy as np
        import pyarrow as pa

        at, keyed = 0, key in rows.column_names
        for part in rows.parts([key] if keyed else rows.column_names[:1]):
            end = at + part.num_rows
            version, cursor = self.version[at:end], self.cursor[at:end]
            if oldest is not None:
                bound = np.datetime64(oldest.astimezone(UTC).replace(tzinfo=None))
                late = ~(cursor < bound)  # so is a row without a date
                part, version, cursor = part.filter(pa.array(late)), version[late], cursor[late]
            keys = texts(part[key]) if keyed else [None] * part.num_rows
            yield identities(keys, version, cursor)
            at = end


def gather(
    sync: Sync,
    pages: Iterable[Any],
    held: Mapping[str, str] | None,
    memory: Memory,
    only: Between | None,
    folder: Path,
    at_once: int,
) -> Gathered | None:
    """Rows that are not known, the newest version of each key; None when there is none.

    A row without a key is evidence too: all of them stay, and the examiners report them. In memory
    are a page, a few times `at_once` rows, and a mark for each row; the rows wait in `folder`.
    """
    spool, fitting = Spool(folder), Fitting()
    told, known, mixed = _Told(sync, memory, only), [], []
    for part, kinds in told_in_parts(sync, pages, held, min(at_once, AT_ONCE)):
        fitting.see(part)
        spool.add(part)
        known.append(versions(part, kinds))
        mixed.append(kinds)
        told.add(part, known[-1])
    if not told.count:
        return None
    schema = _with_keys(sync, fitting, fitting.schema(held, spool.read), held)
    whole = refitted(spool.read, schema, told.count)
    _refuse_bytes(sync, schema)
    if fitting.quarrels(sync.key):  # another type spells a key otherwise
        told = _told_again(_Told(sync, memory, only), whole, known)
    chosen = told.marks.newest()
    if not len(chosen.version) and sync.missing != "delete":
        return None
    rows = whole if chosen.mask is None else whole.filter(chosen.mask)
    doubted = tuple(
        doubt for at, doubt in told.doubts.items() if chosen.mask is None or chosen.mask[at].as_py()
    )
    cells = contradicted(whole, sync.key, chosen.rivals) if len(chosen.rivals) else ()
    texts_ = [f.name for f in whole.schema if str(f.type) == "string"]
    names = [n for n in texts_ if fitting.quarrels(n) or any(n in kinds for kinds in mixed)]
    stayed = masked(joined(names, spool.read, mixed), chosen.mask)
    if chosen.mask is not None and rows.num_rows:
        rows, stayed = as_held(rows, held or {}, stayed, (sync.key,))
    counts = chosen.repeats, doubted, cells, chosen.overtaken
    others = _others(sync, whole, chosen)
    return Gathered(rows, chosen.version, chosen.cursor, *counts, stayed, told.earliest, others)


def _others(sync: Sync, whole: Rows, chosen: Chosen) -> Rows | None:
    """Rows that were told and are not among those that stay, where it counts what was not told."""
    import pyarrow.compute as pc

    if sync.missing != "delete" or chosen.mask is None or sync.key not in whole.column_names:
        return None
    return whole.filter(pc.invert(chosen.mask)).select([sync.key])


def _with_keys(
    sync: Sync, fitting: Fitting, schema: pa.Schema, held: Mapping[str, str] | None
) -> pa.Schema:
    """Keys that parts spell in several types stay as they are spelled, unless all fit as held."""
    import pyarrow as pa

    known = (held or {}).get(sync.key)
    if known is None or not fitting.quarrels(sync.key):
        return schema
    place = schema.get_field_index(sync.key)
    fits = str(schema.field(place).type) == known
    return schema if fits else schema.set(place, pa.field(sync.key, pa.string()))


@dataclass(slots=True)
class _Told:
    """What is kept of all rows that a source told, part by part.

    doubts: by a row's place, what Snapshot.doubted says of it if it stays.
    """

    sync: Sync
    memory: Memory
    only: Between | None
    marks: Marks = field(default_factory=Marks)
    doubts: dict[int, tuple[str, str]] = field(default_factory=dict)
    count: int = 0
    earliest: datetime | None = None

    def add(self, part: pa.Table, version: npt.NDArray[np.uint64]) -> None:
        import pandas as pd

        inside = _inside(identify(self.sync, part, version), self.only)
        names = pd.Series(remembered_as(inside["key"]), inside.index, dtype=object)
        known = inside.assign(key=names)
        if known["cursor"].notna().any():
            first = known["cursor"].min().to_pydatetime()
            self.earliest = min(first, self.earliest or first)
        news, doubts = self._recalled(known)
        self.marks.add(part.num_rows, inside.assign(news=news))
        for at, (name, before) in doubts.items():
            self.doubts[self.count + at] = remembered_key(name), before
        self.count += part.num_rows

    def _recalled(self, known: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], _Doubts]:
        """As `_news`. A source that answers by the day tells what is forgotten by the hour."""
        asked, before = partial(_asked, known), self.memory.before
        news, doubts = _news(known, self.memory.came(len(known), asked))
        late = None if before is None else known["cursor"][news & (known["cursor"] < before)]
        if late is None or late.empty:
            return news, doubts
        self.memory.before = late.min().to_pydatetime()
        self.memory.remind(self.memory.before)
        return _news(known, self.memory.came(len(known), asked))


def _told_again(told: _Told, rows: Rows, versions: Sequence[npt.NDArray[np.uint64]]) -> _Told:
    """The same rows once more, under the keys that they have now."""
    import numpy as np

    known, at = np.concatenate(versions), 0
    for part in rows.parts():
        told.add(part, known[at : at + part.num_rows])
        at += part.num_rows
    return told


def _refuse_bytes(sync: Sync, schema: pa.Schema) -> None:
    """A key is compared as text everywhere, and bytes have none."""
    import pyarrow.types as pt

    if sync.key in schema.names and pt.is_binary(schema.field(sync.key).type):
        raise SchemaRefused(
            f"{sync.name}: the key {sync.key} holds bytes. Return a text for it, as value.hex()."
        )


def _inside(marks: pd.DataFrame, only: Between | None) -> pd.DataFrame:
    if only is None:
        return marks
    cursor = marks["cursor"]
    return marks[cursor.isna() | ((cursor >= only.start) & (cursor < only.end))]


def _asked(marks: pd.DataFrame) -> pa.Table:
    """Key and version of each row, as they are remembered."""
    import pyarrow as pa

    keys = pa.array(marks["key"].fillna(NO_KEY), pa.string())
    return pa.table({"key": keys, "version": pa.array(spelled(marks["version"].to_numpy()))})


def _news(marks: pd.DataFrame, came: Came) -> tuple[npt.NDArray[np.bool_], _Doubts]:
    """Which rows did not come before; and which of those are doubted, by place.

    A version that came before and is dated earlier than others is told by a replica that lags.
    Where the dates contradict the order otherwise, or are of the future, nobody but a person can
    tell which is newer: a wrong date may have been mended. Of the same date, what is told last
    counts. What a person put away and comes again after another version is doubted, too.
    """
    import numpy as np

    news = np.ones(len(marks), np.bool_)
    there = [k is None or k in came.versions for k in marks["key"]]
    if not any(there) or came.ahead is None:
        return news, {}
    news[there], doubts = _met_again(marks[there], came, came.ahead)
    return news, doubts


def _met_again(
    marks: pd.DataFrame, came: Came, ahead: datetime
) -> tuple[npt.NDArray[np.bool_], _Doubts]:
    """As `_news`, of rows whose key is known or null."""
    import numpy as np
    import pandas as pd

    named = list(zip(marks["key"], spelled(marks["version"].to_numpy()), strict=True))
    last = np.array([v in came.loose if k is None else came.versions.get(k) == v for k, v in named])
    before = np.array([pair in came.earlier for pair in named])
    passed = np.array([pair in came.passed for pair in named])
    reached, latest = (
        pd.Series([known.get(k) for k in marks["key"]], marks.index, "datetime64[us, UTC]")
        for known in (came.reached, came.cursors)
    )
    older = (marks["cursor"] < reached).to_numpy()
    newer = (marks["cursor"] > latest).to_numpy() & ~older
    misdated = (marks["cursor"] > ahead).to_numpy()
    doubted = passed | (~last & ((older & ~before) | (newer & (before | misdated))))
    doubts = zip(marks["key"][doubted], reached[doubted], strict=True)
    places = marks.index[doubted]
    told = {
        int(at): (key, "" if pd.isna(moment) else moment.isoformat())
        for at, (key, moment) in zip(places, doubts, strict=True)
    }
    return passed | ~(last | (older & before)), told
